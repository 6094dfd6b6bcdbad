//! What the operator is told of a drop, and how often.

use crate::cause::Cause;
use crate::key::Address;
use crate::parse::Packet;
use crate::schema::InterfaceSlot;
use crate::time::Nanos;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A packet was dropped.
    Dropped {
        /// Drops of the same source, destination and cause that were not told since the last one that was.
        folded: u32,
    },
    /// Its source was banned.
    Banned {
        /// For so many seconds.
        seconds: u32,
    },
    /// Its source should have been banned, but the table of bans is full.
    BansFull,
    /// So many sources came at once that some were forgotten before they could be told from scanners.
    Crowded,
}

impl News {
    /// Two numbers that stand for it: as such they travel, because of an enum's fields only those of one variant are
    /// there, and the verifier refuses to see the others passed on ("R5 !read_ok").
    pub fn numbers(self) -> (u8, u32) {
        match self {
            News::Dropped { folded } => (0, folded),
            News::Banned { seconds } => (1, seconds),
            News::BansFull => (2, 0),
            News::Crowded => (3, 0),
        }
    }

    fn from_numbers(kind: u8, number: u32) -> Option<News> {
        match kind {
            0 => Some(News::Dropped { folded: number }),
            1 => Some(News::Banned { seconds: number }),
            2 => Some(News::BansFull),
            3 => Some(News::Crowded),
            _ => None,
        }
    }
}

/// One event: what happened, and the packet by which it did.
///
/// Numbers are in the order of the machine, addresses in that of the wire.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    time: u64,
    number: u32,
    sequence: u32,
    source: Address,
    destination: Address,
    source_port: u16,
    destination_port: u16,
    flags: u16,
    window: u16,
    interface: u32,
    cause: u8,
    kind: u8,
    label: u8,
    _unused: u8,
}

/// Bytes of one event.
pub const EVENT_LENGTH: usize = size_of::<Event>();

const _: () = assert!(EVENT_LENGTH == 64, "one cache line");

impl Event {
    /// The event of `packet`, which is dropped or passes for `cause` on an interface. `label` is the number of its
    /// tool's signature, or 0; `news` is what [`News::numbers`] makes of what happened.
    pub fn new(
        time: Nanos,
        interface: InterfaceSlot,
        (cause, label): (Cause, u8),
        packet: &Packet,
        (kind, number): (u8, u32),
    ) -> Event {
        let segment = packet.transport.segment;
        Event {
            time: time.0,
            number,
            sequence: segment.sequence,
            source: packet.source,
            destination: packet.destination,
            source_port: packet.transport.ports.source.0,
            destination_port: packet.transport.ports.destination.0,
            flags: segment.flags.bits(),
            window: segment.window,
            interface: interface.number(),
            cause: cause.index(),
            kind,
            label,
            _unused: 0,
        }
    }

    /// Reads an event from the bytes of the ring buffer; `None` where their number is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Option<Event> {
        if bytes.len() != EVENT_LENGTH {
            return None;
        }
        Some(Event {
            time: u64::from_ne_bytes(chunk(bytes, 0)?),
            number: u32::from_ne_bytes(chunk(bytes, 8)?),
            sequence: u32::from_ne_bytes(chunk(bytes, 12)?),
            source: Address::v6(chunk(bytes, 16)?),
            destination: Address::v6(chunk(bytes, 32)?),
            source_port: u16::from_ne_bytes(chunk(bytes, 48)?),
            destination_port: u16::from_ne_bytes(chunk(bytes, 50)?),
            flags: u16::from_ne_bytes(chunk(bytes, 52)?),
            window: u16::from_ne_bytes(chunk(bytes, 54)?),
            interface: u32::from_ne_bytes(chunk(bytes, 56)?),
            cause: u8::from_ne_bytes(chunk(bytes, 60)?),
            kind: u8::from_ne_bytes(chunk(bytes, 61)?),
            label: u8::from_ne_bytes(chunk(bytes, 62)?),
            _unused: 0,
        })
    }

    /// When it happened, on the kernel's monotonic clock.
    pub fn time(&self) -> Nanos {
        Nanos(self.time)
    }

    /// What happened; `None` where a newer program tells of things that this code does not know.
    pub fn news(&self) -> Option<News> {
        News::from_numbers(self.kind, self.number)
    }

    /// The number of the signature of its tool; 0 where there was none.
    pub fn label(&self) -> u8 {
        self.label
    }

    /// TCP sequence number; 0 where there is none.
    pub fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Who sent the packet, as it claimed: 16 bytes, IPv4 in its mapped form.
    pub fn source(&self) -> [u8; 16] {
        self.source.bytes()
    }

    /// Whom it was for: 16 bytes, IPv4 in its mapped form.
    pub fn destination(&self) -> [u8; 16] {
        self.destination.bytes()
    }

    /// The sender's port; 0 where there is none.
    pub fn source_port(&self) -> u16 {
        self.source_port
    }

    /// The port that was probed; 0 where there is none.
    pub fn destination_port(&self) -> u16 {
        self.destination_port
    }

    /// TCP flags, the low twelve bits: see [`TcpFlags`](crate::classify::flags::TcpFlags).
    pub fn flags(&self) -> u16 {
        self.flags
    }

    /// TCP window, unscaled.
    pub fn window(&self) -> u16 {
        self.window
    }

    /// On which interface; `None` where a newer program counts further than this code does.
    pub fn interface(&self) -> Option<InterfaceSlot> {
        InterfaceSlot::new(self.interface)
    }

    /// Why it was dropped; `None` where a newer program knows causes that this code does not.
    pub fn cause(&self) -> Option<Cause> {
        Cause::from_index(self.cause)
    }
}

fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// How long a source, destination and cause stay silent after an event, in nanoseconds.
pub const EVENT_INTERVAL: u64 = Nanos::SECOND;

/// One slot of the table that limits the rate of events, and remembers what was dropped.
///
/// The table is direct-mapped and of fixed size, so it bounds the rate of all events together, also when a
/// flood comes from more sources than could be kept apart: a slot that told less than [`EVENT_INTERVAL`] ago
/// tells nothing more, whoever asks. Counters do not depend on it.
///
/// Whoever holds a slot has just been dropped with nothing to speak for him, which need not be asked again for each
/// packet of a flood.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventGate {
    told_at: u64,
    tag: u32,
    folded: u32,
}

const _: () = assert!(size_of::<EventGate>() == 16);

/// What a gate says to one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Tell it, and that `folded` others like it were not told.
    Tell {
        /// Drops of the same source, destination and cause that were not told since the last one that was.
        folded: u32,
    },
    /// Withhold it.
    Fold,
}

impl EventGate {
    /// Whether what has this spread was told of within the last interval.
    pub fn holds(self, spread: u64, now: Nanos) -> bool {
        self.tag == tag(spread) && self.told_at != 0 && now.since(Nanos(self.told_at)) < EVENT_INTERVAL
    }

    /// The same, with so many more that were not told of, if it is theirs.
    #[must_use]
    pub fn fold(self, spread: u64, more: u32) -> EventGate {
        if self.tag == tag(spread) {
            EventGate { folded: self.folded.saturating_add(more), ..self }
        } else {
            self
        }
    }

    /// Asks for one more event of the source, destination and cause whose spread is `spread`: the gate afterwards, and
    /// its answer. The lower bits of the spread have chosen the slot; the upper half tells who holds it.
    pub fn ask(self, spread: u64, now: Nanos) -> (EventGate, Answer) {
        let tag = tag(spread);
        let same = self.tag == tag;
        if now.since(Nanos(self.told_at)) < EVENT_INTERVAL && self.told_at != 0 {
            let folded = self.folded.saturating_add(u32::from(same));
            return (EventGate { folded, ..self }, Answer::Fold);
        }
        let folded = if same { self.folded } else { 0 };
        (EventGate { told_at: now.0, tag, folded: 0 }, Answer::Tell { folded })
    }
}

fn tag(spread: u64) -> u32 {
    let [.., t0, t1, t2, t3] = spread.to_le_bytes();
    u32::from_le_bytes([t0, t1, t2, t3])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: u64 = 0x1111_1111_0000_0000;
    const OTHER: u64 = 0x2222_2222_0000_0000;

    #[test]
    fn the_first_is_told_and_the_next_ones_are_folded_into_the_one_after_the_interval() {
        let start = Nanos(5 * EVENT_INTERVAL);
        let (gate, first) = EventGate::default().ask(ONE, start);
        assert_eq!(first, Answer::Tell { folded: 0 });
        let (gate, second) = gate.ask(ONE, start.after(1));
        assert_eq!(second, Answer::Fold);
        let (gate, third) = gate.ask(ONE, start.after(EVENT_INTERVAL - 1));
        assert_eq!(third, Answer::Fold);
        let (_, fourth) = gate.ask(ONE, start.after(EVENT_INTERVAL));
        assert_eq!(fourth, Answer::Tell { folded: 2 });
    }

    #[test]
    fn another_source_in_the_same_slot_waits_and_takes_no_blame() {
        let start = Nanos(5 * EVENT_INTERVAL);
        let (gate, _) = EventGate::default().ask(ONE, start);
        let (gate, crowded_out) = gate.ask(OTHER, start.after(1));
        assert_eq!(crowded_out, Answer::Fold);
        let (gate, _) = gate.ask(ONE, start.after(2));
        let (_, taken_over) = gate.ask(OTHER, start.after(EVENT_INTERVAL));
        assert_eq!(taken_over, Answer::Tell { folded: 0 });
    }

    #[test]
    fn what_was_folded_elsewhere_is_told_by_whom_it_belongs_to() {
        let start = Nanos(5 * EVENT_INTERVAL);
        let (gate, _) = EventGate::default().ask(ONE, start);
        let (_, answer) = gate.fold(OTHER, 7).fold(ONE, 3).ask(ONE, start.after(EVENT_INTERVAL));
        assert_eq!(answer, Answer::Tell { folded: 3 });
    }

    #[test]
    fn a_slot_is_held_for_an_interval_by_one() {
        let start = Nanos(5 * EVENT_INTERVAL);
        let (gate, _) = EventGate::default().ask(ONE, start);
        assert!(gate.holds(ONE, start.after(EVENT_INTERVAL - 1)));
        assert!(!gate.holds(ONE, start.after(EVENT_INTERVAL)));
        assert!(!gate.holds(OTHER, start));
        assert!(!EventGate::default().holds(0, Nanos(0)));
    }

    #[test]
    fn news_are_read_as_they_were_written() {
        for news in
            [News::Dropped { folded: 3 }, News::Banned { seconds: 600 }, News::BansFull, News::Crowded]
        {
            let (kind, number) = news.numbers();
            assert_eq!(News::from_numbers(kind, number), Some(news));
        }
        assert_eq!(News::from_numbers(u8::MAX, 0), None);
    }

    #[test]
    fn bytes_of_another_length_are_no_event() {
        assert_eq!(Event::from_bytes(&[0; EVENT_LENGTH - 1]), None);
        assert_eq!(Event::from_bytes(&[0; EVENT_LENGTH + 1]), None);
        assert!(Event::from_bytes(&[0; EVENT_LENGTH]).is_some());
    }
}
