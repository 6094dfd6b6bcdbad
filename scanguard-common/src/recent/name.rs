//! What frames have in common of which the same is decided.

use crate::classify::Class;
use crate::classify::Part;
use crate::classify::flags::{TcpFlags, class};
use crate::frame::Frame;
use crate::key::Address;
use crate::parse::link::EtherType;
use crate::parse::network::IpProtocol;
use crate::schema::{InterfaceSlot, RECENT_PLACES};

/// Which way a frame goes.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// It comes in.
    Incoming = 0,
    /// It leaves.
    Outgoing = 1,
}

/// What can become of a frame, by its flags alone.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A TCP segment with ACK that neither opens nor ends anything: whether it passes, its connection tells.
    Data = 1,
    /// A UDP datagram.
    Datagram = 2,
    /// A TCP segment with flags that no stack sends.
    Impossible = 3,
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
    /// The name of the frame that the glance was thrown at.
    pub fn of<F: Frame + ?Sized>(frame: &F, glance: &Glance, slot: InterfaceSlot) -> Option<Name> {
        let ends = if glance.is_ipv6() {
            ends_ipv6(frame, glance.at)?
        } else {
            [ends_ipv4(frame, glance.at)?, 0, 0, 0]
        };
        Some(Name { ends, what: glance.what, station: station(frame, slot)? })
    }

    /// Whether it is the name of the frame that the glance was thrown at. Compared where it lies, because it would not
    /// fit into the registers.
    #[inline(always)] // see [`glance`]
    pub fn is_of<F: Frame + ?Sized>(&self, frame: &F, glance: &Glance, slot: InterfaceSlot) -> bool {
        if self.what != glance.what || station(frame, slot) != Some(self.station) {
            return false;
        }
        let [a, b, c, d] = self.ends;
        if !glance.is_ipv6() {
            return ends_ipv4(frame, glance.at) == Some(a);
        }
        ends_ipv6(frame, glance.at).is_some_and(|[e, f, g, h]| (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h) == 0)
    }

    /// Source and destination.
    pub(super) fn ends(&self) -> (Address, Address) {
        let [a, b, c, d] = self.ends;
        if self.what & IPV6 != 0 {
            return (Address::from_words([a, b].map(halves)), Address::from_words([c, d].map(halves)));
        }
        let [destination, source] = halves(a).map(u32::to_ne_bytes);
        (Address::v4(source), Address::v4(destination))
    }
}

/// The lower half of a word, and the upper one.
fn halves(word: u64) -> [u32; 2] {
    let [l0, l1, l2, l3, h0, h1, h2, h3] = word.to_le_bytes();
    [u32::from_le_bytes([l0, l1, l2, l3]), u32::from_le_bytes([h0, h1, h2, h3])]
}

/// What is seen of a frame at a glance: all of its name that is a number, and where to find the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    what: u64,
    spread: u64,
    at: usize,
}

impl Glance {
    /// Its place in the table: the upper bits of a polynomial in the seed, which an attacker does not know. Whoever could
    /// choose names that share a place would push others out of it, and no more than that: names are compared whole.
    pub fn place(&self) -> u32 {
        let upper = (self.spread >> 32) as u32;
        upper / (u32::MAX / RECENT_PLACES + 1)
    }

    /// What can become of the frame.
    pub fn sort(&self) -> Sort {
        match self.what >> SORT_AT & 3 {
            1 => Sort::Data,
            2 => Sort::Datagram,
            _ => Sort::Impossible,
        }
    }

    fn is_ipv6(&self) -> bool {
        self.what & IPV6 != 0
    }
}

/// Looks at a frame; `None` where it has no name: then it has to be parsed.
///
/// Whatever has a name is understood by the parser, and in the same way.
#[inline(always)] // asked of every frame: a function of its own costs 5 ns where returns are guarded against speculation
pub fn glance<F: Frame + ?Sized>(frame: &F, door: Door, seed: u64) -> Option<Glance> {
    let untagged = EtherType::from_wire(frame.read(TYPE_AT)?);
    let door = (door as u64) << DOOR_AT;
    match untagged {
        EtherType::IPV4 => glance_ipv4(frame, ETHERNET_LENGTH, door, seed),
        EtherType::IPV6 => glance_ipv6(frame, ETHERNET_LENGTH, door | IPV6, seed),
        EtherType::C_TAG => match EtherType::from_wire(frame.read(TYPE_AT + TAG_LENGTH)?) {
            EtherType::IPV4 => glance_ipv4(frame, ETHERNET_LENGTH + TAG_LENGTH, door | TAGGED, seed),
            EtherType::IPV6 => glance_ipv6(frame, ETHERNET_LENGTH + TAG_LENGTH, door | TAGGED | IPV6, seed),
            _ => None,
        },
        _ => None,
    }
}

const TYPE_AT: usize = 12;
const ETHERNET_LENGTH: usize = 14;
const TAG_LENGTH: usize = 4;
const IPV4_LENGTH: usize = 20;
const IPV6_LENGTH: usize = 40;
const TCP_LENGTH: usize = 20;
const UDP_LENGTH: usize = 8;

#[inline(always)] // as above
fn glance_ipv4<F: Frame + ?Sized>(frame: &F, at: usize, form: u64, seed: u64) -> Option<Glance> {
    const NO_OPTIONS: u8 = 0x45;
    let header: [u8; IPV4_LENGTH] = frame.read(at)?;
    let [first, _, l0, l1, _, _, f0, f1, _, protocol, ..] = header;
    // Neither an offset nor more fragments; the bit that forbids them does not matter.
    if first != NO_OPTIONS || f0 & 0x3f != 0 || f1 != 0 {
        return None;
    }
    let end = at + usize::from(u16::from_be_bytes([l0, l1]));
    let what = form | glance_transport(frame, IpProtocol(protocol), at + IPV4_LENGTH, end)?;
    let key = seed | 1;
    let spread = ends_ipv4(frame, at)?.wrapping_mul(key).wrapping_add(what).wrapping_mul(key);
    Some(Glance { what, spread, at })
}

#[inline(always)] // as above
fn glance_ipv6<F: Frame + ?Sized>(frame: &F, at: usize, form: u64, seed: u64) -> Option<Glance> {
    let [first, _, _, _, l0, l1, protocol, ..]: [u8; 8] = frame.read(at)?;
    if first >> 4 != 6 {
        return None;
    }
    let start = at + IPV6_LENGTH;
    let end = start + usize::from(u16::from_be_bytes([l0, l1]));
    let what = form | glance_transport(frame, IpProtocol(protocol), start, end)?;
    let key = seed | 1;
    let spread = ends_ipv6(frame, at)?
        .into_iter()
        .chain([what])
        .fold(0_u64, |sum, word| sum.wrapping_add(word).wrapping_mul(key));
    Some(Glance { what, spread, at })
}

/// The station that a frame is for, and the slot.
#[inline(always)] // as above
fn station<F: Frame + ?Sized>(frame: &F, slot: InterfaceSlot) -> Option<u64> {
    let [m0, m1, m2, m3, m4, m5] = frame.read(0)?;
    let [m0, m1, m2] = [[m0, m1], [m2, m3], [m4, m5]].map(u16::from_ne_bytes).map(u64::from);
    Some(m0 | m1 << 16 | m2 << 32 | u64::from(slot.number()) << 48)
}

#[inline(always)] // as above
fn ends_ipv4<F: Frame + ?Sized>(frame: &F, at: usize) -> Option<u64> {
    let [source, destination] =
        [frame.read(at + 12)?, frame.read(at + 16)?].map(u32::from_ne_bytes).map(u64::from);
    Some(source << 32 | destination)
}

#[inline(always)] // as above
fn ends_ipv6<F: Frame + ?Sized>(frame: &F, at: usize) -> Option<[u64; 4]> {
    Some([word(frame, at + 8)?, word(frame, at + 16)?, word(frame, at + 24)?, word(frame, at + 32)?])
}

#[inline(always)] // as above
fn word<F: Frame + ?Sized>(frame: &F, at: usize) -> Option<u64> {
    let [low, high] = [frame.read(at)?, frame.read(at + 4)?].map(u32::from_ne_bytes).map(u64::from);
    Some(high << 32 | low)
}

/// The transport header that begins at `start`, of a packet that ends at `end` by its own account.
#[inline(always)] // as above
fn glance_transport<F: Frame + ?Sized>(
    frame: &F,
    protocol: IpProtocol,
    start: usize,
    end: usize,
) -> Option<u64> {
    if end > frame.length() {
        return None;
    }
    match protocol {
        IpProtocol::TCP => glance_segment(frame, start, end),
        IpProtocol::UDP => {
            let [s0, s1, d0, d1, ..] = frame.read::<UDP_LENGTH>(start)?;
            (start + UDP_LENGTH <= end).then(|| what([s0, s1, d0, d1], Sort::Datagram, 0))
        }
        _ => None,
    }
}

#[inline(always)] // as above
fn glance_segment<F: Frame + ?Sized>(frame: &F, start: usize, end: usize) -> Option<u64> {
    let [s0, s1, d0, d1, _, _, _, _, _, _, _, _, c0, c1, ..] = frame.read::<TCP_LENGTH>(start)?;
    let length = usize::from(c0 >> 4) * 4;
    if length < TCP_LENGTH || start + length > end {
        return None;
    }
    let flags = TcpFlags::from_wire([c0, c1]);
    match sort(flags)? {
        // Which of the flags that data may have it has is all the same.
        Sort::Data => Some(what([s0, s1, d0, d1], Sort::Data, 0)),
        // From whichever port it comes is all the same, but that 0 is a fault of its own.
        Sort::Impossible if [s0, s1] != [0, 0] => Some(what([0, 0, d0, d1], Sort::Impossible, flags.bits())),
        Sort::Impossible | Sort::Datagram => None,
    }
}

/// What can become of a segment with these flags; `None` for those that begin or end something.
fn sort(flags: TcpFlags) -> Option<Sort> {
    /// All but those of congestion notification, which change nothing, and the reserved ones.
    const COUNTED: u16 = 0x3f;
    /// A bit for each value of those.
    const IMPOSSIBLE: u64 = all(Sort::Impossible);
    const DATA: u64 = all(Sort::Data);

    let bit = 1_u64 << (flags.bits() & COUNTED);
    if flags.bits() & TcpFlags::RESERVED != 0 || IMPOSSIBLE & bit != 0 {
        Some(Sort::Impossible)
    } else if DATA & bit != 0 {
        Some(Sort::Data)
    } else {
        None
    }
}

/// The values of the six flags that count for which [`class`] says that they are of this sort.
const fn all(wanted: Sort) -> u64 {
    let mut values = 0;
    let mut bits = 0;
    while bits < 64 {
        let is_wanted = match class(TcpFlags::from_bits(bits)) {
            Class::Impossible(_) => matches!(wanted, Sort::Impossible),
            Class::NeedsConnection(Part::Carries) => matches!(wanted, Sort::Data),
            Class::NeedsConnection(Part::Accepts | Part::Ends | Part::Cancels | Part::Resets)
            | Class::Opens
            | Class::Datagram
            | Class::Pings
            | Class::NotJudged(_) => false,
        };
        if is_wanted {
            values |= 1 << bits;
        }
        bits += 1;
    }
    values
}

/// Ports in the lower half; above them the flags that count, 12 bits, the sort, two, and what [`glance`] adds.
fn what(ports: [u8; 4], sort: Sort, flags: u16) -> u64 {
    u64::from(u32::from_ne_bytes(ports)) | u64::from(flags) << 32 | (sort as u64) << SORT_AT
}

const SORT_AT: u32 = 44;
const DOOR_AT: u32 = 48;
const TAGGED: u64 = 1 << 49;
const IPV6: u64 = 1 << 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_sorted_as_they_are_classified() {
        for bits in 0..0x1000 {
            let flags = TcpFlags::from_bits(bits);
            let is_impossible = matches!(class(flags), Class::Impossible(_));
            let is_data = class(flags) == Class::NeedsConnection(Part::Carries);
            assert_eq!(sort(flags) == Some(Sort::Impossible), is_impossible, "{bits:#05x}");
            assert_eq!(sort(flags) == Some(Sort::Data), is_data, "{bits:#05x}");
        }
    }
}
