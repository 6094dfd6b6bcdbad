//! IPv4 with options (RFC 791 §3.1) and IPv6 with extension headers (RFC 8200 §4).

use core::hint::black_box;

use super::Headers;
use super::link::{EtherType, Link};
use crate::cause::Cause;
use crate::frame::Frame;
use crate::key::Address;

/// What an IP packet carries: a number of IANA's *Assigned Internet Protocol Numbers*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpProtocol(pub u8);

impl IpProtocol {
    const HOP_BY_HOP: u8 = 0;
    /// ICMP (RFC 792).
    pub const ICMP: IpProtocol = IpProtocol(1);
    /// TCP (RFC 9293).
    pub const TCP: IpProtocol = IpProtocol(6);
    /// UDP (RFC 768).
    pub const UDP: IpProtocol = IpProtocol(17);
    const ROUTING: u8 = 43;
    const FRAGMENT: u8 = 44;
    const AUTHENTICATION: u8 = 51;
    /// ICMPv6 (RFC 4443).
    pub const ICMPV6: IpProtocol = IpProtocol(58);
    const DESTINATION_OPTIONS: u8 = 60;
    /// SCTP (RFC 9260).
    pub const SCTP: IpProtocol = IpProtocol(132);
}

/// Which IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4 = 0,
    /// IPv6.
    V6 = 1,
}

impl Family {
    /// The type of its echo requests (RFC 792, RFC 4443 §4.1).
    pub fn echo_request(self) -> u8 {
        match self {
            Family::V4 => 8,
            Family::V6 => 128,
        }
    }
}

/// The network-layer headers of one packet.
///
/// The family stands first so that it is what tells a `Result` of this from its error: were it a field further on,
/// the kernel would refuse the program's type information ("Invalid member bits_offset").
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) family: Family,
    /// Where they begin: bytes from the start of the frame.
    at: usize,
    /// What follows, behind all options and extension headers.
    pub(super) protocol: IpProtocol,
    /// Where that begins: bytes from the start of the frame.
    pub(super) start: usize,
    /// Where the packet ends, link-layer padding excluded: bytes from the start of the frame.
    pub(super) end: usize,
    /// Whether this is the first of several fragments, or one that begins within a TCP header.
    pub(super) fragment: Fragment,
    /// Whether there are IPv4 options.
    pub(super) has_ipv4_options: bool,
}

impl Network {
    /// The same, of which a verifier knows nothing: see [`Frame::forgotten`].
    #[inline(always)] // see the parser as a whole
    #[expect(clippy::cast_possible_truncation, reason = "no frame and no chain of headers is that long")]
    pub(super) fn forgotten<F: Frame + ?Sized>(self, frame: &F) -> Network {
        let Network { family, at, protocol: IpProtocol(protocol), start, end, fragment, has_ipv4_options } =
            self;
        let kind = [family as u8, protocol, fragment as u8, has_ipv4_options.into()];
        let [family, protocol, fragment, options] = frame.forgotten(u32::from_le_bytes(kind)).to_le_bytes();
        let offsets = frame.forgotten((start << 16 | at) as u32);
        Network {
            family: if family == Family::V4 as u8 { Family::V4 } else { Family::V6 },
            at: (offsets & 0xffff) as usize,
            protocol: IpProtocol(protocol),
            start: (offsets >> 16) as usize,
            end: frame.forgotten(end as u32) as usize,
            fragment: match fragment {
                0 => Fragment::Whole,
                1 => Fragment::First,
                _ => Fragment::WithinHeader,
            },
            has_ipv4_options: options != 0,
        }
    }
}

/// Which part of an IP packet this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fragment {
    /// All of it.
    Whole,
    /// The first of several.
    First,
    /// One that begins where a TCP header has not ended yet (RFC 1858 §3).
    WithinHeader,
}

/// The first fragment that can begin behind the shortest TCP header, in units of eight bytes.
const BEHIND_TCP_HEADER: u16 = 3;

impl Fragment {
    /// From the offset in units of eight bytes, and whether there are more fragments.
    fn new(offset: u16, more: bool, protocol: IpProtocol) -> Result<Fragment, Cause> {
        match offset {
            0 if more => Ok(Fragment::First),
            0 => Ok(Fragment::Whole),
            1..BEHIND_TCP_HEADER if protocol == IpProtocol::TCP => Ok(Fragment::WithinHeader),
            _ => Err(Cause::LaterFragment),
        }
    }
}

/// How many IPv6 extension headers are followed.
///
/// The number is ours: RFC 8200 sets none, and scanners hide behind as many as nine. The verifier walks the
/// loop once for each.
const MAX_EXTENSIONS: usize = 16;

/// The end of the longest chain of headers that is followed, in bytes from the start of the frame. Any value
/// above all real chains would do; the verifier needs some bound to reason about the sum of the lengths.
const MAX_HEADERS_END: usize = 4096;

const IPV4_LENGTH: usize = 20;
const IPV6_LENGTH: usize = 40;

/// Parses the network layer behind `link`.
#[inline] // see the parser as a whole
pub(super) fn parse<F: Frame + ?Sized>(frame: &F, link: &Link) -> Result<Network, Cause> {
    match link.ether_type {
        EtherType::IPV4 => parse_ipv4(frame, link.end),
        EtherType::IPV6 => parse_ipv6(frame, link.end),
        EtherType::ARP => Err(Cause::Arp),
        _ => Err(Cause::NotIp),
    }
}

/// Reads source and destination of the packet whose headers are `network`.
///
/// Apart from the rest and last of all: what is read earlier the compiler keeps on the BPF stack byte by
/// byte, eight bytes of stack for each, until it is needed.
#[inline(always)] // see the parser as a whole
pub(super) fn addresses<F: Frame + ?Sized>(frame: &F, network: &Network) -> Option<(Address, Address)> {
    match network.family {
        Family::V4 => {
            let source = Address::v4(frame.read(unbounded(network.at + 12))?);
            Some((source, Address::v4(frame.read(unbounded(network.at + 16))?)))
        }
        Family::V6 => {
            let source = Address::v6(frame.read(unbounded(network.at + 8))?);
            Some((source, Address::v6(frame.read(unbounded(network.at + 24))?)))
        }
    }
}

/// Where the headers of the packet begin.
#[expect(
    clippy::cast_possible_truncation,
    reason = "no chain of headers is followed beyond a few thousand bytes"
)]
pub(super) fn headers(network: &Network) -> Headers {
    Headers { network: network.at as u16, transport: network.start as u16 }
}

fn parse_ipv4<F: Frame + ?Sized>(frame: &F, at: usize) -> Result<Network, Cause> {
    let header: [u8; IPV4_LENGTH] = frame.read(at).ok_or(Cause::TruncatedNetwork)?;
    let [version_length, _, l0, l1, _, _, f0, f1, _, protocol, ..] = header;
    if version_length >> 4 != 4 {
        return Err(Cause::WrongIpVersion);
    }
    let header_length = usize::from(version_length & 0x0f) * 4;
    if header_length < IPV4_LENGTH {
        return Err(Cause::BadIpHeaderLength);
    }
    let total_length = u16::from_be_bytes([l0, l1]);
    let end = ipv4_end(frame, at, header_length, usize::from(total_length))?;
    let fragment = u16::from_be_bytes([f0, f1]);
    let protocol = IpProtocol(protocol);
    Ok(Network {
        family: Family::V4,
        at,
        protocol,
        start: at + header_length,
        end,
        fragment: Fragment::new(fragment & 0x1fff, fragment & 0x2000 != 0, protocol)?,
        has_ipv4_options: header_length > IPV4_LENGTH,
    })
}

/// Where an IPv4 packet ends by its own account, which must lie inside the frame.
///
/// A total length of zero is what segmentation offload leaves behind when a packet of more than 65 535 bytes
/// is passed upwards (since Linux 6.3, "net: add support for ipv4 big tcp"): then the frame's length counts.
fn ipv4_end<F: Frame + ?Sized>(
    frame: &F,
    at: usize,
    header_length: usize,
    total_length: usize,
) -> Result<usize, Cause> {
    if total_length == 0 {
        return Ok(frame.length());
    }
    if total_length < header_length {
        return Err(Cause::BadIpLength);
    }
    let end = at + total_length;
    if end > frame.length() {
        return Err(Cause::BadIpLength);
    }
    Ok(end)
}

#[inline] // see the parser as a whole
fn parse_ipv6<F: Frame + ?Sized>(frame: &F, at: usize) -> Result<Network, Cause> {
    let header: [u8; IPV6_LENGTH] = frame.read(at).ok_or(Cause::TruncatedNetwork)?;
    let [version, _, _, _, l0, l1, next, ..] = header;
    if version >> 4 != 6 {
        return Err(Cause::WrongIpVersion);
    }
    let payload_length = u16::from_be_bytes([l0, l1]);
    let start = at + IPV6_LENGTH;
    // Zero is the mark of a jumbogram (RFC 2675 §3) or of segmentation offload.
    let end = if payload_length == 0 { frame.length() } else { start + usize::from(payload_length) };
    if end > frame.length() {
        return Err(Cause::BadIpLength);
    }
    let chain = follow_extensions(frame, next, start)?;
    Ok(Network {
        family: Family::V6,
        at,
        protocol: chain.protocol,
        start: chain.end,
        end,
        fragment: chain.fragment,
        has_ipv4_options: false,
    })
}

/// Where a chain of IPv6 extension headers led.
struct Chain {
    protocol: IpProtocol,
    end: usize,
    fragment: Fragment,
}

/// Of fragments only a number goes round with the loop, of which the verifier knows nothing: what kind of fragment it is
/// would multiply the states in which it reads the loop, and all that comes after.
fn follow_extensions<F: Frame + ?Sized>(frame: &F, first: u8, start: usize) -> Result<Chain, Cause> {
    let mut next = first;
    let mut end = start;
    let mut field = 0;
    for _ in 0..MAX_EXTENSIONS {
        if end > MAX_HEADERS_END {
            return Err(Cause::TooManyExtensions);
        }
        let Some(extension) = Extension::of(next) else {
            let is_first = black_box(field) & 1 != 0;
            let fragment = if is_first { Fragment::First } else { Fragment::Whole };
            return Ok(Chain { protocol: IpProtocol(next), end: unbounded(end), fragment });
        };
        let [following, length, f0, f1] = frame.read(unbounded(end)).ok_or(Cause::TruncatedNetwork)?;
        end += extension.length(length);
        // With neither offset nor successor it is an atomic fragment, a whole packet (RFC 6946).
        field |= u16::from_be_bytes([f0, f1]) & extension.fragments;
        let (offset, protocol) = (field >> 3, IpProtocol(following));
        if offset != 0 {
            let fragment = Fragment::new(offset, field & 1 != 0, protocol)?;
            return Ok(Chain { protocol, end: unbounded(end), fragment });
        }
        next = following;
    }
    Err(Cause::TooManyExtensions)
}

/// The same offset, of which the compiler knows nothing any more: whoever reads there checks it again, at once.
///
/// Without this it leaves that check out, because it remembers one before, while the verifier of Linux 5.10 forgets
/// what it knew of a number that lay on the stack meanwhile: "math between pkt pointer and register with unbounded
/// min value is not allowed".
pub(super) fn unbounded(offset: usize) -> usize {
    black_box(offset)
}

/// How one kind of IPv6 extension header tells its length, beyond the eight bytes that each of them has.
///
/// A table to compute with, where one would rather match: the verifier follows every arm of a match on its
/// own, and every sequence of arms in the loop, and so would read several times as many instructions. What it reads
/// now, the test `budget` prints.
#[derive(Clone, Copy)]
struct Extension {
    /// Which bits of the second byte count.
    counted: u8,
    /// What they count: 2 to this power bytes. Zero where the protocol is no extension header.
    unit_log2: u8,
    /// Which bits of the third and fourth byte tell of a fragment: its offset and whether there are more.
    fragments: u16,
}

impl Extension {
    const NONE: Extension = Extension { counted: 0, unit_log2: 0, fragments: 0 };
    /// RFC 8200 §4.3, §4.4 and §4.6.
    const EIGHT_BYTES: Extension = Extension { counted: 0xff, unit_log2: 3, fragments: 0 };
    /// RFC 4302 §2.2.
    const FOUR_BYTES: Extension = Extension { counted: 0xff, unit_log2: 2, fragments: 0 };
    /// RFC 8200 §4.5: the second byte is reserved.
    const FIXED: Extension = Extension { counted: 0, unit_log2: 3, fragments: 0xfff9 };

    const fn known(protocol: u8) -> Extension {
        match protocol {
            IpProtocol::HOP_BY_HOP | IpProtocol::ROUTING | IpProtocol::DESTINATION_OPTIONS => {
                Extension::EIGHT_BYTES
            }
            IpProtocol::AUTHENTICATION => Extension::FOUR_BYTES,
            IpProtocol::FRAGMENT => Extension::FIXED,
            _ => Extension::NONE,
        }
    }

    fn of(protocol: u8) -> Option<Extension> {
        static TABLE: [Extension; 256] = Extension::table();
        TABLE.get(usize::from(protocol)).copied().filter(|extension| extension.unit_log2 != 0)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::indexing_slicing,
        reason = "evaluated by the compiler alone"
    )]
    const fn table() -> [Extension; 256] {
        let mut table = [Extension::NONE; 256];
        let mut protocol = 0;
        while protocol < table.len() {
            table[protocol] = Extension::known(protocol as u8);
            protocol += 1;
        }
        table
    }

    /// The whole header's length in bytes, 8 to 2048, where its second byte is `told`.
    fn length(self, told: u8) -> usize {
        8 + (usize::from(told & self.counted) << (self.unit_log2 & 3))
    }
}
