//! Frames of our own with honest headers.

use super::Technique;
use crate::scoreboard::ground::ZOMBIE_V4;
use crate::{Frame, GUARDED_V4, GUARDED_V6, Ip, OUTSIDE_V4, OUTSIDE_V6};

/// Where questions come from.
pub(super) const FROM: u16 = 40_000;

/// What belongs to no connection, without a mark of any scanner.
pub(super) fn strays() -> Vec<Technique> {
    vec![
        Technique::crafted("SYN/ACK out of nowhere", |port| segment(v4(), port, "SA")),
        Technique::crafted("SYN/ACK out of nowhere, IPv6", |port| segment(v6(), port, "SA")),
        Technique::crafted("RST out of nowhere", |port| segment(v4(), port, "R")),
        Technique::crafted("RST/ACK out of nowhere", |port| segment(v4(), port, "RA")),
        Technique::crafted("RST out of nowhere, IPv6", |port| segment(v6(), port, "R")),
        Technique::crafted("a stray ACK", |port| segment(v4(), port, "A")),
        Technique::crafted("a stray FIN/ACK", |port| segment(v4(), port, "FA")),
        Technique::crafted("a stray ACK, IPv6", |port| segment(v6(), port, "A")),
    ]
}

/// What the target of an idle scan sees: the answer goes to the zombie, whose numbers tell whether there was one.
pub(super) fn in_the_name_of_a_zombie() -> Vec<Technique> {
    vec![Technique::crafted("SYN in the name of a zombie (idle scan)", |port| {
        segment(Frame::ipv4(ZOMBIE_V4, GUARDED_V4), port, "S")
    })]
}

/// Probes in VLANs.
pub(super) fn tagged() -> Vec<Technique> {
    vec![
        Technique::crafted("SYN, one tag", |port| segment(v4().vlan(0), port, "S")),
        Technique::crafted("SYN, two tags", |port| segment(v4().service_vlan(0).vlan(0), port, "S")),
        Technique::crafted("SYN, one tag, IPv6", |port| segment(v6().vlan(0), port, "S")),
        Technique::crafted("FIN, one tag", |port| segment(v4().vlan(0), port, "F")),
        Technique::crafted("FIN, two tags", |port| segment(v4().service_vlan(0).vlan(0), port, "F")),
        Technique::crafted("FIN, two tags, IPv6", |port| segment(v6().vlan(0).vlan(0), port, "F")),
        Technique::crafted("NULL, two tags", |port| segment(v4().vlan(0).vlan(0), port, "")),
    ]
}

/// Questions by ICMP that scanners ask.
pub(super) fn messages() -> Vec<Technique> {
    /// An identifier and a sequence number.
    const NAMED: [u8; 4] = [0x12, 0x34, 0, 1];
    vec![
        Technique::crafted("echo request with code 9", |_| {
            vec![v4().icmp(8, 9).rest_of_header(NAMED).build()]
        }),
        Technique::crafted("echo request with code 9, IPv6", |_| {
            vec![v6().icmpv6(128, 9).rest_of_header(NAMED).build()]
        }),
        Technique::crafted("timestamp request", |_| {
            vec![v4().icmp(13, 0).rest_of_header(NAMED).payload(&[0; 12]).build()]
        }),
        Technique::crafted("router solicitation", |_| vec![v4().icmp(10, 0).build()]),
        Technique::crafted("node information query, IPv6", |_| {
            let query = [[0; 8].as_slice(), &GUARDED_V6.octets()].concat();
            vec![v6().icmpv6(139, 0).rest_of_header([0, 3, 0, 0]).payload(&query).build()]
        }),
    ]
}

/// A TCP segment with these flags.
pub(super) fn segment(ip: Ip, port: u16, flags: &str) -> Vec<Vec<u8>> {
    vec![ip.tcp(FROM, port).flags(flags).build()]
}

pub(super) fn v4() -> Ip {
    Frame::ipv4(OUTSIDE_V4, GUARDED_V4)
}

pub(super) fn v6() -> Ip {
    Frame::ipv6(OUTSIDE_V6, GUARDED_V6)
}
