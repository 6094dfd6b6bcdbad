//! What is seen of a frame before it is parsed.

use super::name::{Door, Ends, Name, form, station, what};
use super::sort::Sort;
use crate::classify::flags::TcpFlags;
use crate::classify::headers::impossible_source;
use crate::classify::signature::stack;
use crate::frame::Frame;
use crate::key::Address;
use crate::parse::link::EtherType;
use crate::parse::network::{Family, IpProtocol};
use crate::schema::{InterfaceSlot, RECENT_PLACES};

/// What is seen of a frame at a glance: its name, and where its IP header and its transport header begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    name: Name,
    network: usize,
    transport: usize,
}

impl Glance {
    /// The frame's name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What can become of the frame.
    #[inline(always)] // see [`glance`]
    pub fn sort(&self) -> Option<Sort> {
        self.name.sort()
    }

    /// Source and destination.
    #[inline(always)] // see [`glance`]
    pub fn ends(&self) -> (Address, Address) {
        self.name.ends()
    }

    /// By which address the sender is known.
    #[inline(always)] // see [`glance`]
    pub fn sender(&self) -> Address {
        let (source, _) = self.ends();
        match self.name.family() {
            Family::V4 => source,
            Family::V6 => source.network(),
        }
    }

    /// Its place in the table: the upper bits of a polynomial in the seed, which an attacker does not know. Whoever could
    /// choose names that share a place would push others out of it, and no more than that: names are compared whole.
    #[inline(always)] // see [`glance`]
    pub fn place(&self, seed: u64) -> u32 {
        let upper = (self.name.spread(seed) >> 32) as u32;
        upper / (u32::MAX / RECENT_PLACES + 1)
    }

    /// The same SYN under the name that it shares with those of everybody else; `None` where it is not as a stack writes
    /// it, or from nobody.
    ///
    /// Whoever is a stack bears no mark of a tool: of him it need be known only whether somebody listens.
    #[inline(always)] // see [`glance`]
    pub fn greeting<F: Frame + ?Sized>(&self, frame: &F) -> Option<Glance> {
        let (source, destination) = self.ends();
        let family = self.name.family();
        if impossible_source(family, IpProtocol::TCP, source, destination).is_some()
            || !stack::wrote(frame, family, self.network, self.transport)
        {
            return None;
        }
        Some(Glance { name: self.name.of_anybody(), ..*self })
    }
}

/// What is to be done once a frame was seen.
///
/// It is told beforehand, so that the compiler writes it for each kind of frame by itself, with what is constant for that
/// kind, and need not bring all kinds into one form first: that takes 1 ns of 20. A trait, because closures cannot be told
/// to be written more than once.
pub trait Then {
    /// What comes of it.
    type Found;

    /// Goes on with what was seen.
    fn then(&self, glance: &Glance) -> Option<Self::Found>;
}

/// Looks at a frame that came in or leaves by the interface of a slot, and goes on; `None` where it has no name: then it
/// has to be parsed.
///
/// Whatever has a name is understood by the parser, and in the same way.
#[inline(always)] // asked of every frame: a function of its own costs 5 ns where returns are guarded against speculation
pub fn glance<F: Frame + ?Sized, T: Then>(
    frame: &F,
    door: Door,
    slot: InterfaceSlot,
    next: &T,
) -> Option<T::Found> {
    let [m0, m1, m2, m3, m4, m5, _, _, _, _, _, _, t0, t1] = frame.read::<ETHERNET_LENGTH>(0)?;
    let station = station([m0, m1, m2, m3, m4, m5], slot);
    let untagged = form(door, false);
    match EtherType::from_wire([t0, t1]) {
        EtherType::IPV4 => next.then(&glance_ipv4(frame, ETHERNET_LENGTH, untagged, station)?),
        EtherType::IPV6 => next.then(&glance_ipv6(frame, ETHERNET_LENGTH, untagged, station)?),
        EtherType::C_TAG => {
            let (at, tagged) = (ETHERNET_LENGTH + TAG_LENGTH, form(door, true));
            match EtherType::from_wire(frame.read(at - 2)?) {
                EtherType::IPV4 => next.then(&glance_ipv4(frame, at, tagged, station)?),
                EtherType::IPV6 => next.then(&glance_ipv6(frame, at, tagged, station)?),
                _ => None,
            }
        }
        _ => None,
    }
}

const ETHERNET_LENGTH: usize = 14;
const TAG_LENGTH: usize = 4;
const IPV4_LENGTH: usize = 20;
const IPV6_LENGTH: usize = 40;
const TCP_LENGTH: usize = 20;
const UDP_LENGTH: usize = 8;

#[inline(always)] // as above
fn glance_ipv4<F: Frame + ?Sized>(frame: &F, at: usize, form: u64, station: u64) -> Option<Glance> {
    const NO_OPTIONS: u8 = 0x45;
    let header: [u8; IPV4_LENGTH] = frame.read(at)?;
    let [first, _, l0, l1, _, _, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = header;
    // Neither an offset nor more fragments; the bit that forbids them does not matter.
    if first != NO_OPTIONS || u16::from_ne_bytes([f0 & 0x3f, f1]) != 0 {
        return None;
    }
    let transport = at + IPV4_LENGTH;
    let end = at + usize::from(u16::from_be_bytes([l0, l1]));
    let what = form | glance_transport(frame, IpProtocol(protocol), transport, end)?;
    let [source, destination] = [[s0, s1, s2, s3], [d0, d1, d2, d3]].map(u32::from_ne_bytes).map(u64::from);
    let name = Name::new(Ends::V4(source << 32 | destination), what, station);
    Some(Glance { name, network: at, transport })
}

#[inline(always)] // as above
fn glance_ipv6<F: Frame + ?Sized>(frame: &F, at: usize, form: u64, station: u64) -> Option<Glance> {
    let [first, _, _, _, l0, l1, protocol, ..] = frame.read::<IPV6_LENGTH>(at)?;
    if first >> 4 != 6 {
        return None;
    }
    let transport = at + IPV6_LENGTH;
    let end = transport + usize::from(u16::from_be_bytes([l0, l1]));
    let what = form | glance_transport(frame, IpProtocol(protocol), transport, end)?;
    let ends = [word(frame, at + 8)?, word(frame, at + 16)?, word(frame, at + 24)?, word(frame, at + 32)?];
    Some(Glance { name: Name::new(Ends::V6(ends), what, station), network: at, transport })
}

#[inline(always)] // as above
fn word<F: Frame + ?Sized>(frame: &F, at: usize) -> Option<u64> {
    let [l0, l1, l2, l3, h0, h1, h2, h3] = frame.read(at)?;
    let [low, high] = [[l0, l1, l2, l3], [h0, h1, h2, h3]].map(u32::from_ne_bytes).map(u64::from);
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
    let has_source = u16::from_ne_bytes([s0, s1]) != 0;
    match Sort::of(flags)? {
        // Which of the flags that data may have it has is all the same.
        Sort::Data => Some(what([s0, s1, d0, d1], Sort::Data, 0)),
        // From whichever port it comes is all the same, but that 0 is a fault of its own.
        Sort::Impossible if has_source => Some(what([0, 0, d0, d1], Sort::Impossible, flags.bits())),
        Sort::Opening if has_source => Some(what([0, 0, d0, d1], Sort::Opening, 0)),
        Sort::Impossible | Sort::Opening | Sort::Greeting | Sort::Datagram => None,
    }
}
