//! What speaks against a packet.

use crate::cause::Cause;
use crate::classify::{Class, Part, classify};
use crate::flow::{Lookups, Socket};
use crate::parse::Packet;
use crate::parse::transport::{Port, Segment};
use crate::speech::Listener;

/// What a packet looks like before anything is held in its favour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// Legitimate, or none of our business, for this cause.
    None(Cause),
    /// To be dropped for this cause, whatever flow it belongs to.
    Certain(Cause),
    /// It asks for an association, and is to be dropped for this cause unless this side asks as well: both may begin at
    /// the same time, and either may have forgotten what the other still knows.
    Unwelcome(Cause),
    /// It claims a connection that does not exist, and was certainly made by hand: to be dropped for this cause.
    Marked(Cause),
    /// It claims a connection that does not exist, as far as this host's sockets tell: to be dropped for this cause.
    OutOfState(Cause),
    /// A segment of no connection that may be a survivor of one.
    Stray,
    /// It opens a connection to a port where nothing listens, as far as this host's sockets tell.
    ClosedPort,
    /// A datagram to a port to which nothing is bound, as far as this host's sockets tell.
    UnboundPort,
}

impl Suspicion {
    /// A number that stands for it: what is found out by a function that the verifier of a BPF program reads by itself
    /// returns as one.
    pub fn number(self) -> u32 {
        let (tag, cause) = match self {
            Suspicion::None(cause) => (0, cause.index()),
            Suspicion::Certain(cause) => (1, cause.index()),
            Suspicion::Unwelcome(cause) => (2, cause.index()),
            Suspicion::Marked(cause) => (3, cause.index()),
            Suspicion::OutOfState(cause) => (4, cause.index()),
            Suspicion::Stray => (5, 0),
            Suspicion::ClosedPort => (6, 0),
            Suspicion::UnboundPort => (7, 0),
        };
        u32::from_le_bytes([cause, tag, 0, 0])
    }

    /// What a number stands for; `None` where it is none.
    pub fn from_number(number: u32) -> Option<Suspicion> {
        let [cause, tag, ..] = number.to_le_bytes();
        let cause = Cause::from_index(cause)?;
        Some(match tag {
            0 => Suspicion::None(cause),
            1 => Suspicion::Certain(cause),
            2 => Suspicion::Unwelcome(cause),
            3 => Suspicion::Marked(cause),
            4 => Suspicion::OutOfState(cause),
            5 => Suspicion::Stray,
            6 => Suspicion::ClosedPort,
            7 => Suspicion::UnboundPort,
            _ => return None,
        })
    }
}

/// Headers and flags first, because they cost no look-up; then the tables, the cheapest first.
pub fn suspect<L: Lookups>(packet: &Packet, lookups: &L) -> Suspicion {
    match classify(packet) {
        Class::Impossible(cause) => Suspicion::Certain(cause),
        Class::NotJudged(cause) => Suspicion::None(cause),
        Class::NeedsConnection(part) => suspect_segment(part, packet, lookups),
        Class::Datagram => suspect_datagram(packet, lookups),
        Class::Opens => match unwelcome(packet, lookups) {
            Some(cause) => Suspicion::Certain(cause),
            None => suspect_opening(packet, lookups),
        },
        Class::Pings => match unwelcome(packet, lookups) {
            Some(cause) => Suspicion::Certain(cause),
            None if lookups.answers_pings() => Suspicion::None(Cause::Icmp),
            None => Suspicion::Certain(Cause::PingSilenced),
        },
        Class::Associates => match unwelcome(packet, lookups) {
            None => Suspicion::None(Cause::Sctp),
            Some(cause) => Suspicion::Unwelcome(cause),
        },
    }
}

/// Why a new contact of its source is refused, if it is. What is published is for everybody.
fn unwelcome<L: Lookups>(packet: &Packet, lookups: &L) -> Option<Cause> {
    let cause = lookups.ban(packet)?;
    (!lookups.port_rule(packet).is_public(packet.transport.protocol)).then_some(cause)
}

/// A SYN.
fn suspect_opening<L: Lookups>(packet: &Packet, lookups: &L) -> Suspicion {
    match lookups.socket(packet) {
        Socket::Connected => Suspicion::None(Cause::InConnection),
        Socket::Listening | Socket::CompletesCookie => Suspicion::None(Cause::NewConnection),
        Socket::Absent if lookups.port_rule(packet).is_decoy(packet.transport.protocol) => {
            Suspicion::Certain(Cause::DecoyPort)
        }
        Socket::Absent if lookups.listened_lately(Listener::of_incoming(packet)) => {
            Suspicion::None(Cause::RecentPort)
        }
        Socket::Absent => Suspicion::ClosedPort,
    }
}

/// A segment that claims a connection.
fn suspect_segment<L: Lookups>(part: Part, packet: &Packet, lookups: &L) -> Suspicion {
    match lookups.socket(packet) {
        Socket::Connected => Suspicion::None(Cause::InConnection),
        Socket::CompletesCookie => Suspicion::None(Cause::SynCookie),
        Socket::Listening | Socket::Absent => suspect_disconnected(part, &packet.transport.segment),
    }
}

/// A segment that claims a connection which does not exist.
fn suspect_disconnected(part: Part, segment: &Segment) -> Suspicion {
    match part {
        // Never answered, so it tells a scanner nothing, while a late one may end a connection elsewhere.
        Part::Resets => Suspicion::None(Cause::StrayReset),
        // Closed ports answer it and open ones do not: the only one of these that tells them apart.
        Part::Cancels => Suspicion::OutOfState(Cause::FinProbe),
        // Nobody waits for the RST: whoever sends it without our SYN holds no connection of ours, but may
        // use our answer to count the packets of an idle host.
        Part::Accepts => Suspicion::OutOfState(Cause::SynAckProbe),
        Part::Carries if has_scanners_mark(segment) => Suspicion::Marked(Cause::AckProbe),
        Part::Ends if has_scanners_mark(segment) => Suspicion::Marked(Cause::MaimonProbe),
        Part::Carries | Part::Ends => Suspicion::Stray,
    }
}

/// Whether a segment of no connection was certainly made by hand: initial sequence numbers are random
/// (RFC 9293 §3.4.1), so a real one carries the number 0 once in 2³² segments, while nmap's ACK, Window and
/// Maimon scans carry nothing else.
fn has_scanners_mark(segment: &Segment) -> bool {
    segment.sequence == 0
}

/// A UDP datagram.
fn suspect_datagram<L: Lookups>(packet: &Packet, lookups: &L) -> Suspicion {
    if packet.is_for_group() || is_dhcp(packet) {
        return Suspicion::None(Cause::Udp);
    }
    let socket = lookups.socket(packet);
    match socket {
        Socket::Connected => return Suspicion::None(Cause::Udp),
        Socket::Listening | Socket::CompletesCookie | Socket::Absent => {}
    }
    let refused = unwelcome(packet, lookups);
    match (socket, refused) {
        (Socket::Connected | Socket::Listening | Socket::CompletesCookie, None) => {
            Suspicion::None(Cause::Udp)
        }
        (_, Some(_)) | (Socket::Absent, None) if lookups.has_spoken(packet) => Suspicion::None(Cause::InFlow),
        (_, Some(cause)) => Suspicion::Certain(cause),
        (Socket::Absent, None) if lookups.port_rule(packet).is_decoy(packet.transport.protocol) => {
            Suspicion::Certain(Cause::DecoyPort)
        }
        (Socket::Absent, None) => Suspicion::UnboundPort,
    }
}

/// Whether it is for a DHCP client or server (RFC 2131 §4.1, RFC 8415 §7.2): those listen below the socket table.
fn is_dhcp(packet: &Packet) -> bool {
    let Port(port) = packet.transport.ports.destination;
    matches!(port, 67 | 68 | 546 | 547)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_leads_back_to_the_suspicion() {
        let of_cause = |cause| {
            [
                Suspicion::None(cause),
                Suspicion::Certain(cause),
                Suspicion::Unwelcome(cause),
                Suspicion::Marked(cause),
                Suspicion::OutOfState(cause),
            ]
        };
        let all = Cause::ALL.iter().flat_map(|cause| of_cause(*cause));
        for suspicion in all.chain([Suspicion::Stray, Suspicion::ClosedPort, Suspicion::UnboundPort]) {
            assert_eq!(Suspicion::from_number(suspicion.number()), Some(suspicion));
        }
        assert_eq!(Suspicion::from_number(0x0800), None);
        assert_eq!(Suspicion::from_number(0x00ff), None);
    }
}
