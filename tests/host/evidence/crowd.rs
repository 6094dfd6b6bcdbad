//! The door under a crowd of sources with one contact each.

use scanguard_common::ban::Ban;
use scanguard_common::evidence::{
    CROWDED_WITHIN, JUST_COME, Kind, ONE_IN, Source, Verdict, Weights, is_lost_in_a_crowd, is_turned_away,
};
use scanguard_common::key::Address;
use scanguard_common::policy::{Judgement, Preset};
use scanguard_common::schema::DOOR_PLACES;
use scanguard_harness::{Books, Random};

use super::{SCANNER, SEED, START, books, contact};

const FORGED: u32 = 1_000_000;

/// Forged sources in a network that nobody else here uses, each different.
///
/// How many of them pushed another out, and how many were turned away in his stead.
fn crowd(books: &mut Books, count: u32, random: &mut Random) -> [u32; 2] {
    let (mut displaced, mut turned_away) = (0, 0);
    for number in 0..count {
        let [_, a, b, c] = number.to_be_bytes();
        let contact = contact(Address::v4([10, a, b, c]), u32::from(random.short()), Kind::Closed, START);
        match books.witness(&contact) {
            Verdict::Waiting | Verdict::Noted => {}
            Verdict::Displaced => displaced += 1,
            Verdict::TurnedAway => turned_away += 1,
            verdict @ (Verdict::Banned(_) | Verdict::Full) => panic!("{verdict:?} for one contact"),
        }
    }
    [displaced, turned_away]
}

#[test]
fn a_crowd_touches_neither_records_nor_bans() {
    let mut books = books();
    let banned = Address::v4([192, 0, 2, 2]);
    for number in 0..5 {
        books.witness(&contact(banned, number, Kind::Closed, START));
    }
    for number in 0..3 {
        books.witness(&contact(SCANNER, number, Kind::Closed, START));
    }
    let before = (books.known(SCANNER).copied(), books.ban(banned));
    assert!(before.0.is_some() && before.1.is_some_and(|ban: Ban| ban.holds(START)));

    let [displaced, turned_away] = crowd(&mut books, FORGED, &mut Random::seeded(SEED));

    assert_eq!((books.known(SCANNER).copied(), books.ban(banned)), before);
    assert_eq!(books.sources().count(), 2, "whoever made one contact has no record");
    assert_eq!(books.bans().count(), 1);
    assert_eq!(
        displaced + turned_away,
        FORGED - DOOR_PLACES,
        "every place is taken, and each further guest pushes one out or is turned away"
    );
    let share = f64::from(displaced + turned_away) / f64::from(displaced);
    // Of 934 464 each 32nd: 29 202 with a standard deviation of 168.
    assert!((share / f64::from(ONE_IN) - 1.0).abs() < 0.03, "one in {share} is let in");
    let verdicts = [3, 4].map(|number| books.witness(&contact(SCANNER, number, Kind::Closed, START)));
    assert_eq!(verdicts, [Verdict::Noted, Verdict::Banned(600)], "the scan in progress is cut off as always");
}

#[test]
fn a_scanner_who_comes_amid_the_crowd_is_found_unless_the_crowd_fills_the_door_between_two_of_his_contacts() {
    let mut random = Random::seeded(SEED);
    for (between, is_found) in [(100, true), (DOOR_PLACES, true), (100 * DOOR_PLACES, false)] {
        let mut books = books();
        crowd(&mut books, 2 * DOOR_PLACES, &mut random);
        // Let in are few of his contacts, and nobody can tell which.
        let mut let_in = (1..).filter(|number| {
            books.clone().witness(&contact(SCANNER, *number, Kind::Closed, START)) == Verdict::Displaced
        });
        let first = let_in.next().expect("some contact is let in");
        assert!(first <= 10 * ONE_IN, "it took {first} contacts");
        drop(let_in);
        books.witness(&contact(SCANNER, first, Kind::Closed, START));
        crowd(&mut books, between, &mut random);
        // Whoever waits is known, whichever contact he makes.
        books.witness(&contact(SCANNER, first + 1, Kind::Closed, START));
        assert_eq!(
            books.known(SCANNER).map(Source::contacts),
            is_found.then_some([2, 2, 0]),
            "{between} between"
        );
    }
}

#[test]
fn only_who_has_just_come_is_pushed_out_by_a_crowd() {
    let mut crowded = books();
    crowd(&mut crowded, 10 * DOOR_PLACES, &mut Random::seeded(SEED));
    for (waited, verdict) in [
        (JUST_COME - 1, Verdict::TurnedAway),
        (JUST_COME, Verdict::Displaced),
        (CROWDED_WITHIN - 1, Verdict::Displaced),
        (CROWDED_WITHIN, Verdict::Waiting),
        (90_000, Verdict::Waiting),
    ] {
        let contact = contact(SCANNER, 1, Kind::Closed, START.after(waited));
        assert_eq!(crowded.clone().witness(&contact), verdict, "after {waited} s");
    }
}

#[test]
fn who_repeats_himself_is_lost_in_a_crowd_and_who_goes_on_or_has_a_record_is_not() {
    let mut books = books();
    let rules = Preset::Balanced.judgement();
    let first = contact(SCANNER, 1, Kind::Closed, START);
    let looked_at_by = |rules: &Judgement, books: &mut Books, number| {
        let trial = contact(SCANNER, number, Kind::Closed, START).trial;
        [is_turned_away, is_lost_in_a_crowd].map(|asked| !asked(books, SCANNER, &trial, rules))
    };
    let looked_at = |books: &mut Books, number| looked_at_by(&rules, books, number);
    assert_eq!(looked_at(&mut books, 1), [true, true], "a stranger, and nobody waits");
    assert_eq!(books.witness(&first), Verdict::Waiting);
    assert_eq!(looked_at(&mut books, 1), [true, false], "a repetition");
    assert_eq!(looked_at(&mut books, 2), [true, true], "the second contact");
    let strict = Judgement { threshold: Weights::CLOSED, ..rules };
    assert_eq!(looked_at_by(&strict, &mut books, 1), [true, true], "enough by itself");
    books.witness(&contact(SCANNER, 2, Kind::Closed, START));
    assert_eq!(looked_at(&mut books, 1), [true, true], "somebody with a record");
    let mut crowded = self::books();
    crowd(&mut crowded, 10 * DOOR_PLACES, &mut Random::seeded(SEED));
    let drawn = (0..100 * ONE_IN).filter(|number| {
        let [one, other] = looked_at(&mut crowded, *number);
        assert_eq!(one, other, "both draw alike");
        one
    });
    let drawn = drawn.count();
    assert!((80..=120).contains(&drawn), "{drawn} drawn");
}
