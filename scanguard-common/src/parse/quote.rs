//! The packet that an ICMP error quotes: enough of it to tell its flow (RFC 792, RFC 4443 §2.4 c).

use super::network::{Family, IpProtocol};
use super::{Packet, transport};
use crate::frame::Frame;
use crate::key::Address;
use crate::speech::Flow;

/// The length of the header of an ICMP error, in bytes: what it quotes stands behind it.
const ERROR_LENGTH: usize = 8;

/// What an error quotes of a packet, as that came in.
///
/// IPv4 options and IPv6 extension headers in the quote are not followed: of such a packet nothing is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Who had sent it.
    pub remote: Address,
    /// Whom it was for.
    pub local: Address,
    /// By which protocol.
    pub protocol: IpProtocol,
    payload: usize,
}

impl Quote {
    /// What `error` quotes.
    pub fn read<F: Frame + ?Sized>(frame: &F, error: &Packet) -> Option<Quote> {
        let at = error.headers.transport() + ERROR_LENGTH;
        match error.family {
            Family::V4 => {
                let header: [u8; 20] = frame.read(at)?;
                let [0x45, _, _, _, _, _, _, _, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = header
                else {
                    return None;
                };
                let [remote, local] = [[s0, s1, s2, s3], [d0, d1, d2, d3]].map(Address::v4);
                Some(Quote { remote, local, protocol: IpProtocol(protocol), payload: at + 20 })
            }
            Family::V6 => {
                let [protocol] = frame.read(at + 6)?;
                let (remote, local) = (Address::v6(frame.read(at + 8)?), Address::v6(frame.read(at + 24)?));
                Some(Quote { remote, local, protocol: IpProtocol(protocol), payload: at + 40 })
            }
        }
    }

    /// Its ports, where its protocol has any.
    pub fn ports<F: Frame + ?Sized>(&self, frame: &F) -> Option<transport::Ports> {
        Some(transport::Ports::from_wire(frame.read(self.payload)?))
    }
}

/// The flow of the packet that `error` quotes, as that packet came in.
pub fn flow<F: Frame + ?Sized>(frame: &F, error: &Packet) -> Option<Flow> {
    let quote = Quote::read(frame, error)?;
    let ports = quote.ports(frame)?;
    Some(Flow::new((quote.remote, ports.source), (quote.local, ports.destination), quote.protocol))
}
