//! What is seen of a frame before it is parsed.

use super::name::{Door, Ends, Name, form, of_flow, of_port, station};
use super::sort::{Sort, WireFlags};
use crate::classify::headers::impossible_source;
use crate::classify::signature::stack;
use crate::frame::Frame;
use crate::key::Address;
use crate::parse::link::EtherType;
use crate::parse::network::{Family, IpProtocol};
use crate::parse::transport::Port;
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

    /// The port that it is for.
    #[inline(always)] // see [`glance`]
    pub fn port(&self) -> Port {
        self.name.port()
    }

    /// The same SYN under the name that it shares with those of everybody else; `None` where it is from nobody.
    #[inline(always)] // see [`glance`]
    pub fn greeting(&self) -> Option<Glance> {
        let (source, destination) = self.ends();
        let impossible = impossible_source(self.name.family(), IpProtocol::TCP, source, destination);
        impossible.is_none().then(|| Glance { name: self.name.of_anybody(), ..*self })
    }

    /// Whether it is a SYN as a stack writes it, in the frame that was seen.
    ///
    /// Whoever is a stack bears no mark of a tool: of him it need be known only whether somebody listens.
    #[inline(always)] // see [`glance`]
    pub fn is_as_stacks_write<F: Frame + ?Sized>(&self, frame: &F) -> bool {
        stack::wrote(frame, self.name.family(), self.network, self.transport)
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

    /// Goes on with a SYN, as with everything else unless said otherwise.
    #[inline(always)] // see [`glance`]
    fn opens(&self, glance: &Glance) -> Option<Self::Found> {
        self.then(glance)
    }
}

/// Goes on with nothing: brings all kinds of frames into one form, where there is time for it.
pub struct Look;

impl Then for Look {
    type Found = Glance;

    #[inline(always)] // see [`glance`]
    fn then(&self, glance: &Glance) -> Option<Glance> {
        Some(*glance)
    }
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
    let [m0, m1, m2, m3, m4, m5, ..] = frame.read::<FEWEST>(0)?;
    let station = station([m0, m1, m2, m3, m4, m5], slot);
    let seen = Seen { frame, next, form: form(door, false), station };
    match EtherType::from_wire(frame.read(ETHERNET_LENGTH - 2)?) {
        EtherType::IPV4 => seen.ipv4(ETHERNET_LENGTH),
        EtherType::IPV6 => seen.ipv6(ETHERNET_LENGTH),
        EtherType::C_TAG => {
            let seen = Seen { form: form(door, true), ..seen };
            let at = ETHERNET_LENGTH + TAG_LENGTH;
            match EtherType::from_wire(frame.read(at - 2)?) {
                EtherType::IPV4 => seen.ipv4(at),
                EtherType::IPV6 => seen.ipv6(at),
                _ => None,
            }
        }
        _ => None,
    }
}

/// So many bytes every frame has that has a name, so that its first ones may be read as words.
const FEWEST: usize = 16;
const ETHERNET_LENGTH: usize = 14;
const TAG_LENGTH: usize = 4;
const IPV4_LENGTH: usize = 20;
const IPV6_LENGTH: usize = 40;
const TCP_LENGTH: usize = 20;
const UDP_LENGTH: usize = 8;

/// A frame whose link layer was seen, and what is to be done.
///
/// Of each header it is asked first whether it is there as a whole, and then for one field after the other: so the compiler
/// knows that they are there, and each takes one instruction. Cut out of the whole, those of a data segment take 12 more.
/// Where fields lie: RFC 791 §3.1, RFC 8200 §3, RFC 9293 §3.1.
struct Seen<'a, F: ?Sized, T> {
    frame: &'a F,
    next: &'a T,
    form: u64,
    station: u64,
}

/// An IP header that was seen: where it begins, and where its packet ends by its own account.
struct Network {
    ends: Ends,
    at: usize,
    transport: usize,
    end: usize,
}

impl<F: Frame + ?Sized, T: Then> Seen<'_, F, T> {
    #[inline(always)] // see [`glance`], as all that follow
    fn ipv4(&self, at: usize) -> Option<T::Found> {
        const NO_OPTIONS: u8 = 0x45;
        const MORE_OR_OFFSET: u16 = 0x3fff_u16.to_be(); // all but the bit that forbids fragments, which does not matter
        self.frame.read::<IPV4_LENGTH>(at)?; // see [`Seen`]
        let ([first], fragment) = (self.frame.read(at)?, u16::from_ne_bytes(self.frame.read(at + 6)?));
        if first != NO_OPTIONS || fragment & MORE_OR_OFFSET != 0 {
            return None;
        }
        let end = at + usize::from(u16::from_be_bytes(self.frame.read(at + 2)?));
        let [protocol] = self.frame.read(at + 9)?;
        let ends = Ends::V4(word(self.frame, at + 12)?);
        self.transport(IpProtocol(protocol), &Network { ends, at, transport: at + IPV4_LENGTH, end })
    }

    #[inline(always)]
    fn ipv6(&self, at: usize) -> Option<T::Found> {
        self.frame.read::<IPV6_LENGTH>(at)?;
        let [first] = self.frame.read(at)?;
        if first >> 4 != 6 {
            return None;
        }
        let transport = at + IPV6_LENGTH;
        let end = transport + usize::from(u16::from_be_bytes(self.frame.read(at + 4)?));
        let [protocol] = self.frame.read(at + 6)?;
        let word = |offset| word(self.frame, at + offset);
        let ends = Ends::V6([word(8)?, word(16)?, word(24)?, word(32)?]);
        self.transport(IpProtocol(protocol), &Network { ends, at, transport, end })
    }

    #[inline(always)]
    fn transport(&self, protocol: IpProtocol, network: &Network) -> Option<T::Found> {
        if network.end > self.frame.length() {
            return None;
        }
        match protocol {
            IpProtocol::TCP => self.segment(network),
            IpProtocol::UDP => {
                self.frame.read::<UDP_LENGTH>(network.transport)?;
                if network.transport + UDP_LENGTH > network.end {
                    return None;
                }
                let ports = self.frame.read(network.transport)?;
                self.next.then(&self.glance(network, of_flow(ports, Sort::Datagram)))
            }
            _ => None,
        }
    }

    #[inline(always)]
    fn segment(&self, network: &Network) -> Option<T::Found> {
        self.frame.read::<TCP_LENGTH>(network.transport)?;
        let [s0, s1, d0, d1] = self.frame.read(network.transport)?;
        let [offset] = self.frame.read(network.transport + 12)?;
        let length = usize::from(offset >> 4) * 4;
        if length < TCP_LENGTH || network.transport + length > network.end {
            return None;
        }
        let flags = WireFlags::of(self.frame.read(network.transport + 12)?);
        let sort = Sort::of(flags);
        // Which of the flags that data may have it has is all the same.
        if sort == Sort::Data {
            return self.next.then(&self.glance(network, of_flow([s0, s1, d0, d1], sort)));
        }
        // From whichever port it comes is all the same, but that 0 is a fault of its own.
        if u16::from_ne_bytes([s0, s1]) == 0 {
            return None;
        }
        if sort == Sort::Opening {
            self.next.opens(&self.glance(network, of_port([d0, d1], sort, WireFlags(0))))
        } else {
            self.next.then(&self.glance(network, of_port([d0, d1], sort, flags)))
        }
    }

    #[inline(always)]
    fn glance(&self, network: &Network, what: u64) -> Glance {
        let Network { ends, at, transport, .. } = *network;
        Glance { name: Name::new(ends, what | self.form, self.station), network: at, transport }
    }
}

#[inline(always)] // as above
fn word<F: Frame + ?Sized>(frame: &F, at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(frame.read(at)?))
}
