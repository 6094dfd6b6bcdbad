//! Which contact an ICMP error turns away: the one that it quotes.

use crate::frame::Frame;
use crate::key::Address;
use crate::parse::Packet;
use crate::parse::network::{Family, IpProtocol};
use crate::parse::transport::Port;

/// The length of the header of an ICMP error, in bytes: what it quotes stands behind it (RFC 792, RFC 4443 §3).
const ERROR_LENGTH: usize = 8;

/// Where the destination port stands in a TCP or UDP header.
const PORT_AT: usize = 2;

/// Gives an error that was turned round the destination, protocol and port of the packet that it quotes, so that the
/// errors about two ports, or two protocols, are two contacts. What cannot be read stays as it was.
///
/// IPv4 options and IPv6 extension headers in the quote are not followed.
pub fn name_quoted<F: Frame + ?Sized>(frame: &F, error: &mut Packet) {
    let at = error.headers.transport() + ERROR_LENGTH;
    let protocol_at = match error.family {
        Family::V4 => at + 9,
        Family::V6 => at + 6,
    };
    let Some(protocol) = frame.read(protocol_at) else { return };
    let Some(destination) = destination(frame, error.family, at) else { return };
    error.destination = destination;
    error.transport.protocol = IpProtocol(u8::from_ne_bytes(protocol));
    let payload = match error.family {
        Family::V4 => at + 20,
        Family::V6 => at + 40,
    };
    let port = match error.transport.protocol {
        IpProtocol::TCP | IpProtocol::UDP => frame.read(payload + PORT_AT).unwrap_or_default(),
        _ => [0; 2],
    };
    error.transport.ports.destination = Port(u16::from_be_bytes(port));
}

fn destination<F: Frame + ?Sized>(frame: &F, family: Family, at: usize) -> Option<Address> {
    match family {
        Family::V4 => {
            let [0x45] = frame.read(at)? else { return None };
            Some(Address::v4(frame.read(at + 16)?))
        }
        Family::V6 => Some(Address::v6(frame.read(at + 24)?)),
    }
}
