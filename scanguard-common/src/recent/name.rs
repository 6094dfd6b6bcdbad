//! What frames have in common of which the same is decided.

use super::sort::{Sort, WireFlags};
use crate::key::Address;
use crate::parse::network::Family;
use crate::parse::transport::Port;
use crate::schema::InterfaceSlot;

/// Which way a frame goes.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// It comes in.
    Incoming = 0,
    /// It leaves.
    Outgoing = 1,
}

/// All that the decision about a frame depends on, and nothing else: addresses, ports, flags where they count, the
/// station that it is for, the interface, the direction, and whether there is a tag.
///
/// As words in the order of memory, because they are only ever compared.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Name {
    /// Source and destination: one word over IPv4, all four over IPv6.
    ends: [u64; 4],
    /// Ports, and how the rest is to be read: see [`of_flow`] and [`of_port`].
    what: u64,
    /// The station's link-layer address, and the slot of the interface.
    station: u64,
}

impl Name {
    /// The name of what is between these ends, for this station.
    #[inline(always)] // as `glance`, of which it is a part
    pub(super) fn new(ends: Ends, what: u64, station: u64) -> Name {
        match ends {
            Ends::V4(ends) => Name { ends: [ends, 0, 0, 0], what, station },
            Ends::V6(ends) => Name { ends, what: what | IPV6, station },
        }
    }

    /// Whether it is the same name.
    ///
    /// Not by `==`, which calls a function that compares memory, and where most names differ in their first word.
    #[inline(always)] // as above
    pub(super) fn is(&self, other: &Name) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.ends, other.ends);
        a == e
            && self.what == other.what
            && self.station == other.station
            && (other.what & IPV6 == 0 || (b ^ f) | (c ^ g) | (d ^ h) == 0)
    }

    /// Over which IP it is.
    pub(super) fn family(&self) -> Family {
        if self.what & IPV6 == 0 { Family::V4 } else { Family::V6 }
    }

    /// What can become of it.
    pub(super) fn sort(&self) -> Option<Sort> {
        match self.what & SORT {
            1 => Some(Sort::Data),
            2 => Some(Sort::Datagram),
            3 => Some(Sort::Other),
            4 => Some(Sort::Opening),
            5 => Some(Sort::Greeting),
            _ => None,
        }
    }

    /// The port that it is for.
    #[inline(always)] // as above
    pub(super) fn port(&self) -> Port {
        Port(u16::from_be((self.what >> PORT_AT & 0xffff) as u16))
    }

    /// The same for whoever it comes from.
    #[inline(always)] // as above
    pub(super) fn of_anybody(&self) -> Name {
        let [a, _, c, d] = self.ends;
        let ends = match self.family() {
            Family::V4 => [a & DESTINATION, 0, 0, 0],
            Family::V6 => [0, 0, c, d],
        };
        let what = self.what & !SORT | Sort::Greeting as u64;
        Name { ends, what, ..*self }
    }

    /// Spreads it over 64 bits, of which the upper ones are good.
    #[inline(always)] // as above
    pub(super) fn spread(&self, seed: u64) -> u64 {
        let key = seed | 1;
        let [a, b, c, d] = self.ends;
        let ends = if self.what & IPV6 == 0 {
            a
        } else {
            [b, c, d].into_iter().fold(a, |sum, word| sum.wrapping_mul(key).wrapping_add(word))
        };
        ends.wrapping_mul(key).wrapping_add(self.what).wrapping_mul(key)
    }

    /// Source and destination.
    #[inline(always)] // as above
    pub(super) fn ends(&self) -> (Address, Address) {
        let [a, b, c, d] = self.ends;
        if self.what & IPV6 != 0 {
            return (Address::from_words([a, b].map(halves)), Address::from_words([c, d].map(halves)));
        }
        let [source, destination] = halves(a).map(u32::to_ne_bytes);
        (Address::v4(source), Address::v4(destination))
    }
}

/// Source and destination as words in the order of memory: over IPv4 both in one.
#[derive(Clone, Copy)]
pub(super) enum Ends {
    V4(u64),
    V6([u64; 4]),
}

/// The destination in the only word of IPv4.
const DESTINATION: u64 = u64::from_ne_bytes([0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);

/// The halves of a word, in the order of memory.
fn halves(word: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = word.to_ne_bytes();
    [[a, b, c, d], [e, f, g, h]].map(u32::from_ne_bytes)
}

/// Both ports, and the sort of a frame.
#[inline(always)] // as above
pub(super) fn of_flow(ports: [u8; 4], sort: Sort) -> u64 {
    u64::from(u32::from_ne_bytes(ports)) << PORTS_AT | sort as u64
}

/// The port that a frame is for, its sort, and its flags where they count.
#[inline(always)] // as above
pub(super) fn of_port(port: [u8; 2], sort: Sort, WireFlags(flags): WireFlags) -> u64 {
    u64::from(u16::from_ne_bytes(port)) << PORT_AT | u64::from(flags) << FLAGS_AT | sort as u64
}

/// The direction, and whether there is a tag.
#[inline(always)] // as above
pub(super) fn form(door: Door, is_tagged: bool) -> u64 {
    (door as u64) << DOOR_AT | u64::from(is_tagged) << TAGGED_AT
}

/// The station that a frame is for, and the slot.
#[inline(always)] // as above
pub(super) fn station(mac: [u8; 6], slot: InterfaceSlot) -> u64 {
    let ([m0, m1, m2, m3, m4, m5], [slot, ..]) = (mac, slot.number().to_le_bytes());
    u64::from_ne_bytes([m0, m1, m2, m3, m4, m5, slot, 0])
}

// What is constant for a kind of frame is together in the lower half, where it takes one instruction.
const SORT: u64 = 0b111;
const DOOR_AT: u32 = 3;
const TAGGED_AT: u32 = 4;
const IPV6: u64 = 1 << 5;
const FLAGS_AT: u32 = 16;
const PORTS_AT: u32 = 32;
/// The port that a frame is for is the second one, whichever half of a word that is.
const PORT_AT: u32 = if cfg!(target_endian = "little") { PORTS_AT + 16 } else { PORTS_AT };
