//! The door under a crowd of sources with one contact each.

use scanguard_common::ban::Ban;
use scanguard_common::evidence::{CROWDED_WITHIN, Kind, Source, Verdict};
use scanguard_common::key::Address;
use scanguard_common::schema::DOOR_PLACES;
use scanguard_harness::{Books, Random};

use super::{SCANNER, SEED, START, books, contact};

const FORGED: u32 = 1_000_000;

/// Forged sources in a network that nobody else here uses, each different.
fn crowd(books: &mut Books, count: u32, random: &mut Random) -> u32 {
    let mut displaced = 0;
    for number in 0..count {
        let [_, a, b, c] = number.to_be_bytes();
        let contact = contact(Address::v4([10, a, b, c]), u32::from(random.short()), Kind::Closed, START);
        match books.witness(&contact) {
            Verdict::Waiting | Verdict::Noted => {}
            Verdict::Displaced => displaced += 1,
            verdict @ (Verdict::Banned(_) | Verdict::Full) => panic!("{verdict:?} for one contact"),
        }
    }
    displaced
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

    let displaced = crowd(&mut books, FORGED, &mut Random::seeded(SEED));

    assert_eq!((books.known(SCANNER).copied(), books.ban(banned)), before);
    assert_eq!(books.sources().count(), 2, "whoever made one contact has no record");
    assert_eq!(books.bans().count(), 1);
    assert_eq!(
        displaced,
        FORGED - DOOR_PLACES,
        "every place is taken, and each further guest pushes one out"
    );
    let verdicts = [3, 4].map(|number| books.witness(&contact(SCANNER, number, Kind::Closed, START)));
    assert_eq!(verdicts, [Verdict::Noted, Verdict::Banned(600)], "the scan in progress is cut off as always");
}

#[test]
fn a_scanner_who_comes_amid_the_crowd_is_found_when_the_crowd_has_no_time_between_two_of_his_contacts() {
    let mut random = Random::seeded(SEED);
    for (between, is_found) in [(100, true), (10 * DOOR_PLACES, false)] {
        let mut books = books();
        crowd(&mut books, 2 * DOOR_PLACES, &mut random);
        books.witness(&contact(SCANNER, 1, Kind::Closed, START));
        crowd(&mut books, between, &mut random);
        books.witness(&contact(SCANNER, 2, Kind::Closed, START));
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
    for (waited, is_crowd) in
        [(0, true), (CROWDED_WITHIN - 1, true), (CROWDED_WITHIN, false), (90_000, false)]
    {
        let contact = contact(SCANNER, 1, Kind::Closed, START.after(waited));
        assert_eq!(crowded.clone().witness(&contact) == Verdict::Displaced, is_crowd, "after {waited} s");
    }
}
