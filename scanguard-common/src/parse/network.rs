//! IPv4 with options (RFC 791 §3.1) and IPv6 with extension headers (RFC 8200 §4).

use super::link::{EtherType, Link};
use crate::cause::Cause;
use crate::frame::Frame;

/// Source and destination of one packet. Both are of one family, by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// IPv4 addresses.
    V4 {
        /// Who sent it, as it claims.
        source: [u8; 4],
        /// Whom it is for.
        destination: [u8; 4],
    },
    /// IPv6 addresses.
    V6 {
        /// Who sent it, as it claims.
        source: [u8; 16],
        /// Whom it is for.
        destination: [u8; 16],
    },
}

impl Addresses {
    /// Whether the destination is a multicast address or the limited broadcast address
    /// (RFC 1112 §4, RFC 919 §7, RFC 4291 §2.7).
    pub fn destination_is_group(&self) -> bool {
        match self {
            Addresses::V4 { destination: [first, rest @ ..], .. } => {
                (224..240).contains(first) || (*first == 255 && *rest == [255; 3])
            }
            Addresses::V6 { destination: [first, ..], .. } => *first == 0xff,
        }
    }
}

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

/// The network-layer headers of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Source and destination.
    pub addresses: Addresses,
    /// What follows, behind all options and extension headers.
    pub protocol: IpProtocol,
    /// Where that begins: bytes from the start of the frame.
    pub start: usize,
    /// Where the packet ends, link-layer padding excluded: bytes from the start of the frame.
    pub end: usize,
    /// Whether this is the first of several fragments.
    pub first_fragment: bool,
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
pub(super) fn parse<F: Frame + ?Sized>(frame: &F, link: &Link) -> Result<Network, Cause> {
    match link.ether_type {
        EtherType::IPV4 => parse_ipv4(frame, link.end),
        EtherType::IPV6 => parse_ipv6(frame, link.end),
        EtherType::ARP => Err(Cause::Arp),
        _ => Err(Cause::NotIp),
    }
}

fn parse_ipv4<F: Frame + ?Sized>(frame: &F, at: usize) -> Result<Network, Cause> {
    let header: [u8; IPV4_LENGTH] = frame.read(at).ok_or(Cause::TruncatedNetwork)?;
    let [
        version_length,
        _,
        l0,
        l1,
        _,
        _,
        f0,
        f1,
        _,
        protocol,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
    ] = header;
    if version_length >> 4 != 4 {
        return Err(Cause::WrongIpVersion);
    }
    let header_length = usize::from(version_length & 0x0f) * 4;
    if header_length < IPV4_LENGTH {
        return Err(Cause::BadIpHeaderLength);
    }
    let total_length = usize::from(u16::from_be_bytes([l0, l1]));
    let end = ipv4_end(frame, at, header_length, total_length)?;
    let fragment = u16::from_be_bytes([f0, f1]);
    if fragment & 0x1fff != 0 {
        return Err(Cause::LaterFragment);
    }
    Ok(Network {
        addresses: Addresses::V4 { source: [s0, s1, s2, s3], destination: [d0, d1, d2, d3] },
        protocol: IpProtocol(protocol),
        start: at + header_length,
        end,
        first_fragment: fragment & 0x2000 != 0,
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

fn parse_ipv6<F: Frame + ?Sized>(frame: &F, at: usize) -> Result<Network, Cause> {
    let [version, _, _, _, l0, l1, next, _] = frame.read(at).ok_or(Cause::TruncatedNetwork)?;
    let source = frame.read(at + 8).ok_or(Cause::TruncatedNetwork)?;
    let destination = frame.read(at + 24).ok_or(Cause::TruncatedNetwork)?;
    if version >> 4 != 6 {
        return Err(Cause::WrongIpVersion);
    }
    let start = at + IPV6_LENGTH;
    let payload_length = usize::from(u16::from_be_bytes([l0, l1]));
    // Zero is the mark of a jumbogram (RFC 2675 §3) or of segmentation offload.
    let end = if payload_length == 0 { frame.length() } else { start + payload_length };
    if end > frame.length() {
        return Err(Cause::BadIpLength);
    }
    let chain = follow_extensions(frame, next, start)?;
    Ok(Network {
        addresses: Addresses::V6 { source, destination },
        protocol: chain.protocol,
        start: chain.end,
        end,
        first_fragment: chain.first_fragment,
    })
}

/// Where a chain of IPv6 extension headers led.
struct Chain {
    protocol: IpProtocol,
    end: usize,
    first_fragment: bool,
}

fn follow_extensions<F: Frame + ?Sized>(frame: &F, first: u8, start: usize) -> Result<Chain, Cause> {
    let mut next = first;
    let mut end = start;
    let mut first_fragment = false;
    for _ in 0..MAX_EXTENSIONS {
        if end > MAX_HEADERS_END {
            return Err(Cause::TooManyExtensions);
        }
        let length = match next {
            IpProtocol::HOP_BY_HOP | IpProtocol::ROUTING | IpProtocol::DESTINATION_OPTIONS => {
                let [following, units] = frame.read(end).ok_or(Cause::TruncatedNetwork)?;
                next = following;
                (usize::from(units) + 1) * 8
            }
            IpProtocol::FRAGMENT => {
                let [following, _, f0, f1] = frame.read(end).ok_or(Cause::TruncatedNetwork)?;
                let fragment = u16::from_be_bytes([f0, f1]);
                if fragment & 0xfff8 != 0 {
                    return Err(Cause::LaterFragment);
                }
                // With neither offset nor successor it is an atomic fragment, a whole packet (RFC 6946).
                first_fragment = fragment & 1 != 0;
                next = following;
                8
            }
            IpProtocol::AUTHENTICATION => {
                let [following, units] = frame.read(end).ok_or(Cause::TruncatedNetwork)?;
                next = following;
                (usize::from(units) + 2) * 4
            }
            _ => return Ok(Chain { protocol: IpProtocol(next), end, first_fragment }),
        };
        end += length;
    }
    Err(Cause::TooManyExtensions)
}
