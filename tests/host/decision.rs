//! What is decided, case by case, on a host written down as plain lists.

use std::net::IpAddr;

use scanguard_common::cause::{Action, Cause};
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::policy::{ClosedPorts, PortRule};
use scanguard_common::stray::{BURST, REFILL};
use scanguard_common::time::Nanos;
use scanguard_harness::{Frame, GUARDED_V4, GUARDED_V6, Link, OUTSIDE_V4, OUTSIDE_V6, World};

const OPEN: u16 = 80;
const CLOSED: u16 = 81;
const UNKNOWN: u16 = 82;
const BOUND: u16 = 53;
const CONNECTED: u16 = 22;
const REMOTE: u16 = 50_000;

const FAMILIES: [(IpAddr, IpAddr); 2] =
    [(IpAddr::V4(OUTSIDE_V4), IpAddr::V4(GUARDED_V4)), (IpAddr::V6(OUTSIDE_V6), IpAddr::V6(GUARDED_V6))];

fn host() -> World {
    FAMILIES.iter().fold(
        World::with_addresses(FAMILIES.map(|(_, guarded)| guarded))
            .listening(OPEN)
            .listening(CONNECTED)
            .bound(BOUND)
            .having_refused(CLOSED),
        |world, (outside, guarded)| world.connected((*outside, REMOTE), (*guarded, CONNECTED)),
    )
}

/// What becomes of a segment with these flags and sequence number, for each family. Between other ports it is another
/// number, but for 0: whoever used one number for all would bear the mark of a tool.
fn judge(world: &World, from: u16, to: u16, flags: &str, sequence: u32) -> [Cause; 2] {
    let sequence = sequence.wrapping_mul(u32::from(from) << 16 | u32::from(to));
    FAMILIES.map(|(outside, guarded)| {
        world.judge(&Frame::between(outside, guarded).tcp(from, to).flags(flags).seq(sequence).build())
    })
}

#[test]
fn impossible_flags_are_dropped_whatever_the_port_and_the_connection() {
    for (flags, cause) in [
        ("", Cause::TcpNull),
        ("FPU", Cause::TcpXmas),
        ("FSRPAU", Cause::TcpFullXmas),
        ("FS", Cause::TcpSynFin),
        ("SR", Cause::TcpSynRst),
        ("FR", Cause::TcpFinRst),
        ("U", Cause::TcpNoAck),
        ("P", Cause::TcpNoAck),
    ] {
        assert_eq!(judge(&host(), 1234, OPEN, flags, 7), [cause; 2], "{flags} to an open port");
        assert_eq!(judge(&host(), 1234, CLOSED, flags, 7), [cause; 2], "{flags} to a closed port");
        assert_eq!(judge(&host(), REMOTE, CONNECTED, flags, 7), [cause; 2], "{flags} in a connection");
    }
}

#[test]
fn a_syn_passes_to_an_open_port_only() {
    for flags in ["S", "SP", "SU", "SEC", "SEC", "SPU"] {
        assert_eq!(judge(&host(), 1234, OPEN, flags, 7), [Cause::NewConnection; 2], "{flags}");
        assert_eq!(judge(&host(), 1234, CLOSED, flags, 7), [Cause::ClosedPort; 2], "{flags}");
    }
}

#[test]
fn whatever_belongs_to_a_connection_passes() {
    for flags in ["A", "PA", "FA", "FPA", "PAU", "R", "RA", "SA", "S", "F"] {
        for sequence in [0, 7] {
            let causes = judge(&host(), REMOTE, CONNECTED, flags, sequence);
            assert_eq!(causes, [Cause::InConnection; 2], "{flags} {sequence}");
        }
    }
}

#[test]
fn probes_that_claim_a_connection_are_dropped_alike_at_open_and_closed_ports() {
    for port in [OPEN, CLOSED] {
        assert_eq!(judge(&host(), 1234, port, "A", 0), [Cause::AckProbe; 2]);
        assert_eq!(judge(&host(), 1234, port, "FA", 0), [Cause::MaimonProbe; 2]);
        assert_eq!(judge(&host(), 1234, port, "F", 7), [Cause::FinProbe; 2]);
        assert_eq!(judge(&host(), 1234, port, "SA", 7), [Cause::SynAckProbe; 2]);
    }
}

#[test]
fn a_reset_of_no_connection_passes_because_nobody_answers_it() {
    for flags in ["R", "RA", "RP"] {
        assert_eq!(judge(&host(), 1234, CLOSED, flags, 0), [Cause::StrayReset; 2]);
    }
}

#[test]
fn a_source_may_send_a_burst_of_strays_and_then_one_each_second() {
    let world = host();
    world.set_now(Nanos(REFILL));
    for port in 0..BURST {
        let port = 1000 + u16::try_from(port).expect("a burst is short");
        assert_eq!(judge(&world, 1234, port, "PA", 7), [Cause::Stray; 2]);
    }
    assert_eq!(judge(&world, 1234, CLOSED, "A", 7), [Cause::StrayFlood; 2]);
    assert_eq!(judge(&world, 1234, CLOSED, "FA", 7), [Cause::StrayFlood; 2]);
    world.set_now(Nanos(2 * REFILL));
    assert_eq!(judge(&world, 1234, CLOSED, "A", 7), [Cause::Stray; 2]);
    assert_eq!(judge(&world, 1234, CLOSED, "A", 7), [Cause::StrayFlood; 2]);
}

#[test]
fn all_addresses_of_an_ipv6_network_share_one_budget_and_ipv4_addresses_do_not() {
    let from = |source: &str| {
        let source: IpAddr = source.parse().expect("an address");
        let own = if source.is_ipv4() { IpAddr::V4(GUARDED_V4) } else { IpAddr::V6(GUARDED_V6) };
        Frame::between(source, own).tcp(1234, CLOSED).flags("A").seq(7).build()
    };
    let world = host();
    for number in 0..BURST {
        assert_eq!(world.judge(&from(&format!("2001:db8::{number}"))), Cause::Stray);
        assert_eq!(world.judge(&from(&format!("192.0.2.{number}"))), Cause::Stray);
    }
    assert_eq!(world.judge(&from("2001:db8::ffff")), Cause::StrayFlood);
    assert_eq!(world.judge(&from("2001:db8:0:1::ffff")), Cause::Stray);
    assert_eq!(world.judge(&from("192.0.2.200")), Cause::Stray);
}

#[test]
fn an_ack_completes_a_handshake_by_cookie_at_a_listener_only() {
    let world = host().awaiting_cookies();
    assert_eq!(judge(&world, 1234, OPEN, "A", 7), [Cause::SynCookie; 2]);
    assert_eq!(judge(&world, 1234, CLOSED, "A", 7), [Cause::Stray; 2]);
    assert_eq!(judge(&world, 1234, OPEN, "SA", 7), [Cause::SynAckProbe; 2]);
}

#[test]
fn an_allowed_source_is_never_dropped() {
    let world = FAMILIES.iter().fold(host(), |world, (outside, _)| world.allowing(*outside));
    for flags in ["", "FPU", "F", "A", "FA", "S", "SA", "SR"] {
        assert_eq!(judge(&world, 1234, CLOSED, flags, 0), [Cause::Allowed; 2], "{flags}");
    }
    assert_eq!(judge(&world, 1234, OPEN, "S", 0), [Cause::NewConnection; 2]);
}

#[test]
fn what_is_not_for_this_host_alone_is_not_judged() {
    let probe = |link: Link, to: IpAddr| {
        let from = if to.is_ipv4() { IpAddr::V4(OUTSIDE_V4) } else { IpAddr::V6(OUTSIDE_V6) };
        Frame::between(from, to).link(link).tcp(1234, CLOSED).flags("FPU").build()
    };
    let other = Link::default().to_mac([2, 0, 0, 0, 0, 9]);
    let broadcast = Link::default().to_mac([0xff; 6]);
    for (_, guarded) in FAMILIES {
        assert_eq!(host().judge(&probe(other.clone(), guarded)), Cause::OtherStation);
        assert_eq!(host().judge(&probe(broadcast.clone(), guarded)), Cause::NotUnicast);
    }
    for group in ["224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1"] {
        let group = group.parse().expect("an address");
        assert_eq!(host().judge(&probe(Link::default(), group)), Cause::NotUnicast, "{group}");
    }
    for elsewhere in ["198.51.100.1", "2001:db8::1"] {
        let elsewhere = elsewhere.parse().expect("an address");
        assert_eq!(host().forwarding().judge(&probe(Link::default(), elsewhere)), Cause::Forwarded);
        assert_eq!(host().judge(&probe(Link::default(), elsewhere)), Cause::TcpXmas);
    }
}

#[test]
fn whatever_comes_in_a_flow_where_this_side_spoke_is_late_and_no_probe() {
    let world = FAMILIES.iter().fold(host(), |world, (outside, guarded)| {
        world.having_spoken((*outside, REMOTE), (*guarded, CLOSED))
    });
    for (flags, sequence) in [("A", 0), ("PA", 7), ("FA", 0), ("F", 7), ("SA", 7)] {
        assert_eq!(judge(&world, REMOTE, CLOSED, flags, sequence), [Cause::InFlow; 2], "{flags}");
    }
    assert_eq!(judge(&world, REMOTE, CLOSED, "FPU", 7), [Cause::TcpXmas; 2]);
    assert_eq!(judge(&world, REMOTE + 1, CLOSED, "A", 0), [Cause::AckProbe; 2]);
}

#[test]
fn a_syn_to_a_port_that_listened_lately_passes() {
    let world = host().having_listened(CLOSED);
    assert_eq!(judge(&world, 1234, CLOSED, "S", 7), [Cause::RecentPort; 2]);
    assert_eq!(judge(&world, 1234, CLOSED, "F", 7), [Cause::FinProbe; 2]);
    assert_eq!(judge(&world, 1234, CLOSED + 1, "S", 7), [Cause::UnprovenPort; 2]);
}

#[test]
fn where_a_port_is_closed_is_decided_where_the_operator_says() {
    for (choice, refused, unknown) in [
        (ClosedPorts::Auto, Cause::ClosedPort, Cause::UnprovenPort),
        (ClosedPorts::Ingress, Cause::ClosedPort, Cause::ClosedPort),
        (ClosedPorts::Egress, Cause::UnprovenPort, Cause::UnprovenPort),
        (ClosedPorts::Pass, Cause::UnprovenPort, Cause::UnprovenPort),
    ] {
        for world in [host(), host().forwarding()] {
            let world = world.with_closed_ports(choice);
            assert_eq!(judge(&world, 1234, CLOSED, "S", 7), [refused; 2], "{}", choice.name());
            assert_eq!(judge(&world, 1234, UNKNOWN, "S", 7), [unknown; 2], "{}", choice.name());
            assert_eq!(judge(&world, 1234, OPEN, "S", 7), [Cause::NewConnection; 2]);
        }
    }
}

#[test]
fn connections_of_guests_that_are_older_than_the_attach_are_given_time() {
    let learning = host().forwarding().learning();
    for (flags, sequence, later) in [
        ("SA", 7, Cause::SynAckProbe),
        ("A", 7, Cause::Stray),
        ("FA", 7, Cause::Stray),
        ("F", 7, Cause::FinProbe),
    ] {
        assert_eq!(judge(&learning, 1234, CLOSED, flags, sequence), [Cause::MaybeTranslated; 2], "{flags}");
        let learned = host().forwarding();
        assert_eq!(judge(&learned, 1234, CLOSED, flags, sequence), [later; 2], "{flags}");
        let alone = host().learning();
        assert_eq!(judge(&alone, 1234, CLOSED, flags, sequence), [later; 2], "{flags}, without guests");
    }
    assert_eq!(judge(&learning, 1234, CLOSED, "A", 0), [Cause::AckProbe; 2]);
    assert_eq!(judge(&learning, 1234, CLOSED, "FA", 0), [Cause::MaimonProbe; 2]);
    assert_eq!(judge(&learning, 1234, CLOSED, "", 7), [Cause::TcpNull; 2]);
    assert_eq!(judge(&learning, 1234, CLOSED, "FPU", 7), [Cause::TcpXmas; 2]);
    assert_eq!(judge(&learning, REMOTE, CONNECTED, "A", 0), [Cause::InConnection; 2]);
}

#[test]
fn a_gateway_judges_what_it_forwards_by_flows() {
    let beyond = |world: &World, from: u16, flags: &str| {
        [("10.77.0.2", "198.51.100.1"), ("fd77::2", "2001:db8::1")].map(|(source, destination)| {
            let [source, destination] = [source, destination].map(|text| text.parse().expect("an address"));
            let frame = Frame::between(source, destination).tcp(from, CLOSED).flags(flags).seq(7);
            world.judge(&frame.build())
        })
    };
    let gateway = ["198.51.100.1", "2001:db8::1"].into_iter().zip(FAMILIES).fold(
        host().forwarding().as_gateway(),
        |world, (guest, (outside, _))| {
            world.having_spoken((outside, REMOTE), (guest.parse().expect("an address"), CLOSED))
        },
    );
    assert_eq!(beyond(&gateway, REMOTE, "A"), [Cause::InFlow; 2]);
    assert_eq!(beyond(&gateway, REMOTE, "SA"), [Cause::InFlow; 2]);
    assert_eq!(beyond(&gateway, 1234, "SA"), [Cause::SynAckProbe; 2]);
    assert_eq!(beyond(&gateway, 1234, "F"), [Cause::FinProbe; 2]);
    assert_eq!(beyond(&gateway, 1234, "FPU"), [Cause::TcpXmas; 2]);
    assert_eq!(beyond(&gateway, 1234, "S"), [Cause::ClosedPort; 2], "it was refused a moment ago");
    assert_eq!(beyond(&host().forwarding().as_gateway().learning(), 1234, "SA"), [Cause::MaybeTranslated; 2]);
    for flags in ["A", "SA", "F", "FPU", "S"] {
        assert_eq!(
            beyond(&host().forwarding(), 1234, flags),
            [Cause::Forwarded; 2],
            "{flags}, not a gateway"
        );
    }
}

#[test]
fn a_ban_refuses_new_contacts_and_nothing_else() {
    let banning = |world: World| FAMILIES.iter().fold(world, |world, (outside, _)| world.banning(*outside));
    let world = banning(host());
    let datagram = |world: &World, port| {
        FAMILIES
            .map(|(outside, guarded)| world.judge(&Frame::between(outside, guarded).udp(1234, port).build()))
    };
    for port in [OPEN, CLOSED, UNKNOWN] {
        assert_eq!(judge(&world, 1234, port, "S", 7), [Cause::Banned; 2], "port {port}");
    }
    for port in [BOUND, UNKNOWN] {
        assert_eq!(datagram(&world, port), [Cause::Banned; 2], "port {port}");
    }
    let ping = |world: &World| world.judge(&Frame::ipv4(OUTSIDE_V4, GUARDED_V4).icmp(8, 0).build());
    assert_eq!(ping(&world), Cause::Banned);
    for flags in ["A", "PA", "FA", "R"] {
        assert_eq!(judge(&world, REMOTE, CONNECTED, flags, 7), [Cause::InConnection; 2], "{flags}");
    }
    let begun_here = banning(FAMILIES.iter().fold(host(), |world, (outside, guarded)| {
        world
            .having_spoken((*outside, 1234), (*guarded, UNKNOWN))
            .having_spoken((*outside, 1234), (*guarded, BOUND))
    }));
    assert_eq!(datagram(&begun_here, UNKNOWN), [Cause::InFlow; 2]);
    assert_eq!(datagram(&begun_here, BOUND), [Cause::InFlow; 2]);
    assert_eq!(judge(&begun_here, 1234, UNKNOWN, "SA", 7), [Cause::InFlow; 2]);

    let published = PortRule::default().with_public(IpProtocol::TCP);
    let world = banning(host()).with_port_rule(OPEN, published).with_port_rule(BOUND, published);
    assert_eq!(judge(&world, 1234, OPEN, "S", 7), [Cause::NewConnection; 2]);
    assert_eq!(datagram(&world, BOUND), [Cause::Banned; 2], "it is published over TCP only");
    let allowed = FAMILIES.iter().fold(banning(host()), |world, (outside, _)| world.allowing(*outside));
    assert_eq!(judge(&allowed, 1234, OPEN, "S", 7), [Cause::Allowed; 2]);
}

#[test]
fn a_decoy_is_touched_by_whoever_knocks_where_nothing_is() {
    let decoy = PortRule::default().with_decoy(IpProtocol::TCP).with_decoy(IpProtocol::UDP);
    let world = host().with_port_rule(UNKNOWN, decoy).with_port_rule(OPEN, decoy);
    assert_eq!(judge(&world, 1234, UNKNOWN, "S", 7), [Cause::DecoyPort; 2]);
    assert_eq!(judge(&world, 1234, OPEN, "S", 7), [Cause::NewConnection; 2], "a program listens there");
    for (outside, guarded) in FAMILIES {
        assert_eq!(world.judge(&Frame::between(outside, guarded).udp(1, UNKNOWN).build()), Cause::DecoyPort);
    }
}

#[test]
fn pings_are_answered_unless_the_operator_says_no() {
    let v4 = |kind, code| Frame::ipv4(OUTSIDE_V4, GUARDED_V4).icmp(kind, code).build();
    let v6 = |kind, code| Frame::ipv6(OUTSIDE_V6, GUARDED_V6).icmpv6(kind, code).build();
    for (frame, silent) in [
        (v4(8, 0), Cause::PingSilenced),
        (v6(128, 0), Cause::PingSilenced),
        (v4(0, 0), Cause::Icmp),
        (v6(129, 0), Cause::Icmp),
        (v6(135, 0), Cause::Icmp),
        (v4(3, 4), Cause::Icmp),
    ] {
        assert_eq!(host().judge(&frame), Cause::Icmp);
        assert_eq!(host().silent_to_pings().judge(&frame), silent);
    }
}

#[test]
fn datagrams_are_told_apart_by_who_is_bound() {
    for (outside, guarded) in FAMILIES {
        let to = |port| host().judge(&Frame::between(outside, guarded).udp(1234, port).build());
        assert_eq!(to(BOUND), Cause::Udp);
        assert_eq!(to(UNKNOWN), Cause::UnprovenPort);
        for port in [67, 68, 546, 547] {
            assert_eq!(to(port), Cause::Udp, "DHCP is heard below the socket table");
        }
    }
    let mdns = Frame::ipv4(OUTSIDE_V4, "224.0.0.251".parse().expect("an address")).udp(5353, 5353).build();
    assert_eq!(host().judge(&mdns), Cause::Udp);
}

#[test]
fn headers_that_no_stack_writes_are_dropped_whatever_they_carry() {
    let v4 = || Frame::ipv4(OUTSIDE_V4, GUARDED_V4);
    let options = [1; 4];
    for (frame, cause) in [
        (v4().options(&options).tcp(1234, OPEN).flags("S").build(), Cause::IpOptions),
        (v4().options(&options).udp(1234, 53).build(), Cause::IpOptions),
        (v4().options(&options).build(2, &[0; 8]), Cause::OtherProtocol), // IGMP has Router Alert
        (v4().tcp(0, OPEN).flags("S").build(), Cause::PortZero),
        (v4().tcp(1234, 0).flags("S").build(), Cause::PortZero),
        (v4().udp(1234, 0).build(), Cause::PortZero),
        (v4().udp(0, BOUND).build(), Cause::Udp), // nobody need answer (RFC 768)
        (v4().fragment(0, true).build(6, &[0; 8]), Cause::TinyFragment),
        (v4().fragment(1, true).build(6, &[0; 24]), Cause::OverlappingFragment),
    ] {
        assert_eq!(host().judge(&frame), cause, "{frame:02x?}");
        let allowing = host().allowing(IpAddr::V4(OUTSIDE_V4));
        let expected = if cause.action() == Action::Drop { Cause::Allowed } else { cause };
        assert_eq!(allowing.judge(&frame), expected, "{frame:02x?}");
    }
}

#[test]
fn sources_that_no_host_has_are_forged() {
    let from = |source: &str, to: IpAddr| {
        let frame = Frame::between(source.parse().expect("an address"), to).tcp(1234, OPEN).flags("S");
        host().judge(&frame.build())
    };
    for source in ["127.0.0.1", "127.255.255.254", "224.0.0.1", "239.255.255.255", "255.255.255.255"] {
        assert_eq!(from(source, IpAddr::V4(GUARDED_V4)), Cause::BadSource, "{source}");
    }
    for source in ["::1", "ff02::1", "::ffff:10.77.0.2"] {
        assert_eq!(from(source, IpAddr::V6(GUARDED_V6)), Cause::BadSource, "{source}");
    }
    for (_, guarded) in FAMILIES {
        assert_eq!(from(&guarded.to_string(), guarded), Cause::Land);
    }
    for source in ["126.255.255.255", "128.0.0.1", "223.255.255.255", "0.0.0.0"] {
        assert_eq!(from(source, IpAddr::V4(GUARDED_V4)), Cause::NewConnection, "{source}");
    }
    for source in ["::", "::2", "fe80::1"] {
        assert_eq!(from(source, IpAddr::V6(GUARDED_V6)), Cause::NewConnection, "{source}");
    }
}

#[test]
fn icmp_is_for_errors_and_pings_not_for_questions() {
    for kind in 0..=u8::MAX {
        for code in [0, 9] {
            let expected = match (kind, code) {
                (13 | 15 | 17, _) | (8, 9) => Cause::IcmpProbe,
                _ => Cause::Icmp,
            };
            let frame = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).icmp(kind, code).build();
            assert_eq!(host().judge(&frame), expected, "{kind} {code}");
            let expected_v6 = match (kind, code) {
                (139, _) | (128, 9) => Cause::IcmpProbe,
                _ => Cause::Icmp,
            };
            let frame = Frame::ipv6(OUTSIDE_V6, GUARDED_V6).icmpv6(kind, code).build();
            assert_eq!(host().judge(&frame), expected_v6, "{kind} {code}");
        }
    }
}

#[test]
fn other_protocols_pass() {
    for (outside, guarded) in FAMILIES {
        let ip = || Frame::between(outside, guarded);
        assert_eq!(host().judge(&ip().udp(1, BOUND).build()), Cause::Udp);
        assert_eq!(host().judge(&ip().sctp(1, 2).build()), Cause::Sctp);
        assert_eq!(host().judge(&ip().icmp(8, 0).build()), Cause::Icmp);
        assert_eq!(host().judge(&ip().icmpv6(128, 0).build()), Cause::Icmp);
        assert_eq!(host().judge(&ip().build(47, &[0; 8])), Cause::OtherProtocol);
    }
    assert_eq!(host().judge(&Frame::ethernet(0x0806).build(&[0; 28])), Cause::Arp);
    assert_eq!(host().judge(&Frame::ethernet(0x88cc).build(&[0; 28])), Cause::NotIp);
}
