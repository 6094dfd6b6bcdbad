//! Frames of our own whose headers hide something, or lie.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Technique;
use super::crafted::{FROM, segment, v4, v6};
use crate::{Extension, Frame, GUARDED_V4, GUARDED_V6, Ip};

/// TCP, as IP calls it.
const TCP: u8 = 6;
/// Where a TCP header begins behind plain IPv6.
const TCP_IN_V6: usize = 54;
/// Where a TCP header begins behind plain IPv4.
const TCP_IN_V4: usize = 34;
/// Destination options, as IPv6 calls them.
const DESTINATION_OPTIONS: u8 = 60;

const HIDDEN: &str = "what is hidden so deep passes the first door, and the second lets a few resets leave";

/// What stands between IPv6 and TCP, and what is cut into fragments.
pub(super) fn extended() -> Vec<Technique> {
    vec![
        Technique::crafted("SYN behind hop-by-hop options", |port| {
            segment(v6().extension(Extension::hop_by_hop()), port, "S")
        }),
        Technique::crafted("FIN behind hop-by-hop options", |port| {
            segment(v6().extension(Extension::hop_by_hop()), port, "F")
        }),
        Technique::crafted("SYN behind destination options", |port| {
            segment(v6().extension(Extension::destination()), port, "S")
        }),
        Technique::crafted("FIN behind destination options", |port| {
            segment(v6().extension(Extension::destination()), port, "F")
        }),
        Technique::crafted("SYN behind a routing header", |port| {
            segment(v6().extension(Extension::routing()), port, "S")
        }),
        Technique::crafted("FIN behind a routing header", |port| {
            segment(v6().extension(Extension::routing()), port, "F")
        }),
        Technique::crafted("SYN behind seventeen headers, one more than are followed", |port| {
            segment(behind_many(), port, "S")
        }),
        Technique::crafted("FIN behind seventeen headers, one more than are followed", |port| {
            segment(behind_many(), port, "F")
        }),
        Technique::crafted("ACK behind seventeen headers, one more than are followed", |port| {
            segment(behind_many(), port, "A")
        })
        .because(HIDDEN),
        Technique::crafted("FIN behind an authentication header", |port| {
            segment(v6().extension(Extension::authentication()), port, "F")
        }),
        Technique::crafted("SYN in an atomic fragment", |port| segment(v6().fragment(0, false), port, "S")),
        Technique::crafted("FIN in an atomic fragment", |port| segment(v6().fragment(0, false), port, "F")),
        Technique::crafted("SYN cut in two", |port| in_two(&v6(), TCP_IN_V6, port, "S")),
        Technique::crafted("FIN cut in two", |port| in_two(&v6(), TCP_IN_V6, port, "F")),
        Technique::crafted("FIN cut in two, IPv4", |port| in_two(&v4(), TCP_IN_V4, port, "F")),
        Technique::crafted("SYN in the first of two fragments", |port| with_more(&v6(), port, "S")),
        Technique::crafted("FIN in the first of two fragments", |port| with_more(&v6(), port, "F")),
        Technique::crafted("FIN in a second fragment, options in the first (RFC 7112)", |port| {
            let [first, second] = [(0, true), (1, false)].map(|(offset, more)| v6().fragment(offset, more));
            let options = [TCP, 0, 1, 4, 0, 0, 0, 0];
            vec![
                first.build(DESTINATION_OPTIONS, &options),
                second.build(DESTINATION_OPTIONS, &bytes(&v6(), TCP_IN_V6, port, "F")),
            ]
        }),
        Technique::crafted("SYN that a second fragment overwrites with FIN (RFC 1858)", |port| {
            let [syn, fin] = ["S", "F"].map(|flags| bytes(&v4(), TCP_IN_V4, port, flags));
            let overwriting = fin.get(8..).unwrap_or_default();
            vec![
                v4().fragment(0, true).build(TCP, &padded(&syn)),
                v4().fragment(1, false).build(TCP, overwriting),
            ]
        }),
    ]
}

/// Headers that contradict themselves, or name a sender that cannot be.
pub(super) fn lying() -> Vec<Technique> {
    vec![
        Technique::crafted("SYN from the host itself (land)", |port| {
            vec![Frame::ipv4(GUARDED_V4, GUARDED_V4).tcp(port, port).flags("S").build()]
        }),
        Technique::crafted("SYN from the host itself (land), IPv6", |port| {
            vec![Frame::ipv6(GUARDED_V6, GUARDED_V6).tcp(port, port).flags("S").build()]
        }),
        Technique::crafted("SYN from port 0", |port| vec![v4().tcp(0, port).flags("S").build()]),
        Technique::crafted("SYN from a multicast address", |port| {
            segment(Frame::ipv4(Ipv4Addr::new(224, 0, 0, 1), GUARDED_V4), port, "S")
        }),
        Technique::crafted("SYN from the broadcast address", |port| {
            segment(Frame::ipv4(Ipv4Addr::BROADCAST, GUARDED_V4), port, "S")
        }),
        Technique::crafted("SYN from a loopback address", |port| {
            segment(Frame::ipv4(Ipv4Addr::LOCALHOST, GUARDED_V4), port, "S")
        }),
        Technique::crafted("SYN from a multicast address, IPv6", |port| {
            segment(Frame::ipv6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1), GUARDED_V6), port, "S")
        }),
        Technique::crafted("SYN from a loopback address, IPv6", |port| {
            segment(Frame::ipv6(Ipv6Addr::LOCALHOST, GUARDED_V6), port, "S")
        }),
        Technique::crafted("SYN, IP header length 4 words", |port| segment(v4().header_words(4), port, "S")),
        Technique::crafted("SYN, IP header length past the end", |port| {
            segment(v4().header_words(15), port, "S")
        }),
        Technique::crafted("SYN, IP total length past the end", |port| segment(v4().length(1400), port, "S")),
        Technique::crafted("SYN, wrong IP checksum", |port| segment(v4().checksum(0x7777), port, "S")),
        Technique::crafted("SYN, TCP header length 4 words", |port| {
            vec![v4().tcp(FROM, port).flags("S").data_offset(4).build()]
        }),
        Technique::crafted("SYN, TCP header length past the end", |port| {
            vec![v4().tcp(FROM, port).flags("S").data_offset(15).build()]
        }),
        Technique::crafted("FIN, TCP header length 4 words", |port| {
            vec![v4().tcp(FROM, port).flags("F").data_offset(4).build()]
        }),
        Technique::crafted("SYN, window 0", |port| vec![v4().tcp(FROM, port).flags("S").window(0).build()]),
        Technique::crafted("SYN, reserved bits", |port| {
            vec![v4().tcp(FROM, port).flags("S").reserved(7).build()]
        }),
        Technique::crafted("SYN, urgent and with data", |port| {
            vec![v4().tcp(FROM, port).flags("SU").urgent(1).payload(b"?").build()]
        }),
    ]
}

/// Questions to the port where nothing can listen.
pub(super) fn for_port_zero() -> Vec<Technique> {
    vec![
        Technique::crafted("SYN to port 0", |_| segment(v4(), 0, "S")),
        Technique::crafted("SYN to port 0, IPv6", |_| segment(v6(), 0, "S")),
        Technique::crafted("FIN to port 0", |_| segment(v4(), 0, "F")),
        Technique::crafted("UDP to port 0", |_| vec![v4().udp(FROM, 0).payload(b"?").build()]),
        Technique::crafted("UDP to port 0, IPv6", |_| vec![v6().udp(FROM, 0).payload(b"?").build()]),
    ]
}

fn behind_many() -> Ip {
    (0..17).fold(v6(), |ip, _| ip.extension(Extension::destination()))
}

/// A TCP header cut after eight bytes.
fn in_two(ip: &Ip, header: usize, port: u16, flags: &str) -> Vec<Vec<u8>> {
    let segment = bytes(ip, header, port, flags);
    let (first, second) = segment.split_at_checked(8).unwrap_or_default();
    vec![ip.clone().fragment(0, true).build(TCP, first), ip.clone().fragment(1, false).build(TCP, second)]
}

/// A TCP header with a little data in the first fragment, and the rest of the data in the second.
fn with_more(ip: &Ip, port: u16, flags: &str) -> Vec<Vec<u8>> {
    let frame = ip.clone().tcp(FROM, port).flags(flags).payload(&[0; 12]).build();
    let segment = frame.get(TCP_IN_V6..).unwrap_or_default();
    let (first, second) = segment.split_at_checked(24).unwrap_or_default();
    vec![ip.clone().fragment(0, true).build(TCP, first), ip.clone().fragment(3, false).build(TCP, second)]
}

/// A TCP header alone.
fn bytes(ip: &Ip, header: usize, port: u16, flags: &str) -> Vec<u8> {
    ip.clone().tcp(FROM, port).flags(flags).build().split_off(header)
}

/// All fragments but the last have a multiple of eight bytes.
fn padded(segment: &[u8]) -> Vec<u8> {
    let mut padded = segment.to_vec();
    padded.resize(segment.len().next_multiple_of(8), 0);
    padded
}
