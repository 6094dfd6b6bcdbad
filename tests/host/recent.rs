//! What is decided of a frame by its name alone is what parsing it would have said.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use scanguard_common::cause::{Action, Cause};
use scanguard_common::classify::{Class, Part, classify};
use scanguard_common::parse::parse;
use scanguard_common::parse::transport::Port;
use scanguard_common::policy::{ClosedPorts, Preset};
use scanguard_common::recent::{
    Door, Glance, Look, Moment, Name, Recent, Sort, glance, is_kept, is_kept_of_a_crowd,
};
use scanguard_common::schema::{InterfaceSlot, RECENT_PLACES, Rules};
use scanguard_harness::{
    Extension, Frame, GUARDED_V4, GUARDED_V6, Hostile, Ip, Link, OUTSIDE_V4, OUTSIDE_V6, Random, Traffic,
    World,
};

const SEED: u64 = 0x5eed_0009;
const FRAMES: usize = 300_000;
const PORTS: [u16; 4] = [22, 80, 443, 8080];

/// What is seen of a frame that comes in on the first interface.
fn seen(frame: &[u8]) -> Option<Glance> {
    glance(frame, Door::Incoming, InterfaceSlot::new(0)?, &Look)
}

/// The name of a frame that comes in, and its sort.
fn name(frame: &[u8]) -> Option<(Name, Sort)> {
    name_at(frame, 0, Door::Incoming)
}

fn name_at(frame: &[u8], slot: u32, door: Door) -> Option<(Name, Sort)> {
    let slot = InterfaceSlot::new(slot).expect("a slot that exists");
    let glance = glance(frame, door, slot, &Look)?;
    assert!(glance.place(SEED) < RECENT_PLACES);
    Some((*glance.name(), glance.sort().expect("whatever was seen at a glance has a sort")))
}

#[test]
fn frames_of_one_name_are_decided_alike() {
    println!("seed {SEED:#x}");
    let end = |address: IpAddr, port| (address, port);
    let world = World::with_addresses([IpAddr::from(GUARDED_V4), GUARDED_V6.into()])
        .with_closed_ports(ClosedPorts::Ingress)
        .listening(80)
        .listening(22)
        .connected(end(OUTSIDE_V4.into(), 8080), end(GUARDED_V4.into(), 22))
        .connected(end(OUTSIDE_V6.into(), 443), end(GUARDED_V6.into(), 80));
    let mut traffic = Traffic::seeded(SEED, PORTS);
    let mut hostile = Hostile::seeded(SEED);
    let mut random = Random::seeded(SEED);
    let mut decided: HashMap<Name, (Cause, Vec<u8>)> = HashMap::new();
    let (mut named, mut again, mut kept, mut greetings, mut knocks) = (0, 0, 0, 0, 0);
    for number in 0..FRAMES {
        let frame = match number % 5 {
            0 => greeting(&mut random),
            1 | 2 => traffic.frame(),
            _ => hostile.frame(),
        };
        let Some((name, sort)) = name(&frame) else { continue };
        named += 1;
        let cause = world.judge(&frame);
        assert_class(&frame, sort);
        // Strays are let through in turn: that is why such a cause is not kept.
        if !is_kept(cause) && !is_kept_of_a_crowd(cause) {
            continue;
        }
        // Who listens, or does not, is kept under a name without a source.
        let name = if Sort::Greeting.keeps(cause) {
            let greeting = seen(&frame).and_then(|glance| glance.greeting()).expect("possible addresses");
            match cause.action() {
                Action::Pass => greetings += 1,
                Action::Drop => knocks += 1,
            }
            *greeting.name()
        } else {
            // That a SYN or an RST belongs to a connection is found out anew each time.
            if matches!(sort, Sort::Opening | Sort::Other) && cause == Cause::InConnection {
                continue;
            }
            assert!(sort.keeps(cause), "{sort:?} is to keep {}: {frame:02x?}", cause.name());
            name
        };
        kept += 1;
        let (before, first) = decided.entry(name).or_insert_with(|| (cause, frame.clone()));
        again += usize::from(*first != frame);
        assert_eq!(*before, cause, "one name:\n{first:02x?}\n{frame:02x?}");
    }
    println!(
        "{named} named, {kept} kept, {again} of a name that was kept before, {greetings} greetings, {knocks} at closed ports"
    );
    assert!(named > FRAMES / 10 && again > 1_000, "{named} and {again} prove little");
    assert!(greetings > 1_000 && knocks > 1_000, "{greetings} and {knocks} prove little");
}

/// A SYN as a stack writes it, from one of many sources, possible or not, to one of few ports.
fn greeting(random: &mut Random) -> Vec<u8> {
    let port = *random.pick(&PORTS);
    let ip = if random.once_in(2) {
        let [a, b] = random.short().to_be_bytes();
        Frame::ipv4(Ipv4Addr::new(a, 77, 0, b), GUARDED_V4)
    } else {
        Frame::ipv6(Ipv6Addr::new(random.short(), 0, 0, random.short(), 0, 0, 0, 1), GUARDED_V6)
    };
    ip.tcp(random.short(), port).flags("S").linux_options().build()
}

/// What has a name is understood, and its sort is its class.
fn assert_class(frame: &[u8], sort: Sort) {
    let packet = parse(frame).unwrap_or_else(|cause| panic!("named, but {}: {frame:02x?}", cause.name()));
    let fits = match classify(&packet) {
        Class::NeedsConnection(Part::Carries | Part::Ends) => sort == Sort::Data,
        Class::Datagram => sort == Sort::Datagram,
        Class::Opens => sort == Sort::Opening,
        Class::NeedsConnection(Part::Accepts | Part::Cancels | Part::Resets) => sort == Sort::Other,
        // Addresses and ports can be impossible whatever the flags are.
        Class::Impossible(_) => true,
        Class::Pings | Class::Associates | Class::NotJudged(_) => false,
    };
    assert!(fits, "{sort:?}: {frame:02x?}");
}

fn v4() -> Ip {
    Frame::ipv4(OUTSIDE_V4, GUARDED_V4)
}

fn v6() -> Ip {
    Frame::ipv6(OUTSIDE_V6, GUARDED_V6)
}

#[test]
fn whatever_a_decision_depends_on_is_in_the_name() {
    let other_v4 = Ipv4Addr::new(10, 77, 0, 9);
    let other_v6 = |last| Ipv6Addr::new(0xfd77, 0, 0, last, 0, 0, 0, 9);
    let data = |ip: Ip, ports: (u16, u16)| ip.tcp(ports.0, ports.1).flags("A").build();
    let xmas = |ip: Ip, port| ip.tcp(40_000, port).flags("FPU").build();
    let udp = |ip: Ip, ports: (u16, u16)| ip.udp(ports.0, ports.1).build();
    let elsewhere = || Link::default().to_mac([2, 0x77, 0, 0, 0, 9]);
    let mut frames = vec![v4().tcp(40_000, 80).flags("").build(), v4().tcp(40_000, 80).flags("FU").build()];
    frames.extend([
        data(v4(), (1, 80)),
        data(v4(), (2, 80)),
        data(v4(), (1, 81)),
        data(v4().vlan(7), (1, 80)),
    ]);
    frames.extend([udp(v4(), (1, 80)), udp(v4(), (2, 80)), udp(v4(), (1, 81)), udp(v4().vlan(7), (1, 80))]);
    frames.extend([xmas(v4(), 80), xmas(v4(), 81), xmas(v4().vlan(7), 80)]);
    frames.extend([
        data(v6(), (1, 80)),
        udp(v6(), (1, 80)),
        xmas(v6(), 80),
        xmas(v6(), 81),
        xmas(v6().vlan(7), 80),
    ]);
    for ip in [
        Frame::ipv4(other_v4, GUARDED_V4),
        Frame::ipv4(OUTSIDE_V4, other_v4),
        Frame::ipv6(other_v6(0), GUARDED_V6),
        Frame::ipv6(other_v6(1), GUARDED_V6),
        Frame::ipv6(OUTSIDE_V6, other_v6(0)),
        Frame::ipv6(OUTSIDE_V6, other_v6(1)),
        v4().link(elsewhere()),
        v6().link(elsewhere()),
    ] {
        frames.push(xmas(ip, 80));
    }
    let mut names: HashMap<Name, &Vec<u8>> = HashMap::new();
    for frame in &frames {
        let (name, _) = name(frame).unwrap_or_else(|| panic!("no name: {frame:02x?}"));
        if let Some(other) = names.insert(name, frame) {
            panic!("one name:\n{other:02x?}\n{frame:02x?}");
        }
    }
    let frame = xmas(v4(), 80);
    let (here, _) = name_at(&frame, 0, Door::Incoming).expect("a name");
    for (slot, door) in [(1, Door::Incoming), (0, Door::Outgoing)] {
        assert_ne!(name_at(&frame, slot, door).expect("a name").0, here);
    }
}

#[test]
fn what_changes_from_packet_to_packet_of_a_flow_is_not_in_the_name() {
    let plain = name(&v4().tcp(1, 80).flags("A").build());
    for same in [
        v4().tcp(1, 80).flags("PA").seq(9).ack(9).window(9).payload(b"more").build(),
        v4().ttl(9).identification(9).traffic_class(3).tcp(1, 80).flags("AEC").build(),
        v4().tcp(1, 80).flags("FA").seq(9).build(),
        v4().tcp(1, 80).flags("A").options(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1]).build(),
    ] {
        assert_eq!(name(&same), plain, "{same:02x?}");
    }
    let probe = name(&v4().tcp(1, 80).flags("FPU").build());
    assert_eq!(name(&v4().tcp(2, 80).flags("FPU").seq(9).build()), probe);
}

#[test]
fn whatever_needs_a_closer_look_has_no_name() {
    let nothing = Vec::new();
    let udp = |ip: Ip| ip.udp(1, 80).build();
    for frame in [
        nothing,
        v4().tcp(0, 80).flags("S").build(),
        v4().tcp(0, 80).flags("FPU").build(),
        v4().tcp(1, 80).flags("A").data_offset(4).build(),
        v4().tcp(1, 80).flags("A").data_offset(6).build(),
        v4().icmp(8, 0).build(),
        udp(v4().options(&[1, 1, 1, 1])),
        udp(v4().fragment(0, true)),
        udp(v4().fragment(3, false)),
        udp(v4().version(6)),
        udp(v4().length(27)),
        udp(v4().length(200)),
        udp(v4().vlan(7).vlan(8)),
        udp(v6().extension(Extension::destination())),
        udp(v6().version(4)),
        udp(v6().length(7)),
        udp(v6().length(200)),
    ] {
        assert_eq!(name(&frame), None, "{frame:02x?}");
    }
}

#[test]
fn of_what_accepts_cancels_or_resets_nothing_is_kept() {
    for flags in ["SA", "F", "R", "RA"] {
        let frame = v4().tcp(1, 80).flags(flags).build();
        let (_, sort) = name(&frame).expect("a name");
        let packet = parse(frame.as_slice()).expect("a packet");
        assert_eq!(sort, Sort::Other, "{flags}");
        let kept = Cause::ALL.iter().filter(|cause| sort.keeps(**cause));
        for cause in kept {
            assert_ne!(classify(&packet), Class::Impossible(*cause), "{flags}");
            assert_eq!(cause.action(), Action::Drop, "{}", cause.name());
        }
    }
}

#[test]
fn what_was_decided_is_recalled_of_the_same_name_in_the_same_moment() {
    let rules = Rules::new(Preset::Off.judgement(), SEED);
    let (now, later) = (Moment::new(6, rules.edition()), Moment::new(8, rules.edition()));
    let renewed = Moment::new(6, rules.renewed().edition());
    let [frame, other] = [80, 81].map(|port| v4().tcp(1, port).flags("FPU").build());
    let name = |frame: &[u8]| name(frame).expect("a name").0;
    let mut recent = Recent::new(name(&frame), now, Cause::TcpXmas);
    let cause = |recent: &Recent, frame: &[u8], now| {
        recent.is_of(&name(frame), now).then(|| recent.cause()).flatten()
    };
    assert_eq!(cause(&recent, &frame, now), Some(Cause::TcpXmas));
    assert_eq!(cause(&recent, &other, now), None);
    assert_eq!(cause(&recent, &frame, later), None);
    assert_eq!(cause(&recent, &frame, renewed), None);
    assert_eq!(cause(&Recent::default(), &frame, now), None);

    assert_eq!(recent.folded(), None);
    recent.again();
    recent.again();
    let packet = parse(frame.as_slice()).expect("a packet");
    assert_eq!(recent.folded(), Some((packet.source, packet.destination, Cause::TcpXmas, 2)));
    let v6 = v6().tcp(1, 80).flags("FPU").build();
    let mut recent = Recent::new(name(&v6), now, Cause::TcpXmas);
    recent.again();
    let packet = parse(v6.as_slice()).expect("a packet");
    assert_eq!(recent.folded(), Some((packet.source, packet.destination, Cause::TcpXmas, 1)));
}

#[test]
fn a_greeting_is_the_same_from_whomever_and_nothing_else_is() {
    let syn =
        |ip: &Ip, ports: (u16, u16)| ip.clone().tcp(ports.0, ports.1).flags("S").linux_options().build();
    let greeting = |frame: &[u8]| Some(*seen(frame)?.greeting()?.name());
    for (ip, other) in [
        (v4(), Frame::ipv4(Ipv4Addr::new(198, 18, 0, 1), GUARDED_V4)),
        (v6(), Frame::ipv6(Ipv6Addr::new(0xfd77, 9, 0, 0, 0, 0, 0, 1), GUARDED_V6)),
    ] {
        let one = greeting(&syn(&ip, (1, 80)));
        assert!(one.is_some());
        assert_eq!(greeting(&syn(&other, (2, 80))), one);
        assert_ne!(greeting(&syn(&other, (2, 81))), one);
        assert_eq!(seen(&syn(&other, (2, 81))).map(|glance| glance.port()), Some(Port(81)));
        assert_ne!(greeting(&syn(&other.clone().vlan(7), (2, 80))), one);
        assert_ne!(name(&syn(&ip, (1, 80))).map(|(name, _)| name), one, "who is banned is another question");
    }
    let elsewhere = Frame::ipv4(OUTSIDE_V4, Ipv4Addr::new(10, 77, 0, 9));
    assert_ne!(greeting(&syn(&elsewhere, (1, 80))), greeting(&syn(&v4(), (1, 80))));
}

#[test]
fn nobody_greets_who_is_impossible() {
    for source in [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1], [255, 255, 255, 255], GUARDED_V4.octets()] {
        let frame = Frame::ipv4(source.into(), GUARDED_V4).tcp(1, 80).flags("S").linux_options().build();
        let seen = seen(&frame).expect("a name");
        assert_eq!(seen.greeting(), None, "{source:?}");
    }
}
