//! Bans as the engine gives them: to whom, for how long, for what.

use scanguard_common::ban::Ban;
use scanguard_common::evidence::{Kind, Source, Verdict, Weights};
use scanguard_common::key::Address;
use scanguard_common::policy::{Judgement, Preset};
use scanguard_common::time::Seconds;
use scanguard_harness::Books;

use super::{SCANNER, SEED, START, books, contact};

/// Scans from closed port to closed port, all at once, until something comes of it.
fn scan(books: &mut Books, source: Address, first_port: u32, now: Seconds) -> Option<(u32, Verdict)> {
    (0..100).find_map(|number| {
        match books.witness(&contact(source, first_port + number, Kind::Closed, now)) {
            Verdict::Waiting | Verdict::Noted | Verdict::Displaced | Verdict::TurnedAway => None,
            verdict @ (Verdict::Banned(_) | Verdict::Full) => Some((number + 1, verdict)),
        }
    })
}

#[test]
fn each_ban_lasts_twice_as_long_as_the_last_up_to_the_ceiling() {
    let mut books = books();
    let mut now = START;
    let mut lengths = Vec::new();
    for _ in 0..10 {
        let (_, verdict) = scan(&mut books, SCANNER, 1, now).expect("a ban");
        let Verdict::Banned(seconds) = verdict else { panic!("{verdict:?}") };
        assert!(books.ban(SCANNER).is_some_and(|ban| ban.holds(now) && ban.since() == now));
        lengths.push(seconds);
        now = now.after(seconds);
    }
    assert_eq!(lengths, [600, 1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 76_800, 86_400, 86_400]);
}

#[test]
fn for_each_while_without_a_ban_one_repeat_is_forgotten() {
    let Judgement { terms, .. } = Preset::Balanced.judgement();
    for (quiet, length) in
        [(0, 2_400), (terms.forget - 1, 2_400), (terms.forget, 1_200), (2 * terms.forget, 600)]
    {
        let mut books = books();
        let mut now = START;
        for _ in 0..2 {
            scan(&mut books, SCANNER, 1, now).expect("a ban");
            now = books.ban(SCANNER).map(Ban::until).expect("it was banned");
        }
        let (_, verdict) = scan(&mut books, SCANNER, 1, now.after(quiet)).expect("a ban");
        assert_eq!(verdict, Verdict::Banned(length), "{quiet} s later");
    }
}

#[test]
fn while_a_ban_holds_nobody_is_banned_again_and_it_ends_without_a_score_to_come_back_to() {
    let mut books = books();
    scan(&mut books, SCANNER, 1, START).expect("a ban");
    let ban = books.ban(SCANNER).expect("it was banned");
    for number in 0..5_000 {
        let now = START.after(number % 600);
        let verdict = books.witness(&contact(SCANNER, 1_000 + number, Kind::Forged, now));
        assert_eq!(verdict, Verdict::Noted);
    }
    assert_eq!(books.ban(SCANNER), Some(ban));
    let answered = contact(SCANNER, 9, Kind::Answered, ban.until());
    assert_eq!(books.witness(&answered), Verdict::Noted, "a new connection to a service bans nobody");
}

#[test]
fn a_ban_tells_what_was_held_against_the_source_last() {
    let mut books = books();
    for number in 0..3 {
        books.witness(&contact(SCANNER, number, Kind::Closed, START));
    }
    for number in 3..6 {
        assert_eq!(books.witness(&contact(SCANNER, number, Kind::Asked, START)), Verdict::Noted);
    }
    let touch = contact(SCANNER, 7, Kind::Asked, START.after(10));
    assert_eq!(books.witness(&touch), Verdict::Banned(600), "three answers are overdue");
    assert_eq!(books.ban(SCANNER).map(Ban::kind), Some(Kind::Silence));
}

#[test]
fn one_contact_that_is_enough_by_itself_bans_at_once_and_for_itself_alone() {
    for preset in Preset::BANNING {
        let mut books = Books::new(preset.judgement(), SEED);
        let verdict = books.witness(&contact(SCANNER, 1, Kind::Signature, START));
        let bans = preset == Preset::Sensitive;
        assert_eq!(verdict, if bans { Verdict::Banned(600) } else { Verdict::Waiting }, "{}", preset.name());
        let closed = contact(SCANNER, 2, Kind::Closed, START.after(700));
        assert_eq!(
            books.witness(&closed),
            if bans { Verdict::Waiting } else { Verdict::Noted },
            "it was paid for"
        );
        assert_eq!(
            books.known(SCANNER).is_none(),
            bans,
            "{}: what was paid for is not written down",
            preset.name()
        );
    }
}

#[test]
fn whom_this_host_depends_on_is_never_banned() {
    let router = Address::v6([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let far_end = Address::v6([0xfe, 0xbf, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let not_local = Address::v6([0xfe, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    for (source, is_spared) in
        [(SCANNER, true), (router, true), (router.network(), true), (far_end, true), (not_local, false)]
    {
        let mut books = books().sparing(SCANNER);
        assert_eq!(scan(&mut books, source, 1, START).is_none(), is_spared, "{source:?}");
        assert_eq!(books.ban(source).is_none(), is_spared);
    }
}

#[test]
fn where_no_ban_finds_room_that_is_told_and_those_there_are_stay() {
    let mut books = books().with_room_for_bans(1);
    scan(&mut books, SCANNER, 1, START).expect("a ban");
    let second = Address::v4([192, 0, 2, 2]);
    assert_eq!(scan(&mut books, second, 1, START), Some((5, Verdict::Full)));
    assert!(books.ban(second).is_none());
    let held = books.ban(SCANNER).expect("it is still banned");
    assert!(matches!(scan(&mut books, SCANNER, 1, held.until()), Some((_, Verdict::Banned(1_200)))));
    assert!(
        books.known(second).is_some_and(|record: &Source| record.score() == 0),
        "it is told once for each scan"
    );
}

#[test]
fn where_nobody_is_to_be_banned_no_score_is_high_enough() {
    let mut books = Books::new(Preset::Off.judgement(), SEED);
    let enough_for_any_number = u32::MAX / Weights::SIGNATURE + 10;
    for number in 0..enough_for_any_number {
        let verdict = books.witness(&contact(SCANNER, number, Kind::Signature, START));
        assert!(matches!(verdict, Verdict::Waiting | Verdict::Noted), "{verdict:?}");
    }
    assert!(books.known(SCANNER).is_some_and(|record| record.score() > u32::MAX / 2));
}
