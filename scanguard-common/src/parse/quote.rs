//! The packet that an ICMP error quotes: enough of it to tell its flow (RFC 792, RFC 4443 §2.4 c).

use super::network::{Family, IpProtocol};
use super::{Packet, transport};
use crate::frame::Frame;
use crate::key::Address;
use crate::speech::Flow;

/// The length of the header of an ICMP error, in bytes: what it quotes stands behind it.
const ERROR_LENGTH: usize = 8;

/// The flow of the packet that `error` quotes, as that packet came in.
///
/// IPv4 options and IPv6 extension headers in the quote are not followed: of such a packet nothing is told.
pub fn flow<F: Frame + ?Sized>(frame: &F, error: &Packet) -> Option<Flow> {
    let at = error.headers.transport() + ERROR_LENGTH;
    match error.family {
        Family::V4 => {
            let header: [u8; 20] = frame.read(at)?;
            let [0x45, _, _, _, _, _, _, _, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = header
            else {
                return None;
            };
            let addresses = (Address::v4([s0, s1, s2, s3]), Address::v4([d0, d1, d2, d3]));
            of(frame, at + 20, addresses, IpProtocol(protocol))
        }
        Family::V6 => {
            let [protocol] = frame.read(at + 6)?;
            let addresses = (Address::v6(frame.read(at + 8)?), Address::v6(frame.read(at + 24)?));
            of(frame, at + 40, addresses, IpProtocol(protocol))
        }
    }
}

fn of<F: Frame + ?Sized>(
    frame: &F,
    at: usize,
    (remote, local): (Address, Address),
    protocol: IpProtocol,
) -> Option<Flow> {
    let ports = transport::Ports::from_wire(frame.read(at)?);
    Some(Flow::new((remote, ports.source), (local, ports.destination), protocol))
}
