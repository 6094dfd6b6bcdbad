//! Ports of the host, and which of them a packet tells of.

use scanguard_common::key::Address;
use scanguard_common::parse::{Packet, quote};
use scanguard_common::refusal::{Leaving, Refusal, leaving};

use crate::capture::CapturedFrame;

/// A port of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct End {
    address: Address,
    protocol: u8,
    port: u16,
}

impl End {
    /// The one that a packet leaves from.
    pub(super) fn behind(packet: &Packet) -> End {
        End {
            address: packet.source,
            protocol: packet.transport.protocol.0,
            port: packet.transport.ports.source.0,
        }
    }

    /// The one that a packet is for.
    pub(super) fn aimed_at(packet: &Packet) -> End {
        End {
            address: packet.destination,
            protocol: packet.transport.protocol.0,
            port: packet.transport.ports.destination.0,
        }
    }

    /// The one that a packet which leaves shows to be closed: by a reset, or by an ICMP error that quotes what came for
    /// it.
    pub(super) fn refused_by(frame: &CapturedFrame<'_>, packet: &Packet) -> Option<End> {
        match leaving(packet) {
            Leaving::Refusal(Refusal::ClosedPort) => Some(End::behind(packet)),
            Leaving::Refusal(Refusal::Unreachable) => {
                let quoted = quote::flow(frame, packet)?;
                let (address, port) = quoted.local();
                Some(End { address, protocol: quoted.protocol().0, port: port.0 })
            }
            Leaving::Refusal(Refusal::Stray | Refusal::Abort) | Leaving::Speech | Leaving::Other => None,
        }
    }
}
