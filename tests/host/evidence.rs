//! What is held against a source, and what is not: the engine on plain tables and a clock of its own.

mod bans;
mod crowd;
mod detection;
mod figures;
mod simulation;

use scanguard_common::cause::Cause;
use scanguard_common::classify::signature::Signature;
use scanguard_common::evidence::{Circumstances, Contact, Kind, REMEMBERED, Source, Trial, Verdict, Weights};
use scanguard_common::key::Address;
use scanguard_common::mark::Reason;
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::policy::Preset;
use scanguard_common::time::Seconds;
use scanguard_harness::{Books, Random};

const SEED: u64 = 0x5eed_0004;
const START: Seconds = Seconds(1_000_000);
const SCANNER: Address = Address::v4([192, 0, 2, 1]);

fn books() -> Books {
    Books::new(Preset::Balanced.judgement(), SEED)
}

/// A contact over TCP: numbers tell contacts apart as ports do.
fn contact(source: Address, number: u32, kind: Kind, now: Seconds) -> Contact {
    let key = number.wrapping_mul(0x9e37_79b9).rotate_left(16);
    let port = number.to_le_bytes();
    let trial = Trial { kind, port: u16::from_le_bytes([port[0], port[1]]), key, at: now };
    let reason = Reason::of(Cause::ClosedPort);
    Contact { source, trial, circumstances: Circumstances { protocol: IpProtocol::TCP, reason } }
}

/// The same contact over UDP.
fn by_udp(mut contact: Contact) -> Contact {
    contact.circumstances.protocol = IpProtocol::UDP;
    contact
}

/// Lets the scanner make contacts of these numbers and kinds at once, and returns its score and the counts.
fn after(books: &mut Books, contacts: &[(u32, Kind)], now: Seconds) -> (u32, [u16; 3]) {
    for (number, kind) in contacts {
        books.witness(&contact(SCANNER, *number, *kind, now));
    }
    books.known(SCANNER).map_or((0, [0; 3]), |record| (record.score(), record.contacts()))
}

/// Hints mark a kind of host: the most telling counts, and it counts once. What is certain counts with each contact.
#[test]
fn a_hint_counts_once_for_a_source_and_never_beside_a_better_mark() {
    let marked = |number, kind, mark: Signature| {
        let mut contact = contact(SCANNER, number, kind, START);
        contact.circumstances.reason.mark = Some(mark).into();
        contact
    };
    let score = |contacts: &[(Kind, Signature)]| {
        let mut books = Books::new(Preset::Off.judgement(), SEED);
        for (number, (kind, mark)) in (1..).zip(contacts) {
            books.witness(&marked(number, *kind, *mark));
        }
        books.known(SCANNER).map(|record| (record.score(), record.label().signature()))
    };
    let (weak, strong, certain) =
        (Signature::SynWithoutOptions, Signature::MasscanIdentification, Signature::NmapSyn);
    let worth = |mark: Signature| Weights::of_mark(Some(mark).into());
    let closed = |mark| (Kind::Closed, mark);
    // The door does not keep the first contact's mark.
    for (marks, expected, label) in [
        (vec![weak; 2], 2 * Weights::CLOSED + worth(weak), weak),
        (vec![weak; 4], 4 * Weights::CLOSED + worth(weak), weak),
        (vec![weak, weak, strong, weak], 4 * Weights::CLOSED + worth(strong), strong),
    ] {
        let contacts: Vec<_> = marks.into_iter().map(closed).collect();
        assert_eq!(score(&contacts), Some((expected, Some(label))));
    }
    let both = [(Kind::Signature, certain), (Kind::Signature, certain), closed(strong)];
    assert_eq!(score(&both), Some((2 * Weights::SIGNATURE + Weights::CLOSED, Some(certain))));
    let out_of_state = [(Kind::OutOfState, Signature::AckWithoutSequence); 2];
    assert_eq!(score(&out_of_state).map(|(score, _)| score), Some(2 * Weights::OUT_OF_STATE));
}

#[test]
fn who_traces_the_way_to_this_host_wants_ports_to_be_closed() {
    let mut books = books();
    let datagram = |port: u16| by_udp(contact(SCANNER, u32::from(port), Kind::Closed, START));
    for port in (33_434..=33_534).chain(44_444..=44_544) {
        assert_eq!(books.witness(&datagram(port)), Verdict::Noted);
    }
    assert!(books.known(SCANNER).is_none(), "traceroute and tracepath were taken for scanners");
    for port in [33_433, 33_535, 44_443, 44_545] {
        books.witness(&datagram(port));
    }
    assert_eq!(books.known(SCANNER).map(|record| record.contacts()[1]), Some(4));
    let same_port_by_tcp = contact(SCANNER, 33_434, Kind::Closed, START);
    books.witness(&same_port_by_tcp);
    assert!(books.ban(SCANNER).is_some_and(|ban| ban.holds(START)), "five closed ports are too many");
}

#[test]
fn the_first_contact_is_remembered_and_counts_with_the_second() {
    let mut books = books();
    assert_eq!(after(&mut books, &[(1, Kind::Closed)], START), (0, [0; 3]));
    assert!(books.known(SCANNER).is_none(), "one contact earns no record");
    let both = after(&mut books, &[(2, Kind::Closed)], START.after(5));
    assert_eq!(both, (2 * Weights::CLOSED, [2, 2, 0]));
    assert_eq!(books.known(SCANNER).map(Source::since), Some(START));
    let ports: Vec<_> = books.trail(SCANNER).iter().map(|entry| (entry.at(), entry.port())).collect();
    assert_eq!(ports, [(START, 1), (START.after(5), 2)]);
}

#[test]
fn what_is_repeated_at_once_is_no_news_so_that_it_may_be_dropped_unseen() {
    for kind in [Kind::Closed, Kind::Forged, Kind::OutOfState] {
        let mut books = books();
        after(&mut books, &[(1, Kind::Asked), (2, Kind::Closed), (3, kind)], START);
        let once = books.known(SCANNER).copied();
        assert!(once.is_some(), "two contacts earn a record");
        after(&mut books, &[(3, kind); 5], START);
        assert_eq!(books.known(SCANNER).copied(), once, "{kind:?}");
    }
}

#[test]
fn ten_retries_of_one_closed_port_are_one_contact() {
    for earlier in [&[][..], &[(7, Kind::Closed)]] {
        let mut books = books();
        after(&mut books, earlier, START);
        after(&mut books, &[(1, Kind::Closed); 10], START);
        let (score, [contacts, failed, answered]) = after(&mut books, &[(1, Kind::Closed)], START.after(60));
        let expected = if earlier.is_empty() { 0 } else { 2 };
        assert_eq!((contacts, failed, answered), (expected, expected, 0));
        assert_eq!(score, u32::from(expected) * Weights::CLOSED);
    }
}

#[test]
fn a_contact_is_no_news_until_as_many_others_as_are_remembered_came_after_it() {
    let remembered = u32::try_from(REMEMBERED).expect("a small number");
    for others in [remembered - 1, remembered] {
        let mut books = books();
        let (_, [before, ..]) = after(&mut books, &[(1, Kind::Closed), (2, Kind::Closed)], START);
        let answered: Vec<_> = (0..others).map(|number| (100 + number, Kind::Answered)).collect();
        let (_, [between, ..]) = after(&mut books, &answered, START);
        assert_eq!(u32::from(between - before), others);
        let (_, [contacts, ..]) = after(&mut books, &[(2, Kind::Closed)], START);
        assert_eq!(contacts - between, u16::from(others == remembered), "after {others} others");
    }
}

#[test]
fn what_is_answered_counts_down_and_never_below_zero() {
    let mut books = books();
    let twice = [(1, Kind::Closed), (2, Kind::Closed)];
    assert_eq!(after(&mut books, &twice, START).0, 2 * Weights::CLOSED);
    assert_eq!(after(&mut books, &[(3, Kind::Answered)], START).0, Weights::CLOSED);
    let many: Vec<_> = (4..20).map(|number| (number, Kind::Answered)).collect();
    assert_eq!(after(&mut books, &many, START), (0, [19, 2, 17]));
    assert_eq!(after(&mut books, &[(30, Kind::Closed)], START).0, Weights::CLOSED, "no credit is kept");
}

#[test]
fn whoever_was_only_ever_answered_has_no_record() {
    let mut books = books();
    let many: Vec<_> = (0..50).map(|number| (number, Kind::Answered)).collect();
    after(&mut books, &many, START);
    assert!(books.known(SCANNER).is_none());
}

#[test]
fn heavier_kinds_weigh_more() {
    for (kind, weight) in [
        (Kind::OutOfState, Weights::OUT_OF_STATE),
        (Kind::Forged, Weights::FORGED),
        (Kind::Decoy, Weights::FORGED),
        (Kind::Signature, Weights::SIGNATURE),
    ] {
        assert!(weight > Weights::CLOSED, "{}", kind.name());
        let mut books = Books::new(Preset::Tolerant.judgement(), SEED);
        let (score, _) = after(&mut books, &[(1, Kind::Closed), (2, kind)], START);
        assert_eq!(score, Weights::CLOSED + weight, "{}", kind.name());
    }
}

#[test]
fn no_answer_within_three_seconds_counts_when_the_record_is_touched_next() {
    let asked = [(1, Kind::Asked), (2, Kind::Asked)];
    for (seconds, failed) in [(0, 0), (3, 0), (4, 2), (600, 2), (30_000, 2)] {
        let mut books = books();
        assert_eq!(after(&mut books, &asked, START), (0, [0; 3]));
        let (_, [_, counted, _]) = after(&mut books, &[(3, Kind::Asked)], START.after(seconds));
        assert_eq!(counted, failed, "after {seconds} s");
    }
}

#[test]
fn an_answer_or_a_refusal_in_time_settles_what_was_asked() {
    for (kind, settled) in [(Kind::Answered, [2, 0, 2]), (Kind::Closed, [2, 2, 0])] {
        let mut books = books();
        let contacts = [(1, Kind::Asked), (2, Kind::Asked), (1, kind), (2, kind)];
        assert_eq!(after(&mut books, &contacts, START).1, settled);
        let (_, later) = after(&mut books, &[(3, Kind::Asked)], START.after(10));
        assert_eq!(later, settled, "nothing waits any more");
    }
}

#[test]
fn what_is_settled_makes_room_for_others_to_wait() {
    let mut books = books();
    let settled: Vec<_> =
        (1..4).flat_map(|number| [(number, Kind::Asked), (number, Kind::Answered)]).collect();
    after(&mut books, &settled, START);
    after(&mut books, &[(5, Kind::Asked), (6, Kind::Asked), (7, Kind::Asked)], START.after(1));
    assert_eq!(after(&mut books, &[(8, Kind::Asked)], START.after(6)).1, [6, 3, 3]);
}

#[test]
fn the_first_contact_can_be_settled_before_the_second_comes() {
    for (kind, settled) in [(Kind::Answered, [2, 1, 1]), (Kind::Closed, [2, 2, 0])] {
        let mut books = books();
        after(&mut books, &[(1, Kind::Asked), (1, kind)], START);
        assert_eq!(after(&mut books, &[(2, Kind::Closed)], START.after(10)).1, settled);
    }
}

#[test]
fn whoever_asks_quickly_where_nobody_answers_is_found_out_all_the_same() {
    let mut books = books();
    let first_ban = (0..600_u32).find(|number| {
        let now = START.after(number / 50);
        let verdict = books.witness(&contact(SCANNER, *number, Kind::Asked, now));
        matches!(verdict, Verdict::Banned(_))
    });
    let second = first_ban.map(|number| number / 50);
    assert_eq!(
        second,
        Some(8),
        "fifty new ports a second: three of them are overdue after 4 s, and again after 8 s"
    );
}

#[test]
fn what_this_side_says_by_udp_is_an_answer_only_to_who_has_asked() {
    let by_udp = |number, kind| by_udp(contact(SCANNER, number, kind, START));
    let mut books = books();
    after(&mut books, &[(1, Kind::Closed), (2, Kind::Closed)], START);
    books.witness(&by_udp(3, Kind::Answered));
    assert_eq!(books.known(SCANNER).map(Source::contacts), Some([2, 2, 0]));
    books.witness(&by_udp(3, Kind::Asked));
    books.witness(&by_udp(3, Kind::Answered));
    assert_eq!(books.known(SCANNER).map(Source::contacts), Some([3, 2, 1]));
}

#[test]
fn what_is_held_against_a_source_fades_by_half_each_half_life() {
    let rules = Preset::Balanced.judgement();
    for halves in 1..5 {
        let mut books = books();
        let (score, _) = after(&mut books, &[(1, Kind::Closed), (2, Kind::Forged)], START);
        let later = START.after(halves * rules.half_life);
        assert_eq!(
            books.known(SCANNER).map(|record| record.score_at(later, rules.half_life)),
            Some(score >> halves)
        );
        assert_eq!(after(&mut books, &[(2, Kind::Forged)], later).0, score >> halves);
    }
}

#[test]
fn touching_a_record_often_does_not_make_it_fade_faster() {
    let rules = Preset::Balanced.judgement();
    let mut books = books();
    let (score, _) = after(&mut books, &[(1, Kind::Closed), (2, Kind::Forged)], START);
    for second in 1..=rules.half_life {
        books.witness(&contact(SCANNER, 2, Kind::Forged, START.after(second)));
    }
    let left = books.known(SCANNER).map_or(0, Source::score);
    let steps = rules.half_life / 64 + 1;
    assert!(left <= score / 2 + 8 && left + 2 * steps >= score / 2, "{left} of {score}");
}

#[test]
fn contacts_are_counted_as_far_as_they_can_be_and_the_latest_are_remembered() {
    const MANY: u32 = 70_000;
    let rules = Preset::Off.judgement();
    let mut books = Books::new(rules, SEED);
    for port in 1..=MANY {
        books.witness(&contact(SCANNER, port, Kind::Closed, START));
    }
    let known = books.known(SCANNER).copied().expect("it is known");
    let [contacts, failed, answered] = known.contacts();
    assert!(
        contacts >= u16::MAX - 7 && [failed, answered] == [u16::MAX, 0],
        "{contacts} {failed} {answered}"
    );
    for port in (1..=MANY).rev().take(REMEMBERED) {
        books.witness(&contact(SCANNER, port, Kind::Closed, START));
    }
    assert_eq!(books.known(SCANNER), Some(&known), "what it repeats is no news");
}

/// For each cause, what it says of a source, and why.
#[test]
fn every_cause_says_of_a_source_what_it_should() {
    const OF_THE_PORT: &str = "it hit something closed";
    const BY_HAND: &str = "no stack writes this";
    const NAMED_FALSELY: &str = "the source it names need not have sent it";
    const BACKSCATTER: &str = "whoever was attacked under our address answers like this";
    const SURVIVES: &str = "peers send this after a restart";
    const IN_ORDER: &str = "nothing is wrong with it";
    const NOT_OURS: &str = "it is none of our business";
    const NOT_UNDERSTOOD: &str = "it was not understood";
    const TWICE: &str = "the source is paying for it already";
    const OPERATORS: &str = "the operator decided, not the source";
    for cause in Cause::ALL.iter().copied() {
        let (expected, why) = match cause {
            Cause::ClosedPort | Cause::ResetSilenced | Cause::UnreachableSilenced => {
                (Some(Kind::Closed), OF_THE_PORT)
            }
            Cause::UnprovenPort => (Some(Kind::Asked), "the answer will tell"),
            Cause::AckProbe | Cause::MaimonProbe | Cause::FinProbe => {
                (Some(Kind::OutOfState), "it claims a connection that is not, as no survivor does")
            }
            Cause::TcpNull
            | Cause::TcpXmas
            | Cause::TcpFullXmas
            | Cause::TcpSynFin
            | Cause::TcpSynRst
            | Cause::TcpFinRst
            | Cause::TcpNoAck
            | Cause::TcpReserved
            | Cause::TinyFragment
            | Cause::OverlappingFragment
            | Cause::IpOptions
            | Cause::PortZero
            | Cause::IcmpProbe => (Some(Kind::Forged), BY_HAND),
            Cause::DecoyPort => (Some(Kind::Decoy), "nobody has any reason to touch it"),
            Cause::ToolSignature => (Some(Kind::Signature), "one tool alone writes this"),
            Cause::SynAckProbe | Cause::StrayReset => (None, BACKSCATTER),
            Cause::Land | Cause::BadSource => (None, NAMED_FALSELY),
            Cause::Stray | Cause::StrayFlood | Cause::StraySilenced => (None, SURVIVES),
            Cause::RecentPort => (None, "a service that restarts is no closed port"),
            Cause::Banned | Cause::BannedNetwork => (None, TWICE),
            Cause::Denied | Cause::PingSilenced | Cause::Allowed => (None, OPERATORS),
            Cause::InConnection
            | Cause::NewConnection
            | Cause::SynCookie
            | Cause::InFlow
            | Cause::Udp
            | Cause::Icmp
            | Cause::Sctp
            | Cause::OtherProtocol => (None, IN_ORDER),
            Cause::NotUnicast
            | Cause::OtherStation
            | Cause::Forwarded
            | Cause::MaybeTranslated
            | Cause::UnknownDestination
            | Cause::Arp
            | Cause::NotIp
            | Cause::LaterFragment => (None, NOT_OURS),
            Cause::TooManyTags
            | Cause::TruncatedLink
            | Cause::TruncatedNetwork
            | Cause::TruncatedTransport
            | Cause::WrongIpVersion
            | Cause::BadIpHeaderLength
            | Cause::BadIpLength
            | Cause::BadDataOffset
            | Cause::TooManyExtensions => (None, NOT_UNDERSTOOD),
        };
        assert_eq!(Kind::of(cause), expected, "{}: {why}", cause.name());
    }
}

#[test]
fn a_torn_record_is_a_valid_one() {
    let mut random = Random::seeded(SEED);
    for _ in 0..200 {
        let pair = [0, 1].map(|_| record_of(&mut random));
        for words in 0..=size_of::<Source>() / 4 {
            let mut books = books();
            for number in [1_000, 1_001] {
                books.witness(&contact(SCANNER, number, Kind::Asked, START)); // which makes it known
            }
            books.overwrite(SCANNER, torn(&pair, words));
            let score = books.known(SCANNER).map_or(0, Source::score);
            let kinds = Kind::ALL.map(|kind| (u32::from(kind.number()), kind));
            for (number, kind) in kinds {
                books.witness(&contact(SCANNER, number, kind, START));
            }
            let most = pair.iter().map(Source::score).max().unwrap_or_default();
            assert!(score <= most, "a score of {score} out of two of {most} at most");
            let later = books.known(SCANNER).map(|source| {
                source.score_at(START.after(100_000_000), Preset::default().judgement().half_life)
            });
            assert_eq!(later, Some(0), "everything fades");
        }
    }
}

/// A record as it may come to be in a life of some contacts.
fn record_of(random: &mut Random) -> Source {
    let mut books = books();
    let mut now = START;
    for _ in 0..2 + random.below(20) {
        let number = u32::from(random.byte());
        let kind = *random.pick(&Kind::ALL);
        books.witness(&contact(SCANNER, number, kind, now));
        now = now.after(u32::from(random.byte() >> 5));
    }
    books.known(SCANNER).copied().unwrap_or(Source::UNKNOWN)
}

/// The first so many words of one record, and the rest of the other, as two processors may leave it.
fn torn([first, second]: &[Source; 2], words: usize) -> Source {
    let mut bytes = bytes_of(second);
    for (byte, other) in bytes.iter_mut().zip(bytes_of(first)).take(words * 4) {
        *byte = other;
    }
    // SAFETY: a `repr(C)` record of integers without padding, of which every bit pattern is a value.
    unsafe { std::mem::transmute(bytes) }
}

fn bytes_of(record: &Source) -> [u8; size_of::<Source>()] {
    // SAFETY: as above.
    unsafe { std::mem::transmute(*record) }
}
