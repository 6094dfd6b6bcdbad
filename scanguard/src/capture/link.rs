//! What frames are captured as: link types and their headers.
//!
//! Numbers and layouts are those of the registry of link-layer header types (draft-ietf-opsawg-pcaplinktype), kept by
//! the tcpdump group.

use scanguard_common::frame::Frame as _;

use super::frame::{CapturedFrame, HEADER, Way};

/// A kind of capture whose frames can be read as Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Ethernet itself.
    Ethernet,
    /// IP without anything before it.
    Raw,
    /// BSD loopback: the address family in four bytes, in the order of the machine that captured, or of the network.
    Loopback,
    /// Linux "cooked": 16 bytes that stand for whatever header there was.
    Cooked,
    /// Its second version: 20 bytes, with the interface.
    Cooked2,
}

/// What a made-up header says.
struct Heading {
    destination: [u8; 6],
    ether_type: [u8; 2],
    way: Option<Way>,
    /// How many bytes it takes the place of.
    instead_of: usize,
}

/// The address that made-up frames for this host are for, and those from it are from.
const HERE: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// The address of everybody else.
const THERE: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// For a group of stations.
const EVERYBODY: [u8; 6] = [0xff; 6];

const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];

impl Link {
    /// The kind of this number.
    pub(super) fn of(number: i32) -> Option<Link> {
        match number {
            1 => Some(Link::Ethernet),
            // 12 and 14 are what BSDs call it themselves; 228 and 229 are for one family each.
            12 | 14 | 101 | 228 | 229 => Some(Link::Raw),
            0 | 108 => Some(Link::Loopback),
            113 => Some(Link::Cooked),
            276 => Some(Link::Cooked2),
            _ => None,
        }
    }

    /// The frame of which `bytes` were captured, out of so many on the wire. Where not even its header was captured, it
    /// is an Ethernet frame that ends within its header.
    pub(super) fn frame(self, bytes: &[u8], wire: usize, way: Option<Way>) -> CapturedFrame<'_> {
        let heading = match self {
            Link::Ethernet => {
                return CapturedFrame { made_up: None, bytes, length: wire, way, overheard: false };
            }
            Link::Raw => raw(bytes),
            Link::Loopback => loopback(bytes),
            Link::Cooked => cooked(bytes),
            Link::Cooked2 => cooked2(bytes),
        };
        let headed = heading.and_then(|heading| Some((bytes.get(heading.instead_of..)?, heading)));
        let Some((rest, heading)) = headed else {
            return CapturedFrame { made_up: None, bytes: &[], length: 0, way, overheard: false };
        };
        CapturedFrame {
            made_up: Some(heading.written()),
            bytes: rest,
            length: wire - heading.instead_of + HEADER,
            way: way.or(heading.way),
            overheard: heading.destination == THERE && heading.way == Some(Way::In),
        }
    }
}

impl Heading {
    fn written(&self) -> [u8; HEADER] {
        let [a, b, c, d, e, f] = self.destination;
        let [g, h, i, j, k, l] = if self.way == Some(Way::Out) { HERE } else { THERE };
        let [m, n] = self.ether_type;
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n]
    }
}

fn raw(bytes: &[u8]) -> Option<Heading> {
    let [first] = bytes.read(0)?;
    let ether_type = if first >> 4 == 6 { IPV6 } else { IPV4 };
    Some(Heading { destination: HERE, ether_type, way: None, instead_of: 0 })
}

fn loopback(bytes: &[u8]) -> Option<Heading> {
    let family = bytes.read(0)?;
    // No family is larger than a byte, so the order does not matter.
    let ether_type = match u32::from_be_bytes(family).min(u32::from_le_bytes(family)) {
        2 => IPV4,
        // AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS.
        10 | 24 | 28 | 30 => IPV6,
        _ => [0, 0],
    };
    Some(Heading { destination: HERE, ether_type, way: None, instead_of: 4 })
}

fn cooked(bytes: &[u8]) -> Option<Heading> {
    let [_, kind, ..]: [u8; 2] = bytes.read(0)?;
    Some(Heading { ether_type: bytes.read(14)?, instead_of: 16, ..heading_of(kind) })
}

fn cooked2(bytes: &[u8]) -> Option<Heading> {
    let [kind] = bytes.read(10)?;
    Some(Heading { ether_type: bytes.read(0)?, instead_of: 20, ..heading_of(kind) })
}

/// What the kind of a cooked packet says: `PACKET_HOST` and so on of `include/uapi/linux/if_packet.h`.
fn heading_of(kind: u8) -> Heading {
    let (destination, way) = match kind {
        0 => (HERE, Some(Way::In)),
        1 | 2 => (EVERYBODY, Some(Way::In)),
        4 => (THERE, Some(Way::Out)),
        _ => (THERE, Some(Way::In)), // overheard
    };
    Heading { destination, ether_type: [0, 0], way, instead_of: 0 }
}
