//! Scans that are shared among many sources, and what is none, on plain tables and a clock of its own.

use std::net::Ipv4Addr;

use scanguard_common::cause::Cause;
use scanguard_common::evidence::Verdict;
use scanguard_common::incident::{Attempt, FEW, PORTS, Prefix, SOURCES, Target, WINDOW};
use scanguard_common::key::Address;
use scanguard_common::mark::Reason;
use scanguard_common::parse::parse;
use scanguard_common::policy::Preset;
use scanguard_common::time::Seconds;
use scanguard_harness::{Books, Frame, GUARDED_V4, Random};

const SEED: u64 = 0x5eed_0009;
const START: Seconds = Seconds(1_000_000);
const HOST: Address = Address::v4([10, 77, 0, 1]);

fn books() -> Books {
    Books::new(Preset::Balanced.judgement(), SEED)
}

/// The source of this number: fifty in each /24.
fn source(number: u32) -> Ipv4Addr {
    let [_, _, high, low] = (number / 50).to_be_bytes();
    Ipv4Addr::new(100, 64 + high, low, 1 + u8::try_from(number % 50).expect("below 50"))
}

/// A SYN to a port where nothing listens.
fn knock(books: &mut Books, source: Ipv4Addr, port: u16, now: Seconds) -> Verdict {
    try_in_vain(books, &Frame::ipv4(source, GUARDED_V4).tcp(40_000, port).flags("S").build(), now)
}

fn try_in_vain(books: &mut Books, frame: &[u8], now: Seconds) -> Verdict {
    let packet = parse(frame).expect("a packet");
    books
        .judge(&packet, &Reason::of(Cause::ClosedPort), now)
        .expect("a closed port says something of its source")
}

/// Whether an incident was told of exactly once, or never.
fn told(books: &Books) -> bool {
    assert!(books.told() < 2, "one incident was told of {} times", books.told());
    books.told() == 1
}

fn host(books: &Books) -> &Target {
    books.target(HOST).expect("something was tried")
}

/// So many sources, each of which tries `each` ports that nobody else tries, at even intervals within `seconds`.
fn share(books: &mut Books, sources: u32, each: u32, seconds: u32) {
    let all = sources * each;
    for number in 0..all {
        let now =
            START.after(u32::try_from(u64::from(number) * u64::from(seconds) / u64::from(all)).expect("few"));
        knock(books, source(number % sources), u16::try_from(1 + number).expect("a port"), now);
    }
}

#[test]
fn two_hundred_sources_with_three_ports_each_are_one_incident_and_nobody_is_banned() {
    let mut books = books();
    share(&mut books, 200, 3, 60);
    assert!(told(&books));
    assert_eq!(books.bans().count(), 0);
    let target = host(&books);
    assert_eq!((target.begun(), target.last()), (START, START.after(59)));
    assert_eq!((target.banned(), target.range()), (0, Some([1, 600])));
    // Whoever meets another at the door who has just come may be turned away: two of so many sources share a place at the
    // door in one of four runs, by the seed.
    assert!((597..=600).contains(&target.attempts()), "{} attempts", target.attempts());
    for (what, found, truth, error) in [
        ("ports", target.ports().estimate(), 600.0, 0.01),
        ("sources", target.sources().estimate(), 200.0, 0.014),
        ("prefixes", target.prefixes().estimate(), 4.0, 0.02),
    ] {
        // Three times the standard error, and half a member for rounding.
        let off = (f64::from(found) - truth).abs();
        assert!(off <= 3.0 * error * truth + 0.5, "{found} {what}, and not {truth}");
    }
    let mut shares: Vec<_> = target.shares().all().map(|share| (share.prefix(), share.sources())).collect();
    shares.sort_unstable();
    let networks = (0..4).map(|network| Prefix::of(Address::v4(source(network * 50).octets())));
    assert_eq!(shares.iter().map(|(prefix, _)| *prefix).collect::<Vec<_>>(), networks.collect::<Vec<_>>());
    // Who shares a place with another is not counted: of 200 among 4 096 places that is five on average.
    let counted: u32 = shares.iter().map(|(_, sources)| sources).sum();
    assert!((185..=200).contains(&counted), "{shares:?}");
}

#[test]
fn a_scanner_is_banned_and_is_no_incident() {
    let mut books = books();
    let bans =
        (1..=1_000).filter(|port| matches!(knock(&mut books, source(0), *port, START), Verdict::Banned(_)));
    assert!(bans.count() > 0);
    assert!(!told(&books));
}

#[test]
fn where_nobody_is_banned_scanners_are_no_incident_either_unless_they_are_many() {
    for (scanners, is_shared) in [(1, false), (SOURCES - 1, false), (SOURCES + 1, true)] {
        let mut books = Books::new(Preset::Off.judgement(), SEED);
        share(&mut books, scanners, 500, 60);
        assert_eq!(told(&books), is_shared, "{scanners} scanners of 500 ports each");
        let most = scanners * u32::from(FEW);
        assert!(host(&books).ports().taken() <= most, "a scanner counts with more than {FEW} ports");
    }
}

#[test]
fn those_who_are_banned_one_after_the_other_do_not_make_one() {
    let mut books = books();
    for number in 0..500 {
        knock(&mut books, source(number / 5), u16::try_from(1 + number).expect("a port"), START);
    }
    assert_eq!(books.bans().count(), 100);
    assert!(host(&books).ports().taken() > PORTS);
    assert!(!told(&books), "each of them is told by himself");
}

#[test]
fn twice_as_many_ports_as_it_takes_are_found_wherever_a_window_ends() {
    // A place in a hundred is shared by two ports.
    let ports = 2 * PORTS + 8;
    for quiet in (0..WINDOW).step_by(50) {
        let mut books = books();
        knock(&mut books, source(1_000), 50_000, Seconds(START.0 - quiet));
        share(&mut books, ports / 2, 2, WINDOW - 1);
        assert!(told(&books), "{ports} ports, {quiet} s after the window began");
    }
}

#[test]
fn a_slow_scan_is_found_from_the_rate_on_that_is_stated() {
    for (each_window, is_found) in [(PORTS + 4, true), (PORTS - 4, false)] {
        let mut books = books();
        share(&mut books, 3 * each_window, 2, 6 * WINDOW);
        assert_eq!(told(&books), is_found, "{each_window} ports in a window");
    }
}

#[test]
fn an_incident_is_told_of_once_as_long_as_it_goes_on_and_again_when_it_was_quiet() {
    let mut books = books();
    share(&mut books, 1_000, 3, 5 * WINDOW);
    assert!(told(&books));
    assert_eq!(books.incidents().count(), 4, "past windows are kept");
    assert!(host(&books).continues());
    let again = host(&books).last().after(WINDOW);
    for number in 0..200 {
        knock(&mut books, source(5_000 + number), u16::try_from(10_000 + number).expect("a port"), again);
    }
    assert_eq!(books.told(), 2);
    assert!(!host(&books).continues());
}

/// A port that somebody tries in vain, as honest clients do.
type Mistake = fn(u32, &mut Random) -> (Ipv4Addr, u16);

/// What honest people do wrong, and how often within one window.
const HONEST: [(&str, u32, Mistake); 7] = [
    ("clients of a service that has gone", 20_000, |number, _| (source(number), 443)),
    ("clients of a host that had six services", 20_000, |number, random| {
        (source(number), *random.pick(&[21, 25, 80, 110, 143, 993]))
    }),
    ("peers of whoever had this address before", 20_000, |number, _| (source(number), 51_413)),
    ("a thousand users behind one address, who mistype", 1_000, |_, random| {
        (source(0), 1 + random.short() / 2)
    }),
    ("a mail client that retries one closed port all day", 600, |_, _| (source(0), 993)),
    ("monitors of dead targets", 5_000, |number, _| {
        (source(number % 50), u16::try_from(9_100 + number % 3).expect("a port"))
    }),
    ("port knocking that is off by one", 400, |number, _| {
        (source(number / 4), u16::try_from(7_001 + number % 4).expect("a port"))
    }),
];

#[test]
fn honest_mistakes_are_no_incident_however_many_make_them() {
    for (what, mistakes, mistake) in HONEST {
        let mut random = Random::seeded(SEED);
        let mut books = books();
        for number in 0..mistakes {
            let (source, port) = mistake(number, &mut random);
            knock(&mut books, source, port, START.after(u32::from(random.byte())));
        }
        println!("{what}: {} of {PORTS} ports", host(&books).ports().taken());
        assert!(!told(&books), "{what}");
    }
}

/// As in `evidence::simulation`: each meets two closed ports at the most, of the fifty that it tries.
#[test]
fn benign_sources_as_measured_are_no_incident() {
    let mut random = Random::seeded(SEED);
    let mut books = books();
    for number in 0..20_000 {
        for _ in 0..2 {
            let port = u16::try_from(1 + random.below(50)).expect("a port");
            knock(&mut books, source(number), port, START);
        }
    }
    assert!(!told(&books));
}

#[test]
fn whoever_traces_the_way_to_this_host_takes_part_in_nothing() {
    let mut books = books();
    for number in 0..2_000_u16 {
        let port = if number % 2 == 0 { 33_434 + number % 101 } else { 44_444 + number % 101 };
        let datagram = Frame::ipv4(source(number.into()), GUARDED_V4).udp(40_000, port).build();
        try_in_vain(&mut books, &datagram, START);
    }
    assert!(books.target(HOST).is_none());
}

/// In how many of so many windows an incident is told of, if ports that were not tried yet come by chance, `mean` of them
/// in a window.
fn by_chance(mean: f64, windows: u32) -> u32 {
    let mut random = Random::seeded(SEED);
    let mut books = books();
    let mut found = 0;
    for window in 0..windows {
        // Long enough apart that none continues the one before.
        let now = START.after(2 * WINDOW * window);
        for number in 0..poisson(mean, &mut random) {
            let failed = Attempt {
                source: Address::v4(source(number).octets()),
                destination: HOST,
                protocol: 6,
                port: random.short().max(1),
                at: now,
                bans: false,
            };
            found += u32::from(books.attempt(&failed).is_some());
        }
    }
    found
}

/// How often something happens that does so `mean` times on average, at any moment as likely as at any other.
fn poisson(mean: f64, random: &mut Random) -> u32 {
    let mut left = 1.0_f64;
    let waits = std::iter::from_fn(|| {
        left *= (random.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        (left > (-mean).exp()).then_some(())
    });
    u32::try_from(waits.count()).expect("few")
}

#[test]
fn chance_makes_an_incident_as_seldom_as_is_stated() {
    const WINDOWS: u32 = 4_000;
    let one_in = |mean: f64| {
        let ports = f64::from(PORTS);
        (mean - ports + ports * (ports / mean).ln()).exp()
    };
    assert!((5e10..6e10).contains(&one_in(64.0)), "{}", one_in(64.0));
    assert!((36.0..38.0).contains(&one_in(100.0)), "{}", one_in(100.0));
    assert_eq!(by_chance(64.0, WINDOWS), 0);
    let (found, most) = (by_chance(100.0, WINDOWS), f64::from(WINDOWS) / one_in(100.0));
    println!("{found} of {WINDOWS} windows with 100 ports on average, at most {most:.0}");
    assert!(f64::from(found) <= most, "{found} of {most} at most");
    assert!(found > 0, "a bound that nobody comes near proves nothing");
}

#[test]
fn half_of_the_work_of_two_processors_is_a_record_too() {
    let record = |from: u32| {
        let mut books = books();
        for number in from..from + 150 {
            knock(&mut books, source(number), u16::try_from(1 + number).expect("a port"), START);
        }
        *host(&books)
    };
    let pair = [record(0), record(1_000)];
    for words in 0..=size_of::<Target>() / 4 {
        let mut books = books();
        books.overwrite_target(HOST, torn(&pair, words));
        for number in 0..20 {
            knock(&mut books, source(2_000 + number), 60_000, START.after(number));
        }
        let target = host(&books);
        assert!(target.ports().estimate() <= 2 * 155 && target.sources().estimate() <= 2 * 180);
        assert!(target.shares().all().count() <= 16);
        knock(&mut books, source(0), 1, START.after(10 * WINDOW));
        assert_eq!(host(&books).attempts(), 1, "it ends as any other");
    }
}

/// The first so many words of one record, and the rest of the other.
fn torn([first, second]: &[Target; 2], words: usize) -> Target {
    let [first, mut bytes] = [first, second].map(bytes_of);
    for (byte, other) in bytes.iter_mut().zip(first).take(words * 4) {
        *byte = other;
    }
    // SAFETY: a `repr(C)` record of integers without padding, of which every bit pattern is a value.
    unsafe { std::mem::transmute(bytes) }
}

fn bytes_of(record: &Target) -> [u8; size_of::<Target>()] {
    // SAFETY: as above, and as long as it is.
    unsafe { std::mem::transmute(*record) }
}
