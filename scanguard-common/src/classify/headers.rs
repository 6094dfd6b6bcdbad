//! Headers that contradict themselves, or that only scanners send.

use crate::cause::Cause;
use crate::key::Address;
use crate::parse::Packet;
use crate::parse::network::{Family, IpProtocol};
use crate::parse::transport::{Message, Port};

/// Why nobody sends a packet like this, if nobody does.
pub(super) fn impossible(packet: &Packet) -> Option<Cause> {
    if packet.transport.fault.is_some() {
        return packet.transport.fault;
    }
    let protocol = packet.transport.protocol;
    if let Some(cause) = impossible_source(packet.family, protocol, packet.source, packet.destination) {
        return Some(cause);
    }
    match protocol {
        IpProtocol::TCP | IpProtocol::UDP if packet.has_ipv4_options => Some(Cause::IpOptions),
        IpProtocol::TCP | IpProtocol::UDP if is_for_port_zero(packet) => Some(Cause::PortZero),
        IpProtocol::ICMP | IpProtocol::ICMPV6 if asks_for_information(packet) => Some(Cause::IcmpProbe),
        _ => None,
    }
}

/// Why nobody sends a packet of this protocol from `source` to `destination`, if nobody does.
#[inline(always)] // as `glance`, of which it is a part
pub(crate) fn impossible_source(
    family: Family,
    protocol: IpProtocol,
    source: Address,
    destination: Address,
) -> Option<Cause> {
    if is_same(source, destination) {
        Some(Cause::Land)
    } else if is_nobodys(family, protocol, source) {
        Some(Cause::BadSource)
    } else {
        None
    }
}

/// Word by word: the compiler would compare 128 bits at once, which takes a shift that BPF has not.
#[inline(always)] // as above
fn is_same(one: Address, other: Address) -> bool {
    let ([a, b, c, d], [e, f, g, h]) = (one.words(), other.words());
    d == h && c == g && b == f && a == e
}

/// Whether the source is an address that no host can have: multicast, the broadcast address or loopback
/// (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3 and §2.7), or IPv4 in IPv6's clothes. Whoever has no address yet, and asks for
/// one, does not do so by TCP.
#[inline(always)] // as above
fn is_nobodys(family: Family, protocol: IpProtocol, source: Address) -> bool {
    let [a, b, c, d] = source.words();
    let has_none = match family {
        Family::V4 => d == 0,
        Family::V6 => a | b | c | d == 0,
    };
    if has_none {
        return protocol == IpProtocol::TCP;
    }
    match family {
        Family::V4 => {
            let [first, ..] = d.to_ne_bytes();
            first == 127 || first & 0xf0 == 224 || d == u32::MAX
        }
        Family::V6 => {
            let [first, ..] = a.to_ne_bytes();
            let is_loopback = (a, b, c, u32::from_be(d)) == (0, 0, 0, 1);
            first == 0xff || is_loopback || (a, b, u32::from_be(c)) == (0, 0, 0xffff)
        }
    }
}

/// Whether it is for a port at which nothing can listen (RFC 6335 §6), or claims to come from one. A UDP datagram
/// may come from port 0: that says "do not answer" (RFC 768).
fn is_for_port_zero(packet: &Packet) -> bool {
    let ports = packet.transport.ports;
    let is_tcp = packet.transport.protocol == IpProtocol::TCP;
    ports.destination == Port(0) || is_tcp && ports.source == Port(0)
}

/// Whether it is an ICMP message that nobody needs an answer to but a scanner: timestamps, information and address
/// masks (RFC 792, RFC 950; deprecated by RFC 6918), node information (RFC 4620), and echo requests with a code,
/// which has no meaning but tells systems apart by what they answer.
fn asks_for_information(packet: &Packet) -> bool {
    const ECHO: u8 = 8;
    const TIMESTAMP: u8 = 13;
    const INFORMATION: u8 = 15;
    const ADDRESS_MASK: u8 = 17;
    const ECHO_V6: u8 = 128;
    const NODE_INFORMATION_V6: u8 = 139;

    let Message { kind, code } = packet.transport.message;
    match (packet.transport.protocol, kind) {
        (IpProtocol::ICMP, TIMESTAMP | INFORMATION | ADDRESS_MASK) => true,
        (IpProtocol::ICMPV6, NODE_INFORMATION_V6) => true,
        (IpProtocol::ICMP, ECHO) | (IpProtocol::ICMPV6, ECHO_V6) => code != 0,
        _ => false,
    }
}
