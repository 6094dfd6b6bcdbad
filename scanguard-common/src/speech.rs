//! What this side has said: the flows in which it spoke, and the ports where it listened.
//!
//! The socket table forgets a connection when it is closed, and never knew those of guests behind this host.
//! What went out tells of both: whoever answers something that this side said is no scanner.

use crate::key::Address;
use crate::parse::Packet;
use crate::parse::network::IpProtocol;
use crate::parse::transport::{Port, Ports};
use crate::time::Nanos;

/// One conversation, as the outside names it: the same for what comes in and for what goes out.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    remote: Address,
    local: Address,
    remote_port: u16,
    local_port: u16,
    protocol: u32,
}

const _: () = assert!(size_of::<Flow>() == 40);

impl Flow {
    /// The flow between these two: what is outside, then what is here.
    pub fn new(remote: (Address, Port), local: (Address, Port), protocol: IpProtocol) -> Flow {
        Flow {
            remote: remote.0,
            local: local.0,
            remote_port: remote.1.0,
            local_port: local.1.0,
            protocol: u32::from(protocol.0),
        }
    }

    /// The flow of a packet that came in.
    pub fn of_incoming(packet: &Packet) -> Flow {
        let Ports { source, destination } = packet.transport.ports;
        Flow::new((packet.source, source), (packet.destination, destination), packet.transport.protocol)
    }

    /// The flow of a packet that goes out.
    pub fn of_outgoing(packet: &Packet) -> Flow {
        let Ports { source, destination } = packet.transport.ports;
        Flow::new((packet.destination, destination), (packet.source, source), packet.transport.protocol)
    }

    /// This side of it.
    pub fn local(&self) -> (Address, Port) {
        (self.local, Port(self.local_port))
    }

    /// The protocol.
    pub fn protocol(&self) -> IpProtocol {
        // It was made from eight bits.
        IpProtocol(self.protocol.to_le_bytes()[0])
    }
}

/// When this side last spoke in a flow.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spoken(u64);

const _: () = assert!(size_of::<Spoken>() == 8);

impl Spoken {
    /// How long a TCP connection, or an SCTP association, may be idle before it counts as forgotten (RFC 5382 §5, REQ-5).
    const TCP_LASTS: u64 = 124 * 60 * Nanos::SECOND;
    /// How long an answer by UDP may take (RFC 4787 §4.3, REQ-5).
    const UDP_LASTS: u64 = 5 * 60 * Nanos::SECOND;

    /// Just now.
    pub fn at(now: Nanos) -> Spoken {
        Spoken(now.0)
    }

    /// Whether an answer may still be expected.
    pub fn counts(self, protocol: IpProtocol, now: Nanos) -> bool {
        let lasts = if protocol == IpProtocol::UDP { Spoken::UDP_LASTS } else { Spoken::TCP_LASTS };
        now.since(Nanos(self.0)) < lasts
    }
}

/// When a program was last seen listening on a port.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listened(u64);

const _: () = assert!(size_of::<Listened>() == 8);

impl Listened {
    /// How long a service may be gone before its clients count as scanners: restarts take seconds, upgrades minutes.
    const LASTS: u64 = 5 * 60 * Nanos::SECOND;

    /// Just now.
    pub fn at(now: Nanos) -> Listened {
        Listened(now.0)
    }

    /// Whether it ever was, as far as is known: a port that nobody has listened on has the time zero. Asked first, because
    /// it needs no clock.
    pub fn ever(self) -> bool {
        self != Listened::default()
    }

    /// Whether it was lately.
    pub fn lately(self, now: Nanos) -> bool {
        self.ever() && now.since(Nanos(self.0)) < Listened::LASTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_counts_as_long_as_an_answer_may_take() {
        let spoken = Spoken::at(Nanos(7));
        for (protocol, minutes) in [(IpProtocol::TCP, 124), (IpProtocol::UDP, 5)] {
            let end = Nanos(7).after(minutes * 60 * Nanos::SECOND);
            assert!(spoken.counts(protocol, Nanos(end.0 - 1)));
            assert!(!spoken.counts(protocol, end));
        }
    }

    #[test]
    fn a_port_that_never_listened_has_not_done_so_lately() {
        assert!(!Listened::default().lately(Nanos(1)));
        let end = Nanos(1).after(5 * 60 * Nanos::SECOND);
        assert!(Listened::at(Nanos(1)).lately(Nanos(end.0 - 1)));
        assert!(!Listened::at(Nanos(1)).lately(end));
    }
}
