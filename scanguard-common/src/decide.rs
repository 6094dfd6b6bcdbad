//! Step 4, decide: one cause for every packet.

use crate::cause::Cause;
use crate::classify::{Class, Part, classify};
use crate::flow::{Destination, Lookups, Socket};
use crate::parse::Packet;
use crate::parse::transport::Segment;

/// Decides about one incoming packet: why it passes or is dropped. [`Cause::action`] says which.
pub fn decide<L: Lookups>(packet: &Packet, lookups: &L) -> Cause {
    match suspect(packet, lookups) {
        Suspicion::None(cause) => cause,
        Suspicion::Marked(_) | Suspicion::OutOfState(_) | Suspicion::Stray if lookups.has_spoken(packet) => {
            Cause::InFlow
        }
        Suspicion::Impossible(cause) | Suspicion::Marked(cause) => match mercy(packet, lookups) {
            // Translating its address would not make it any better.
            None | Some(Cause::MaybeTranslated) => cause,
            Some(mercy) => mercy,
        },
        Suspicion::OutOfState(cause) => mercy(packet, lookups).unwrap_or(cause),
        Suspicion::Stray => mercy(packet, lookups).unwrap_or_else(|| {
            if lookups.spend_on_stray(packet.sender()) { Cause::Stray } else { Cause::StrayFlood }
        }),
        Suspicion::ClosedPort => mercy(packet, lookups).unwrap_or(Cause::ClosedPort),
    }
}

/// What a packet looks like before anything is held in its favour.
enum Suspicion {
    /// Legitimate, or none of our business, for this cause.
    None(Cause),
    /// No stack sends it, whatever it belongs to: to be dropped for this cause.
    Impossible(Cause),
    /// It claims a connection that does not exist, and was certainly made by hand: to be dropped for this cause.
    Marked(Cause),
    /// It opens a connection to a port where nothing listens, as far as this host's sockets tell.
    ClosedPort,
    /// It claims a connection that does not exist, as far as this host's sockets tell: to be dropped for this cause.
    OutOfState(Cause),
    /// A segment of no connection that may be a survivor of one.
    Stray,
}

/// Headers and flags first, because they cost no look-up; then the socket table.
fn suspect<L: Lookups>(packet: &Packet, lookups: &L) -> Suspicion {
    match classify(packet) {
        Class::Impossible(cause) => Suspicion::Impossible(cause),
        Class::NotJudged(cause) => Suspicion::None(cause),
        Class::Opens => match lookups.socket(packet) {
            Socket::Connected => Suspicion::None(Cause::InConnection),
            Socket::Listening | Socket::CompletesCookie => Suspicion::None(Cause::NewConnection),
            Socket::Absent if lookups.listened_lately(packet.transport.ports.destination) => {
                Suspicion::None(Cause::RecentPort)
            }
            Socket::Absent => Suspicion::ClosedPort,
        },
        Class::NeedsConnection(part) => match lookups.socket(packet) {
            Socket::Connected => Suspicion::None(Cause::InConnection),
            Socket::CompletesCookie => Suspicion::None(Cause::SynCookie),
            Socket::Listening | Socket::Absent => suspect_disconnected(part, &packet.transport.segment),
        },
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

/// What speaks for a packet that is about to be dropped: the cause for which it passes after all.
fn mercy<L: Lookups>(packet: &Packet, lookups: &L) -> Option<Cause> {
    if packet.is_for_group() {
        return Some(Cause::NotUnicast);
    }
    if lookups.allows(packet.source) {
        return Some(Cause::Allowed);
    }
    match lookups.destination(packet) {
        Destination::Ours => None,
        Destination::OursOrTranslated => Some(Cause::MaybeTranslated),
        Destination::Group => Some(Cause::NotUnicast),
        Destination::OtherStation => Some(Cause::OtherStation),
        Destination::Forwarded => Some(Cause::Forwarded),
        Destination::Unknown => Some(Cause::UnknownDestination),
    }
}
