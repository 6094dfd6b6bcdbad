//! Marks that only two packets of one source show together.

use super::opening::is_small;
use super::translation::masscan_constant;
use super::{Signature, Traits};
use crate::parse::Packet;
use crate::parse::network::{Family, IpProtocol};
use crate::parse::transport::Ports;

/// What the last packet of one source leaves behind, to compare the next one with.
///
/// Kept for each source by the caller, who asks for TCP only: for SYNs that open, and for segments of no connection that
/// are no RST. Two different packets that share a number which stacks draw at random were written by one tool; a packet
/// that was sent twice is no other one. How long ago the last one was makes no difference to that.
///
/// Sixteen bytes, of which each half is valid with whatever the other one holds.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Sequence number, source port, destination port; together in one word, because a record torn between
    /// two processors must not pair the number of one packet with the ports of another.
    last: u64,
    /// The sequence number without what unicornscan puts into it.
    remainder: u32,
    /// The identification without what masscan puts into it.
    constant: u16,
    hop_limit: u8,
    /// [`Trace::PRESENT`], [`Trace::FRAGMENTABLE`], and how often the constant was repeated.
    marks: u8,
}

const _: () = assert!(size_of::<Trace>() == 16);

impl Trace {
    /// There was a packet.
    const PRESENT: u8 = 1;
    /// It was IPv4 that may be fragmented, which nmap and masscan both send: constant and hop limit mean something.
    const FRAGMENTABLE: u8 = 2;
    /// The constant was the same as the one before.
    const REPEATED: u8 = 4;

    /// Compares one more packet of the source with the last one: what is left behind now, and what both show.
    #[must_use]
    pub fn next(self, packet: &Packet, traits: &Traits) -> (Trace, Option<Signature>) {
        if packet.transport.protocol != IpProtocol::TCP {
            return (self, None);
        }
        let mut next = Trace::of(packet, traits);
        if self.marks & Trace::PRESENT == 0 || self.last == next.last {
            next.marks |= self.marks & Trace::REPEATED;
            return (next, None);
        }
        if next.repeats_constant(self) {
            next.marks |= Trace::REPEATED;
        }
        (next, next.shows(self))
    }

    fn of(packet: &Packet, traits: &Traits) -> Trace {
        let segment = &packet.transport.segment;
        let Ports { source, destination } = packet.transport.ports;
        let ports = u32::from(source.0) << 16 | u32::from(destination.0);
        let [.., address] = packet.destination.words();
        let constant = masscan_constant(packet, traits).filter(|_| is_small(segment.window, traits));
        let fragmentable = if constant.is_some() { Trace::FRAGMENTABLE } else { 0 };
        Trace {
            last: u64::from(segment.sequence) << 32 | u64::from(ports),
            remainder: match packet.family {
                // The address as a little-endian number, as it lies in the memory of most machines.
                Family::V4 => segment.sequence ^ u32::from_be(address).swap_bytes() ^ ports.rotate_left(16),
                Family::V6 => segment.sequence,
            },
            constant: constant.unwrap_or_default(),
            hop_limit: traits.hop_limit,
            marks: Trace::PRESENT | fragmentable,
        }
    }

    /// What this packet and the `earlier` one, which differ, show together: the most certain first.
    fn shows(self, earlier: Trace) -> Option<Signature> {
        if self.repeats_sequence(earlier) {
            Some(Signature::RepeatedSequence)
        } else if self.retries(earlier) {
            Some(Signature::NmapRetry)
        } else if self.remainder == earlier.remainder && self.sequence() != earlier.sequence() {
            Some(Signature::UnicornscanRun)
        } else if self.marks & Trace::REPEATED != 0 {
            let run = earlier.marks & Trace::REPEATED != 0;
            Some(if run { Signature::MasscanRun } else { Signature::MasscanPair })
        } else if self.is_from_elsewhere(earlier) {
            Some(Signature::HopLimitSpread)
        } else {
            None
        }
    }

    /// Nothing: there was no packet.
    const NONE: Trace = Trace { last: 0, remainder: 0, constant: 0, hop_limit: 0, marks: 0 };

    fn sequence(self) -> u32 {
        (self.last >> 32) as u32
    }

    fn source_port(self) -> u16 {
        (self.last >> 16 & 0xffff) as u16
    }

    /// Whether source port and sequence number are the same: then the destination port is not.
    fn repeats_sequence(self, earlier: Trace) -> bool {
        (self.last ^ earlier.last) >> 16 == 0
    }

    /// Whether these are two tries of one probe. nmap adds the number of the try to the source port, and folds it into
    /// both halves of the sequence number, where the difference of the folds is no larger than four bits.
    fn retries(self, earlier: Trace) -> bool {
        const MOST_TRIES: u32 = 10;
        let difference = self.sequence() ^ earlier.sequence();
        let tries = difference & 0xffff;
        let ports = u32::from(self.source_port().abs_diff(earlier.source_port()));
        difference >> 16 == tries && (1..16).contains(&tries) && (1..=MOST_TRIES).contains(&ports)
    }

    fn repeats_constant(self, earlier: Trace) -> bool {
        // Small devices may begin every connection with the same number and identification.
        let is_other_number = self.sequence() != earlier.sequence();
        self.are_fragmentable(earlier) && self.constant == earlier.constant && is_other_number
    }

    /// Whether one source is at two distances. nmap draws the time to live from 37 to 59.
    fn is_from_elsewhere(self, earlier: Trace) -> bool {
        self.are_fragmentable(earlier) && (6..=22).contains(&self.hop_limit.abs_diff(earlier.hop_limit))
    }

    fn are_fragmentable(self, earlier: Trace) -> bool {
        self.marks & earlier.marks & Trace::FRAGMENTABLE != 0
    }
}

/// What the last packet of one of many sources leaves behind: they share a place, in which each replaces the other.
///
/// A source of which nothing is left is in no danger, because nothing but two packets of its own can show anything.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// The spread of the source that was here last.
    source: u64,
    trace: Trace,
}

const _: () = assert!(size_of::<Left>() == 24);

impl Left {
    /// Compares one more packet of the source of this spread with the last that was here, if that was the same one's.
    pub fn compare(&mut self, source: u64, packet: &Packet, traits: &Traits) -> Option<Signature> {
        let last = if self.source == source { self.trace } else { Trace::NONE };
        let (next, signature) = last.next(packet, traits);
        *self = Left { source, trace: next };
        signature
    }
}
