//! What this side has said: the flows in which it spoke, and the ports where it listened.
//!
//! The socket table forgets a connection when it is closed, and never knew those of guests behind this host.
//! What went out tells of both: whoever answers something that this side said is no scanner.

use crate::dated::Dated;
use crate::key::{Address, spread_flow};
use crate::parse::Packet;
use crate::parse::network::{Family, IpProtocol};
use crate::parse::transport::{Port, Ports};
use crate::schema::PORTS;
use crate::time::{Nanos, Seconds};

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

    /// Spreads it over 64 bits, as all keys are: see [`spread`](crate::key::spread).
    pub fn spread(&self, seed: u64) -> u64 {
        let (remote, local) = ((self.remote, self.remote_port), (self.local, self.local_port));
        spread_flow(remote, local, self.protocol, seed)
    }

    /// The outside of it.
    pub fn remote(&self) -> (Address, Port) {
        (self.remote, Port(self.remote_port))
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

/// One place of the table of this host's own connections: in which of them it spoke, and when.
///
/// As long as there is a socket, the kernel knows it, and what follows its end comes within minutes: where one was pushed out
/// by another until then, that counts as a stray. So these need no table that finds who was silent longest, which takes some
/// microseconds for each new connection.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnSpoken(Dated);

impl OwnSpoken {
    /// In the flow of this spread, just now.
    pub fn at(spread: u64, now: Seconds) -> OwnSpoken {
        OwnSpoken(Dated::at(spread, now))
    }

    /// Whether it was in this flow, and an answer may still be expected.
    pub fn counts(self, spread: u64, now: Seconds) -> bool {
        self.0.age(spread, now).is_some_and(|age| age < Spoken::TCP_LASTS / Nanos::SECOND)
    }
}

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

/// A TCP port of this host over one family: that a program accepts connections over IPv4 says nothing of IPv6, where the
/// port may be closed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Listener(u32);

impl Listener {
    /// How many there are.
    pub const ALL: u32 = 2 * PORTS;

    /// The one at this port.
    pub fn at(family: Family, port: Port) -> Listener {
        let first = match family {
            Family::V4 => 0,
            Family::V6 => PORTS,
        };
        Listener(first + u32::from(port.0))
    }

    /// The one that a packet which came in is for.
    pub fn of_incoming(packet: &Packet) -> Listener {
        Listener::at(packet.family, packet.transport.ports.destination)
    }

    /// The one that a packet which goes out is from.
    pub fn of_outgoing(packet: &Packet) -> Listener {
        Listener::at(packet.family, packet.transport.ports.source)
    }

    /// Its place in the table: 0 to [`Listener::ALL`] − 1.
    pub fn place(self) -> u32 {
        self.0
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
    fn what_was_said_in_a_connection_of_this_hosts_own_counts_as_long_and_in_no_other() {
        let (remote, local) = (Address::v4([192, 0, 2, 1]), Address::v4([192, 0, 2, 2]));
        let flow = |from, to| Flow::new((remote, Port(from)), (local, Port(to)), IpProtocol::TCP).spread(1);
        let spoken = OwnSpoken::at(flow(1024, 80), Seconds(7));
        assert!(spoken.counts(flow(1024, 80), Seconds(7 + 124 * 60 - 1)));
        assert!(!spoken.counts(flow(1024, 80), Seconds(7 + 124 * 60)));
        for another in [flow(1025, 80), flow(1024, 81), flow(80, 1024)] {
            assert!(!spoken.counts(another, Seconds(7)));
        }
    }

    #[test]
    fn every_port_of_either_family_has_a_place_of_its_own() {
        let families = [Family::V4, Family::V6];
        let all =
            families.into_iter().flat_map(|family| (0..=u16::MAX).map(move |port| (family, Port(port))));
        let places: Vec<u32> = all.map(|(family, port)| Listener::at(family, port).place()).collect();
        assert_eq!(places, (0..Listener::ALL).collect::<Vec<_>>());
    }

    #[test]
    fn a_port_that_never_listened_has_not_done_so_lately() {
        assert!(!Listened::default().lately(Nanos(1)));
        let end = Nanos(1).after(5 * 60 * Nanos::SECOND);
        assert!(Listened::at(Nanos(1)).lately(Nanos(end.0 - 1)));
        assert!(!Listened::at(Nanos(1)).lately(end));
    }
}
