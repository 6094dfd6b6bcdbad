//! What frames have in common of which the same is decided.

use super::sort::Sort;
use crate::key::Address;
use crate::parse::network::Family;
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
    /// Ports, and how the rest is to be read: see [`what`].
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
        match self.what >> SORT_AT & 7 {
            1 => Some(Sort::Data),
            2 => Some(Sort::Datagram),
            3 => Some(Sort::Impossible),
            4 => Some(Sort::Opening),
            5 => Some(Sort::Greeting),
            _ => None,
        }
    }

    /// The same for whoever it comes from.
    #[inline(always)] // as above
    pub(super) fn of_anybody(&self) -> Name {
        let [a, _, c, d] = self.ends;
        let ends = match self.family() {
            Family::V4 => [a & u64::from(u32::MAX), 0, 0, 0],
            Family::V6 => [0, 0, c, d],
        };
        let what = self.what & !(7 << SORT_AT) | (Sort::Greeting as u64) << SORT_AT;
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
        let [destination, source] = halves(a).map(u32::to_ne_bytes);
        (Address::v4(source), Address::v4(destination))
    }
}

/// Source and destination as words in the order of memory: over IPv4 the destination in the lower half of one.
#[derive(Clone, Copy)]
pub(super) enum Ends {
    V4(u64),
    V6([u64; 4]),
}

/// The lower half of a word, and the upper one.
fn halves(word: u64) -> [u32; 2] {
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
    let low = word as u32;
    [low, (word >> 32) as u32]
}

/// Ports in the lower half; above them the flags that count, 12 bits, the sort, three, and the [`form`].
#[inline(always)] // as above
pub(super) fn what(ports: [u8; 4], sort: Sort, flags: u16) -> u64 {
    u64::from(u32::from_ne_bytes(ports)) | u64::from(flags) << 32 | (sort as u64) << SORT_AT
}

/// The direction, and whether there is a tag.
#[inline(always)] // as above
pub(super) fn form(door: Door, is_tagged: bool) -> u64 {
    (door as u64) << DOOR_AT | u64::from(is_tagged) << TAGGED_AT
}

/// The station that a frame is for, and the slot.
#[inline(always)] // as above
pub(super) fn station(mac: [u8; 6], slot: InterfaceSlot) -> u64 {
    let [m0, m1, m2, m3, m4, m5] = mac;
    let [m0, m1, m2] = [[m0, m1], [m2, m3], [m4, m5]].map(u16::from_ne_bytes).map(u64::from);
    m0 | m1 << 16 | m2 << 32 | u64::from(slot.number()) << 48
}

const SORT_AT: u32 = 44;
const DOOR_AT: u32 = 48;
const TAGGED_AT: u32 = 49;
const IPV6: u64 = 1 << 50;
