//! Step 4, decide: one cause for every frame.

use crate::cause::Cause;
use crate::classify::{Class, Part, classify};
use crate::flow::{Destination, Lookups, Socket};
use crate::frame::Frame;
use crate::key::Address;
use crate::parse::transport::{Segment, Transport};
use crate::parse::{Packet, parse};

/// The decision about one frame, and what it was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Why the frame passes or is dropped: [`Cause::action`] says which.
    pub cause: Cause,
    /// The packet, where the frame could be understood.
    pub packet: Option<Packet>,
}

/// Judges one incoming frame.
pub fn judge<F: Frame + ?Sized, L: Lookups>(frame: &F, lookups: &L) -> Judgement {
    match parse(frame) {
        Ok(packet) => Judgement { cause: decide(&packet, lookups), packet: Some(packet) },
        Err(cause) => Judgement { cause, packet: None },
    }
}

fn decide<L: Lookups>(packet: &Packet, lookups: &L) -> Cause {
    let suspicion = match packet.transport {
        Transport::Tcp(segment) => suspect_segment(packet, &segment, lookups),
        Transport::Udp(_) => Suspicion::None(Cause::Udp),
        Transport::Icmp(_) => Suspicion::None(Cause::Icmp),
        Transport::Sctp(_) => Suspicion::None(Cause::Sctp),
        Transport::Other(_) => Suspicion::None(Cause::OtherProtocol),
    };
    match suspicion {
        Suspicion::None(cause) => cause,
        Suspicion::Probe(cause) => mercy(packet, lookups).unwrap_or(cause),
        Suspicion::Stray => mercy(packet, lookups).unwrap_or_else(|| {
            if lookups.spend_on_stray(&Address::of_source(&packet.addresses)) {
                Cause::Stray
            } else {
                Cause::StrayFlood
            }
        }),
    }
}

/// What a packet looks like before anything is held in its favour.
enum Suspicion {
    /// Legitimate, or none of our business, for this cause.
    None(Cause),
    /// A probe, to be dropped for this cause.
    Probe(Cause),
    /// A segment of no connection that may be a survivor of one.
    Stray,
}

/// Flags first, because they cost no look-up; then the socket table.
fn suspect_segment<L: Lookups>(packet: &Packet, segment: &Segment, lookups: &L) -> Suspicion {
    match classify(segment.flags) {
        Class::Impossible(cause) => Suspicion::Probe(cause),
        Class::Opens => match lookups.socket(packet, segment) {
            Socket::Connected => Suspicion::None(Cause::InConnection),
            Socket::Listening | Socket::CompletesCookie => Suspicion::None(Cause::NewConnection),
            Socket::Absent => Suspicion::Probe(Cause::ClosedPort),
        },
        Class::NeedsConnection(part) => match lookups.socket(packet, segment) {
            Socket::Connected => Suspicion::None(Cause::InConnection),
            Socket::CompletesCookie => Suspicion::None(Cause::SynCookie),
            Socket::Listening | Socket::Absent => suspect_disconnected(part, segment),
        },
    }
}

/// A segment that claims a connection which does not exist.
fn suspect_disconnected(part: Part, segment: &Segment) -> Suspicion {
    match part {
        // Never answered, so it tells a scanner nothing, while a late one may end a connection elsewhere.
        Part::Resets => Suspicion::None(Cause::StrayReset),
        // Closed ports answer it and open ones do not: the only one of these that tells them apart.
        Part::Cancels => Suspicion::Probe(Cause::FinProbe),
        // Nobody waits for the RST: whoever sends it without our SYN holds no connection of ours, but may
        // use our answer to count the packets of an idle host.
        Part::Accepts => Suspicion::Probe(Cause::SynAckProbe),
        Part::Carries if has_scanners_mark(segment) => Suspicion::Probe(Cause::AckProbe),
        Part::Ends if has_scanners_mark(segment) => Suspicion::Probe(Cause::MaimonProbe),
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
    if !packet.is_unicast() {
        return Some(Cause::NotUnicast);
    }
    if lookups.allows(&Address::of_source(&packet.addresses)) {
        return Some(Cause::Allowed);
    }
    match lookups.destination(packet) {
        Destination::Ours => None,
        Destination::OtherStation => Some(Cause::OtherStation),
        Destination::Forwarded => Some(Cause::Forwarded),
        Destination::Unknown => Some(Cause::UnknownDestination),
    }
}
