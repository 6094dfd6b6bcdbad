//! Step 4, decide: one cause for every packet.

use crate::cause::Cause;
use crate::classify::{Class, Part, classify};
use crate::flow::{Destination, Lookups, Socket};
use crate::parse::Packet;
use crate::parse::transport::{Port, Segment};

/// Decides about one incoming packet: why it passes or is dropped. [`Cause::action`] says which.
#[inline(never)] // a frame on the BPF stack that is gone before the next step has its own
pub fn decide<L: Lookups>(packet: &Packet, lookups: &L) -> Cause {
    let suspicion = suspect(packet, lookups);
    match suspicion {
        Suspicion::None(cause) => cause,
        Suspicion::Certain(cause) if lookups.was_dropped_lately(packet, cause) => cause,
        Suspicion::Marked(_) | Suspicion::OutOfState(_) | Suspicion::Stray if lookups.has_spoken(packet) => {
            Cause::InFlow
        }
        Suspicion::Certain(_)
        | Suspicion::Marked(_)
        | Suspicion::OutOfState(_)
        | Suspicion::Stray
        | Suspicion::ClosedPort
        | Suspicion::UnboundPort => match mercy(packet, lookups) {
            Mercy::Passes(cause) => cause,
            Mercy::Doubt => settle(suspicion, packet, lookups, lookups.is_learning()),
            Mercy::None => settle(suspicion, packet, lookups, false),
        },
    }
}

/// What a packet looks like before anything is held in its favour.
#[derive(Clone, Copy)]
enum Suspicion {
    /// Legitimate, or none of our business, for this cause.
    None(Cause),
    /// To be dropped for this cause, whatever flow it belongs to.
    Certain(Cause),
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

/// Headers and flags first, because they cost no look-up; then the tables, the cheapest first.
fn suspect<L: Lookups>(packet: &Packet, lookups: &L) -> Suspicion {
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
        Socket::Absent if lookups.listened_lately(packet.transport.ports.destination) => {
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

/// What speaks for a packet that is about to be dropped.
enum Mercy {
    /// Nothing.
    None,
    /// It may be for a guest behind this host, or for a redirected port.
    Doubt,
    /// It passes for this cause.
    Passes(Cause),
}

fn mercy<L: Lookups>(packet: &Packet, lookups: &L) -> Mercy {
    if packet.is_for_group() {
        return Mercy::Passes(Cause::NotUnicast);
    }
    if lookups.allows(packet.source) {
        return Mercy::Passes(Cause::Allowed);
    }
    match lookups.destination(packet) {
        Destination::Ours => Mercy::None,
        Destination::OursOrTranslated => Mercy::Doubt,
        Destination::Group => Mercy::Passes(Cause::NotUnicast),
        Destination::OtherStation => Mercy::Passes(Cause::OtherStation),
        Destination::Forwarded => Mercy::Passes(Cause::Forwarded),
        Destination::Unknown => Mercy::Passes(Cause::UnknownDestination),
    }
}

/// What becomes of a suspect for whom nothing speaks. While connections of guests are still being `learned`, none that
/// claims one is blamed.
fn settle<L: Lookups>(suspicion: Suspicion, packet: &Packet, lookups: &L, learned: bool) -> Cause {
    match suspicion {
        Suspicion::None(cause) | Suspicion::Certain(cause) | Suspicion::Marked(cause) => cause,
        Suspicion::OutOfState(_) | Suspicion::Stray if learned => Cause::MaybeTranslated,
        Suspicion::OutOfState(cause) => cause,
        Suspicion::Stray if lookups.spend_on_stray(packet.sender()) => Cause::Stray,
        Suspicion::Stray => Cause::StrayFlood,
        Suspicion::ClosedPort if lookups.is_closed(packet) => Cause::ClosedPort,
        Suspicion::ClosedPort | Suspicion::UnboundPort => Cause::UnprovenPort,
    }
}
