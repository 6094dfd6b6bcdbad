//! Counters are exact: packets and bytes, by cause and by interface.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use scanguard_common::cause::{Action, Cause};
use scanguard_common::stray::BURST;
use scanguard_harness::{
    Frame, GUARDED_V4, GUARDED_V6, INTERFACE, Injector, Ip, Lab, OUTSIDE_V4, OUTSIDE_V6,
};

use crate::guard::Guard;

const LIMIT: Duration = Duration::from_secs(60);

/// A segment that is dropped for a cause: its flags and its sequence number.
struct Probe {
    cause: Cause,
    flags: &'static str,
    sequence: u32,
}

const PROBES: [Probe; 12] = [
    Probe { cause: Cause::TcpNull, flags: "", sequence: 1 },
    Probe { cause: Cause::TcpXmas, flags: "FPU", sequence: 1 },
    Probe { cause: Cause::TcpFullXmas, flags: "FSRPAU", sequence: 1 },
    Probe { cause: Cause::TcpSynFin, flags: "SF", sequence: 1 },
    Probe { cause: Cause::TcpSynRst, flags: "SR", sequence: 1 },
    Probe { cause: Cause::TcpFinRst, flags: "FR", sequence: 1 },
    Probe { cause: Cause::TcpNoAck, flags: "U", sequence: 1 },
    Probe { cause: Cause::AckProbe, flags: "A", sequence: 0 },
    Probe { cause: Cause::MaimonProbe, flags: "FA", sequence: 0 },
    Probe { cause: Cause::FinProbe, flags: "F", sequence: 1 },
    Probe { cause: Cause::SynAckProbe, flags: "SA", sequence: 1 },
    Probe { cause: Cause::ClosedPort, flags: "S", sequence: 1 },
];

#[test]
fn every_probe_is_counted_once_with_its_bytes_under_its_own_cause() -> Result<()> {
    let lab = Lab::new()?;
    let _listener = lab.guarded.within(|| TcpListener::bind((GUARDED_V4, OPEN)))?;
    let guard = Guard::attached_with(&lab.guarded, "--preset off --closed-ports ingress")?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let before = guard.counts()?;

    let mut expected = BTreeMap::new();
    let mut send = |cause, frame: Vec<u8>| {
        let (packets, bytes) = expected.get(&cause).copied().unwrap_or_default();
        expected.insert(cause, (packets + 1, bytes + frame.len() as u64));
        injector.send(&frame)
    };
    for (number, probe) in (1..).zip(&PROBES) {
        for _ in 0..number {
            for ip in families() {
                let tcp = ip.tcp(40_000, 9).flags(probe.flags).seq(probe.sequence);
                send(probe.cause, tcp.payload(&vec![0; number]).build())?;
            }
        }
    }
    for (cause, frame) in forged() {
        send(cause, frame)?;
    }
    let stray = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).tcp(40_000, 9).flags("A").seq(1).build();
    for _ in 0..BURST {
        injector.send(&stray)?;
    }
    send(Cause::StrayFlood, stray)?;

    settle(&guard, &injector)?;
    let after = guard.counts()?;
    ensure!(
        after.drops_since(&before) == expected,
        "sent {expected:?}, counted {:?}",
        after.drops_since(&before)
    );
    ensure!(
        after.packets(Cause::Stray) == BURST,
        "{} strays passed, not {BURST}",
        after.packets(Cause::Stray)
    );
    // What is dropped because of a policy, or of what its source did before, has tests of its own.
    let is_of_packets_alone = |cause: Cause| {
        !matches!(cause, Cause::DecoyPort | Cause::Banned | Cause::BannedNetwork | Cause::Denied)
            && !cause.name().ends_with("-silenced")
    };
    let is_of_the_first_door =
        |cause: &&Cause| cause.action() == Action::Drop && is_of_packets_alone(**cause);
    let drops = Cause::ALL.iter().filter(is_of_the_first_door).count();
    ensure!(expected.len() == drops, "{} causes of {drops} were tried", expected.len());
    Ok(())
}

/// A port where a program listens.
const OPEN: u16 = 80;

/// The options of nmap's SYN: MSS 1460 alone.
const NMAPS: [u8; 4] = [2, 4, 0x05, 0xb4];

/// A frame for each cause that is not a matter of flags and sequence numbers.
fn forged() -> [(Cause, Vec<u8>); 9] {
    let ip = || Frame::ipv4(OUTSIDE_V4, GUARDED_V4);
    let from = |source| Frame::ipv4(source, GUARDED_V4).tcp(40_000, 9).flags("S").build();
    [
        (Cause::TcpReserved, ip().tcp(40_000, 9).flags("S").reserved(4).build()),
        (Cause::TinyFragment, ip().fragment(0, true).build(6, &[0; 8])),
        (Cause::OverlappingFragment, ip().fragment(1, true).build(6, &[0; 24])),
        (Cause::IpOptions, ip().options(&[1; 4]).tcp(40_000, 9).flags("S").build()),
        (Cause::Land, from(GUARDED_V4)),
        (Cause::BadSource, from(Ipv4Addr::LOCALHOST)),
        (Cause::PortZero, ip().tcp(40_000, 0).flags("S").build()),
        (Cause::IcmpProbe, ip().icmp(13, 0).build()),
        (Cause::ToolSignature, ip().tcp(40_001, OPEN).flags("S").window(1024).options(&NMAPS).build()),
    ]
}

#[test]
fn interfaces_are_counted_apart() -> Result<()> {
    let lab = Lab::new()?;
    lab.guarded.ip("link add eth1 type veth peer name peer1")?;
    lab.guarded.ip("link set eth1 up")?;
    lab.guarded.ip("link set peer1 up")?;
    let guard = Guard::on(&lab.guarded);
    guard.run(&format!("attach {INTERFACE} eth1"))?;

    let frame = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).tcp(40_000, 9).flags("").build();
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    for _ in 0..7 {
        injector.send(&frame)?;
    }
    settle(&guard, &injector)?;
    let count_of = |interface: &str| guard.run(&format!("stats {interface} --cause tcp-null --json"));
    let packets = |text: String| text.lines().next().is_some_and(|line| line.contains(r#""packets":7,"#));
    ensure!(packets(count_of(INTERFACE)?), "{}", count_of(INTERFACE)?);
    ensure!(!packets(count_of("eth1")?), "{}", count_of("eth1")?);
    Ok(())
}

fn families() -> [Ip; 2] {
    [Frame::ipv4(OUTSIDE_V4, GUARDED_V4), Frame::ipv6(OUTSIDE_V6, GUARDED_V6)]
}

/// Waits until everything that was sent has been counted: a frame that was sent after it has. Nothing answers it.
fn settle(guard: &Guard<'_>, injector: &Injector) -> Result<()> {
    const LOCAL_EXPERIMENTAL: u16 = 0x88b5; // IEEE 802 §9.2.3
    let frames = guard.counts()?.packets(Cause::NotIp);
    injector.send(&Frame::ethernet(LOCAL_EXPERIMENTAL).build(&[0; 46]))?;
    let deadline = Instant::now() + LIMIT;
    while guard.counts()?.packets(Cause::NotIp) == frames {
        ensure!(Instant::now() < deadline, "a frame has not arrived within {LIMIT:?}");
    }
    Ok(())
}
