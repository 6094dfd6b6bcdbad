//! TCP (RFC 9293 §3.1), UDP (RFC 768), ICMP (RFC 792), ICMPv6 (RFC 4443) and SCTP (RFC 9260 §3).

use super::network::{Fragment, IpProtocol, Network, unbounded};
use crate::cause::Cause;
use crate::classify::flags::TcpFlags;
use crate::frame::Frame;

/// A port number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Port(pub u16);

/// The transport header of one packet. What its protocol does not have is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// Which protocol.
    pub protocol: IpProtocol,
    /// Whence and whither: TCP, UDP and SCTP.
    pub ports: Ports,
    /// The rest of a TCP header.
    pub segment: Segment,
    /// What an ICMP or ICMPv6 message is about, or the first chunk of an SCTP packet.
    pub message: Message,
    /// Why nobody sends it, where it is cut into fragments as only scanners do.
    pub fault: Option<Cause>,
}

impl Transport {
    /// A header of which nothing is known but the protocol.
    fn unread(protocol: IpProtocol) -> Transport {
        Transport {
            protocol,
            ports: Ports::default(),
            segment: Segment::default(),
            message: Message::default(),
            fault: None,
        }
    }
}

/// What an ICMP or ICMPv6 message is about (RFC 792, RFC 4443 §2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Its type.
    pub kind: u8,
    /// Which of that type.
    pub code: u8,
}

/// The fixed header of a TCP segment, as far as a decision needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Number of the first byte, or of the SYN.
    pub sequence: u32,
    /// Number of the byte expected next; says something only where ACK is set.
    pub acknowledgement: u32,
    /// The nine control bits and the three that are still reserved.
    pub flags: TcpFlags,
    /// Receive window, unscaled.
    pub window: u16,
}

impl Segment {
    /// Whether this may be the third step of a handshake: an ACK that neither opens nor resets.
    pub fn may_complete_handshake(&self) -> bool {
        self.flags.has(TcpFlags::ACK) && !self.flags.has(TcpFlags::SYN) && !self.flags.has(TcpFlags::RST)
    }
}

impl Ports {
    /// The ports that stand in the first four bytes of a TCP, UDP or SCTP header.
    pub(super) fn from_wire(bytes: [u8; 4]) -> Ports {
        let [s0, s1, d0, d1] = bytes;
        Ports { source: Port(u16::from_be_bytes([s0, s1])), destination: Port(u16::from_be_bytes([d0, d1])) }
    }
}

/// The two ports of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// The sender's.
    pub source: Port,
    /// The receiver's.
    pub destination: Port,
}

/// Parses the transport header that begins at `network.start`.
#[inline(always)] // see the parser as a whole
pub(super) fn parse<F: Frame + ?Sized>(frame: &F, network: &Network) -> Result<Transport, Cause> {
    if network.fragment == Fragment::WithinHeader {
        return Ok(Transport {
            fault: Some(Cause::OverlappingFragment),
            ..Transport::unread(network.protocol)
        });
    }
    match network.protocol {
        IpProtocol::TCP => parse_tcp(frame, network),
        IpProtocol::UDP => parse_ports::<F, UDP_LENGTH>(frame, network),
        IpProtocol::SCTP => parse_sctp(frame, network),
        IpProtocol::ICMP | IpProtocol::ICMPV6 => parse_message(frame, network),
        other => Ok(Transport::unread(other)),
    }
}

/// The length of a TCP header without options, in bytes.
const TCP_LENGTH: usize = 20;
/// The length of a UDP header.
const UDP_LENGTH: usize = 8;
/// The length of SCTP's common header.
const SCTP_LENGTH: usize = 12;
/// The same with the type of the first chunk, and the type that stands for none: it is reserved by the IETF.
const SCTP_WITH_CHUNK: usize = SCTP_LENGTH + 1;
const NO_CHUNK: u8 = 255;
/// The part that all ICMP and ICMPv6 messages have in common.
const ICMP_LENGTH: usize = 4;

/// The first `N` bytes behind the network layer, all of which belong to the packet and not to padding.
fn header<F: Frame + ?Sized, const N: usize>(frame: &F, network: &Network) -> Option<[u8; N]> {
    if network.start + N > network.end {
        return None;
    }
    frame.read(unbounded(network.start))
}

/// What it means that a header of so many bytes is not there: a fragment was cut too small, or else `whole`. One that the
/// packet has room for may lie in a later piece of the frame, which proves nothing.
fn cut_short(network: &Network, length: usize, whole: Cause) -> Result<Transport, Cause> {
    match network.fragment {
        Fragment::First if network.start + length > network.end => {
            Ok(Transport { fault: Some(Cause::TinyFragment), ..Transport::unread(network.protocol) })
        }
        Fragment::First | Fragment::Whole | Fragment::WithinHeader => Err(whole),
    }
}

#[inline(always)] // see the parser as a whole
fn parse_tcp<F: Frame + ?Sized>(frame: &F, network: &Network) -> Result<Transport, Cause> {
    let Some(header) = header::<F, TCP_LENGTH>(frame, network) else {
        return cut_short(network, TCP_LENGTH, Cause::TruncatedTransport);
    };
    let [s0, s1, d0, d1, n0, n1, n2, n3, a0, a1, a2, a3, c0, c1, w0, w1, _, _, _, _] = header;
    let header_length = usize::from(c0 >> 4) * 4;
    if header_length < TCP_LENGTH {
        return Err(Cause::BadDataOffset);
    }
    if network.start + header_length > network.end {
        return cut_short(network, header_length, Cause::BadDataOffset);
    }
    Ok(Transport {
        ports: Ports::from_wire([s0, s1, d0, d1]),
        segment: Segment {
            sequence: u32::from_be_bytes([n0, n1, n2, n3]),
            acknowledgement: u32::from_be_bytes([a0, a1, a2, a3]),
            flags: TcpFlags::from_wire([c0, c1]),
            window: u16::from_be_bytes([w0, w1]),
        },
        ..Transport::unread(IpProtocol::TCP)
    })
}

fn parse_ports<F: Frame + ?Sized, const N: usize>(frame: &F, network: &Network) -> Result<Transport, Cause> {
    let Some(header) = header::<F, N>(frame, network) else {
        return cut_short(network, N, Cause::TruncatedTransport);
    };
    let ports = header.first_chunk().copied().map_or_else(Ports::default, Ports::from_wire);
    Ok(Transport { ports, ..Transport::unread(network.protocol) })
}

/// SCTP's common header, and the type of the first chunk where there is one (RFC 9260 §3.2).
fn parse_sctp<F: Frame + ?Sized>(frame: &F, network: &Network) -> Result<Transport, Cause> {
    let transport = parse_ports::<F, SCTP_LENGTH>(frame, network)?;
    let kind = header::<F, SCTP_WITH_CHUNK>(frame, network).map_or(NO_CHUNK, |header| {
        let [.., kind] = header;
        kind
    });
    Ok(Transport { message: Message { kind, code: 0 }, ..transport })
}

fn parse_message<F: Frame + ?Sized>(frame: &F, network: &Network) -> Result<Transport, Cause> {
    let Some(header) = header::<F, ICMP_LENGTH>(frame, network) else {
        return cut_short(network, ICMP_LENGTH, Cause::TruncatedTransport);
    };
    let [kind, code, ..] = header;
    Ok(Transport { message: Message { kind, code }, ..Transport::unread(network.protocol) })
}
