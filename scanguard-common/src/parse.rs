//! Step 1, parse: bytes → [`Packet`], or the cause for which the frame passes unjudged.
//!
//! Lengths from the wire are believed only after they were checked against the frame and against each
//! other. Each check that can fail has a [`Cause`] of its own, so that a counter tells which one it was.
//!
//! Fields are read one by one and kept flat, without enums that carry data: the BPF stack has 512 bytes, and
//! of an enum's variants only one is initialised, which the verifier refuses to see copied ("invalid size of
//! register spill").
//!
//! Two doors call the parser, so the compiler would make functions of its parts, and each packet would pay for the
//! copying of their results. Where a part is only advised to be inlined and not told to, being told is what the
//! verifier refuses: "R4 pointer arithmetic on pkt_end prohibited".

pub mod link;
pub mod network;
pub mod quote;
pub mod transport;

use core::mem;

use crate::cause::Cause;
use crate::frame::Frame;
use crate::key::Address;
use network::{Family, Network};
use transport::{Ports, Transport};

/// One frame, understood: everything a decision may need.
///
/// The family stands first for the same reason as in `Network`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Which IP.
    pub family: Family,
    /// Who sent it, as it claims.
    pub source: Address,
    /// Whom it is for.
    pub destination: Address,
    /// What it carries.
    pub transport: Transport,
    /// Whether its IPv4 header has options.
    pub has_ipv4_options: bool,
    /// Where to look for the rest of its headers.
    pub headers: Headers,
}

/// Where the headers of a packet begin.
///
/// What is seldom asked is not parsed, because the BPF stack has no room to keep it; these two lead back to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    network: u16,
    transport: u16,
}

/// More than the end of the longest chain of headers that is followed, less one.
///
/// Masked with it, an offset is known to be small wherever the compiler keeps a copy of it. A later check of one copy
/// is not enough for Linux 5.10, which knows nothing of the others: "R3 offset is outside of the packet".
const OFFSET_MASK: u16 = 0x1fff;

impl Headers {
    /// The IPv4 or IPv6 header: bytes from the start of the frame.
    pub fn network(self) -> usize {
        usize::from(self.network & OFFSET_MASK)
    }

    /// The transport header, behind all options and extension headers: bytes from the start of the frame.
    pub fn transport(self) -> usize {
        usize::from(self.transport & OFFSET_MASK)
    }
}

impl Packet {
    /// By which address its sender is known: over IPv6 the network, because each host has a /64 to itself, and may
    /// use a new address of it for every packet (RFC 8981).
    pub fn sender(&self) -> Address {
        self.host(self.source)
    }

    fn host(&self, address: Address) -> Address {
        // All bits of the lower half over IPv4, and none over IPv6: no fork in the way of the verifier.
        let lower_half = (self.family as u32).wrapping_sub(Family::V6 as u32);
        let [a, b, c, d] = address.words();
        Address::of_words([a, b, c & lower_half, d & lower_half])
    }

    /// Makes it the packet on its way back: what the other side would have sent. In its place, because the BPF stack has
    /// no room for a second one.
    pub fn turn_round(&mut self) {
        mem::swap(&mut self.source, &mut self.destination);
        let Ports { source, destination } = &mut self.transport.ports;
        mem::swap(source, destination);
    }

    /// By which address the one is known that it is for: see [`sender`](Self::sender).
    pub fn receiver(&self) -> Address {
        self.host(self.destination)
    }

    /// Whether the destination is a multicast address or the limited broadcast address
    /// (RFC 1112 §4, RFC 919 §7, RFC 4291 §2.7).
    ///
    /// Subnet broadcasts cannot be told from the address alone; on Ethernet they arrive in broadcast frames.
    pub fn is_for_group(&self) -> bool {
        match self.family {
            Family::V4 => {
                let [.., address] = self.destination.words();
                address == u32::MAX || u32::from_be(address) >> 28 == 0b1110
            }
            Family::V6 => {
                let [first, ..] = self.destination.words();
                u32::from_be(first) >> 24 == 0xff
            }
        }
    }
}

/// Parses one frame: Ethernet, up to two VLAN tags, IPv4 or IPv6, and the transport header.
///
/// # Errors
///
/// The cause for which this frame is not judged: it carries no IP, it is not the first fragment, or one of
/// its headers is cut short or contradicts itself.
#[inline(always)] // see above
pub fn parse<F: Frame + ?Sized>(frame: &F) -> Result<Packet, Cause> {
    let link = link::parse(frame)?;
    let network = network::parse(frame, &link)?.forgotten(frame);
    let transport = transport::parse(frame, &network)?;
    let (source, destination) = network::addresses(frame, &network).ok_or(Cause::TruncatedNetwork)?;
    let Network { family, has_ipv4_options, .. } = network;
    let headers = network::headers(&network);
    Ok(Packet { family, source, destination, transport, has_ipv4_options, headers })
}
