//! Which scans are cut off when, and who is never banned: the whole engine on frames, and a clock of its own.
//!
//! What is found is a page of its own, so that it can be read, and compared with each time.

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;

use scanguard_common::cause::Cause;
use scanguard_common::evidence::{Contact, Kind, Verdict};
use scanguard_common::mark::Reason;
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::parse::parse;
use scanguard_common::policy::Preset;
use scanguard_common::time::{Nanos, Seconds};
use scanguard_harness::{Books, Frame, GUARDED_V4, GUARDED_V6, Ip, OUTSIDE_V4, OUTSIDE_V6, Random, World};

use super::{SCANNER, SEED, START, contact};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/detection.md");

/// The variable that has the page written instead of compared.
const PUBLISH: &str = "SCANGUARD_PUBLISH";

/// A scan that has made so many probes without being cut off never is.
const MOST_PROBES: u16 = 2_000;

/// How one probe of a scan looks, to which port.
struct Scan {
    name: &'static str,
    probe: fn(Ip, u16) -> Vec<u8>,
}

/// MSS 1460 alone.
const MSS: [u8; 4] = [2, 4, 0x05, 0xb4];

const SCANS: [Scan; 9] = [
    Scan {
        name: "connect (`-sT`)",
        probe: |ip, port| ip.tcp(40_000, port).flags("S").linux_options().build(),
    },
    Scan {
        name: "half-open (`-sS`)",
        probe: |ip, port| ip.tcp(40_000, port).flags("S").window(1024).options(&MSS).build(),
    },
    Scan { name: "UDP (`-sU`)", probe: |ip, port| ip.udp(40_000, port).build() },
    Scan { name: "IP protocols (`-sO`)", probe: |ip, number| ip.build(200 + (number % 40) as u8, &[0; 8]) },
    Scan { name: "NULL (`-sN`)", probe: |ip, port| ip.tcp(40_000, port).flags("").build() },
    Scan { name: "XMAS (`-sX`)", probe: |ip, port| ip.tcp(40_000, port).flags("FPU").build() },
    Scan { name: "FIN (`-sF`)", probe: |ip, port| ip.tcp(40_000, port).flags("F").build() },
    Scan {
        name: "ACK (`-sA`)",
        probe: |ip, port| ip.tcp(40_000, port).flags("A").seq(0).ack(7).window(1024).build(),
    },
    Scan { name: "ACK, numbers at random", probe: |ip, port| ip.tcp(40_000, port).flags("A").ack(7).build() },
];

/// How much time is between two probes, in milliseconds.
const RATES: [(&str, u64); 6] = [
    ("1000/s", 1),
    ("10/s", 100),
    ("1/s", 1_000),
    ("1 in 5 min", 300_000),
    ("1 in 1 h", 3_600_000),
    ("1 in 4 h", 14_400_000),
];

/// How many probes were made, and how many seconds it took, until the source was banned.
fn until_the_ban(scan: &Scan, between: u64, preset: Preset, ends: (IpAddr, IpAddr)) -> Option<(u32, u64)> {
    let world = World::with_addresses([ends.1]);
    let mut books = Books::new(preset.judgement(), SEED);
    let mut random = Random::seeded(SEED);
    let first = random.short();
    for step in 0..MOST_PROBES {
        let number = u32::from(step);
        // A step without a common divisor with 2¹⁶ meets every port once.
        let port = first.wrapping_add(step.wrapping_mul(25_173)).max(1);
        let passed = u64::from(number) * between;
        let now = Nanos(Nanos::from(START).0 + passed * (Nanos::SECOND / 1_000));
        world.set_now(now);
        let frame = (scan.probe)(Frame::between(ends.0, ends.1), port);
        let packet = parse(frame.as_slice()).expect("a probe is understood");
        let reason = world.reason(&frame);
        let mut verdict = books.judge(&packet, &reason, Seconds::of(now));
        // What goes up to the host and finds nobody is refused, and that is seen on its way out.
        let is_tcp = packet.transport.protocol == IpProtocol::TCP;
        let refused = if reason.cause == Cause::UnprovenPort && is_tcp {
            Some(Cause::ResetSilenced)
        } else if matches!(reason.cause, Cause::UnprovenPort | Cause::OtherProtocol) {
            Some(Cause::UnreachableSilenced)
        } else {
            None
        };
        if let Some(cause) = refused {
            verdict = books.judge(&packet, &Reason::of(cause), Seconds::of(now)).or(verdict);
        }
        if matches!(verdict, Some(Verdict::Banned(_))) {
            return Some((number + 1, passed / 1_000));
        }
    }
    None
}

fn ends() -> [(IpAddr, IpAddr); 2] {
    [(OUTSIDE_V4.into(), GUARDED_V4.into()), (OUTSIDE_V6.into(), GUARDED_V6.into())]
}

/// The same over both families, or what is different.
fn cell(scan: &Scan, between: u64, preset: Preset) -> String {
    let [v4, v6] = ends().map(|ends| until_the_ban(scan, between, preset, ends));
    let told = |found: Option<(u32, u64)>| match found {
        Some((probes, seconds)) => {
            let time = std::time::Duration::from_secs(seconds);
            format!("{probes}, {}", humantime(time))
        }
        None => "never".to_owned(),
    };
    if v4 == v6 { told(v4) } else { format!("{} (IPv6: {})", told(v4), told(v6)) }
}

/// A time in its two largest units.
fn humantime(time: std::time::Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes) = (seconds / 3_600, seconds % 3_600 / 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min"),
        (_, 0) => format!("{hours} h"),
        (_, _) => format!("{hours} h {minutes} min"),
    }
}

/// What honest people do: to which contacts it comes, when in seconds, and how each ends. Drawn anew for each of them.
struct Honest {
    name: &'static str,
    contacts: fn(&mut Random) -> Vec<(u32, u32, Kind)>,
}

const DAY: usize = 86_400;

/// A second of a day.
fn some_time(random: &mut Random) -> u32 {
    u32::try_from(random.below(DAY)).expect("a day has not many seconds")
}

/// How many of each sort are watched.
const HONEST_SOURCES: u32 = 500;

const HONEST: [Honest; 8] = [
    Honest {
        name: "a browser: bursts to 443, and QUIC where there is none",
        contacts: |random| {
            let burst =
                |at: u32| [(at, 443, Kind::Answered), (at, 1_443, Kind::Closed), (at, 80, Kind::Answered)];
            (0..20).flat_map(|_| burst(some_time(random))).collect()
        },
    },
    Honest {
        name: "1000 users behind one address, of whom four a day mistype a port",
        contacts: |random| {
            let mut all: Vec<_> = (0..1_000).map(|_| (some_time(random), 443, Kind::Answered)).collect();
            for _ in 0..1_000 {
                let port = if random.once_in(2) { 80 } else { 22 };
                all.push((some_time(random), port, Kind::Answered));
            }
            for _ in 0..4 {
                all.push((some_time(random), 2_000 + u32::from(random.short()), Kind::Closed));
            }
            all
        },
    },
    Honest {
        name: "a P2P client that knows an old address of this host",
        contacts: |random| {
            (0..200)
                .map(|_| {
                    let port = if random.once_in(2) { 51_413 } else { 116_949 };
                    (some_time(random), port, Kind::Closed)
                })
                .collect()
        },
    },
    Honest {
        name: "monitoring, every minute, with one dead target of five",
        contacts: |_| {
            let round = |at: u32| {
                [(22, true), (80, true), (443, true), (25, true), (8_080, false)]
                    .map(|(port, lives)| (at, port, if lives { Kind::Answered } else { Kind::Closed }))
            };
            (0..1_440).flat_map(|minute| round(minute * 60)).collect()
        },
    },
    Honest {
        name: "a mail client that tries one closed port all day",
        contacts: |_| (0..480).map(|round| (round * 180, 993, Kind::Closed)).collect(),
    },
    Honest {
        name: "a client whose server restarts: two ports refuse for a while",
        contacts: |_| {
            let down = |at: u32| [(at, 5_432, Kind::Closed), (at, 5_433, Kind::Closed)];
            let up = [(30, 5_432, Kind::Answered), (31, 5_433, Kind::Answered)];
            (0..30).flat_map(down).chain(up).collect()
        },
    },
    Honest {
        name: "knocking at three ports, the last of them one off, and once more",
        contacts: |_| {
            let knock = |at, port| (at, port, Kind::Closed);
            vec![
                knock(0, 7_000),
                knock(1, 8_000),
                knock(2, 9_001),
                knock(20, 7_000),
                knock(21, 8_000),
                knock(22, 9_000),
                (23, 22, Kind::Answered),
            ]
        },
    },
    Honest {
        name: "somebody who has forgotten on which of three ports the service is",
        contacts: |_| vec![(0, 8_080, Kind::Closed), (5, 8_000, Kind::Closed), (9, 8_443, Kind::Answered)],
    },
];

/// How many of so many such sources are banned.
fn banned(honest: &Honest, preset: Preset) -> u32 {
    let mut random = Random::seeded(SEED);
    let mut count = 0;
    for _ in 0..HONEST_SOURCES {
        let mut books = Books::new(preset.judgement(), SEED);
        let mut contacts = (honest.contacts)(&mut random);
        contacts.sort_by_key(|(at, ..)| *at);
        let is_ban = |(at, number, kind): &(u32, u32, Kind)| {
            let contact: Contact = contact(SCANNER, *number, *kind, START.after(*at));
            matches!(books.witness(&contact), Verdict::Banned(_))
        };
        count += u32::from(contacts.iter().any(is_ban));
    }
    count
}

fn page() -> String {
    let mut page = format!(
        "# Detection\n\n\
         Which scans are cut off when, and who is banned by mistake: the engine on frames, on a simulated clock, seed\n\
         {SEED:#x}. `SCANGUARD_PUBLISH=1 cargo test --package scanguard-tests --test host detection` writes this page, and\n\
         the test compares it with what it finds.\n\n\
         ## Scans\n\n\
         Each probe is for another port, and all ports are closed. A cell says how many probes there were until the ban,\n\
         the last of them included, and how much time had passed; over IPv4 and IPv6 alike, unless it says otherwise. A\n\
         scan that is not cut off after {MOST_PROBES} probes never is. What a probe learns before is told by the\n\
         [scoreboard](scoreboard.md): nothing of closed ports. ACKs with numbers at random are what the peers of a host\n\
         that crashed send: nobody is banned for them, and they tell no port from another.\n"
    );
    for preset in Preset::BANNING {
        let rates: Vec<&str> = RATES.iter().map(|(name, _)| *name).collect();
        let _ = write!(
            page,
            "\n### Preset {}\n\n| scan | {} |\n|---{}|\n",
            preset.name(),
            rates.join(" | "),
            "|---".repeat(RATES.len())
        );
        for scan in &SCANS {
            let cells: Vec<String> = RATES.iter().map(|(_, between)| cell(scan, *between, preset)).collect();
            let _ = writeln!(page, "| {} | {} |", scan.name, cells.join(" | "));
        }
    }
    let _ = write!(
        page,
        "\n## Honest workloads\n\n\
         A day of each, {HONEST_SOURCES} times over: how many of these sources were banned.\n\n\
         | who | {} |\n|---{}|\n",
        Preset::BANNING.map(Preset::name).join(" | "),
        "|---".repeat(Preset::BANNING.len())
    );
    for honest in &HONEST {
        let cells = Preset::BANNING.map(|preset| banned(honest, preset).to_string());
        let _ = writeln!(page, "| {} | {} |", honest.name, cells.join(" | "));
    }
    page
}

#[test]
fn the_table_of_detection_is_the_one_that_is_published() {
    println!("seed {SEED:#x}");
    let found = page();
    if std::env::var_os(PUBLISH).is_some() {
        fs::write(PAGE, &found).expect("the page can be written");
        return;
    }
    let published = fs::read_to_string(PAGE).expect("the page is in the repository");
    let differs = found.lines().zip(published.lines()).find(|(found, published)| found != published);
    assert!(found == published, "the page says otherwise, first (found, published): {differs:#?}");
}

#[test]
fn nobody_honest_is_banned() {
    for honest in &HONEST {
        for preset in [Preset::Tolerant, Preset::Balanced] {
            assert_eq!(banned(honest, preset), 0, "{}: {}", preset.name(), honest.name);
        }
    }
}
