//! TCP (RFC 9293 §3.1), UDP (RFC 768), ICMP (RFC 792), ICMPv6 (RFC 4443) and SCTP (RFC 9260 §3).

use super::network::{IpProtocol, Network};
use crate::cause::Cause;
use crate::classify::TcpFlags;
use crate::frame::Frame;

/// A port number, in the order of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port([u8; 2]);

impl Port {
    /// The port with this number.
    pub fn new(number: u16) -> Port {
        Port(number.to_be_bytes())
    }

    /// The port whose number these bytes of a packet hold.
    pub fn from_wire(bytes: [u8; 2]) -> Port {
        Port(bytes)
    }

    /// The bytes as they stand in a packet.
    pub fn wire(self) -> [u8; 2] {
        self.0
    }

    /// The number, 0 to 65 535.
    pub fn number(self) -> u16 {
        u16::from_be_bytes(self.0)
    }
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A TCP segment.
    Tcp(Segment),
    /// A UDP datagram.
    Udp(Ports),
    /// An ICMP or ICMPv6 message.
    Icmp(IcmpKind),
    /// An SCTP packet.
    Sctp(Ports),
    /// Any other protocol.
    Other(IpProtocol),
}

/// The fixed header of a TCP segment, as far as a decision needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Whence and whither.
    pub ports: Ports,
    /// Number of the first byte, or of the SYN.
    pub sequence: u32,
    /// Number of the byte expected next; says something only where ACK is set.
    pub acknowledgement: u32,
    /// The nine control bits and the three that are still reserved.
    pub flags: TcpFlags,
    /// Receive window, unscaled.
    pub window: u16,
    /// Length of the header with its options: 20 to 60 bytes.
    pub header_length: u8,
}

/// The two ports of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The sender's.
    pub source: Port,
    /// The receiver's.
    pub destination: Port,
}

/// What kind of message an ICMP or ICMPv6 packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpKind {
    /// Type, as IANA numbers them, for each of the two protocols by itself.
    pub message: u8,
    /// Code within that type.
    pub code: u8,
}

const TCP_LENGTH: usize = 20;

/// Parses the transport header that begins at `network.start`.
pub(super) fn parse<F: Frame + ?Sized>(frame: &F, network: &Network) -> Result<Transport, Cause> {
    let cut_short = if network.first_fragment { Cause::TinyFragment } else { Cause::TruncatedTransport };
    let read = Within { frame, start: network.start, end: network.end };
    match network.protocol {
        IpProtocol::TCP => parse_tcp(&read, cut_short),
        IpProtocol::UDP => Ok(Transport::Udp(parse_ports::<F, 8>(&read).ok_or(cut_short)?)),
        IpProtocol::SCTP => Ok(Transport::Sctp(parse_ports::<F, 12>(&read).ok_or(cut_short)?)),
        IpProtocol::ICMP | IpProtocol::ICMPV6 => {
            let [message, code, ..] = read.header::<4>().ok_or(cut_short)?;
            Ok(Transport::Icmp(IcmpKind { message, code }))
        }
        other => Ok(Transport::Other(other)),
    }
}

/// The part of a frame that belongs to the packet: padding after it does not.
struct Within<'a, F: ?Sized> {
    frame: &'a F,
    start: usize,
    end: usize,
}

impl<F: Frame + ?Sized> Within<'_, F> {
    fn header<const N: usize>(&self) -> Option<[u8; N]> {
        if self.start + N > self.end {
            return None;
        }
        self.frame.read(self.start)
    }
}

fn parse_tcp<F: Frame + ?Sized>(packet: &Within<'_, F>, cut_short: Cause) -> Result<Transport, Cause> {
    let header = packet.header::<TCP_LENGTH>().ok_or(cut_short)?;
    let [s0, s1, d0, d1, n0, n1, n2, n3, a0, a1, a2, a3, c0, c1, w0, w1, _, _, _, _] = header;
    let header_length = (c0 >> 4) * 4;
    if usize::from(header_length) < TCP_LENGTH {
        return Err(Cause::BadDataOffset);
    }
    if packet.start + usize::from(header_length) > packet.end {
        return Err(if matches!(cut_short, Cause::TinyFragment) { cut_short } else { Cause::BadDataOffset });
    }
    Ok(Transport::Tcp(Segment {
        ports: Ports { source: Port([s0, s1]), destination: Port([d0, d1]) },
        sequence: u32::from_be_bytes([n0, n1, n2, n3]),
        acknowledgement: u32::from_be_bytes([a0, a1, a2, a3]),
        flags: TcpFlags::from_wire([c0, c1]),
        window: u16::from_be_bytes([w0, w1]),
        header_length,
    }))
}

/// The ports that open a UDP or SCTP header of `N` bytes.
fn parse_ports<F: Frame + ?Sized, const N: usize>(packet: &Within<'_, F>) -> Option<Ports> {
    let [s0, s1, d0, d1, ..] = *packet.header::<N>()?.first_chunk::<4>()?;
    Some(Ports { source: Port([s0, s1]), destination: Port([d0, d1]) })
}
