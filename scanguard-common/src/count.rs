//! How much of what: one [`Tally`] for each interface and cause.

use crate::cause::Cause;
use crate::schema::InterfaceSlot;

/// Packets and bytes of one cause on one interface, as one processor counted them.
///
/// Bytes are those of the frame, link-layer header included and frame check sequence excluded.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    packets: u64,
    bytes: u64,
}

const _: () = assert!(size_of::<Tally>() == 16);

impl Tally {
    /// One more packet of `bytes` bytes.
    #[must_use]
    pub fn plus(self, bytes: u64) -> Tally {
        Tally { packets: self.packets.wrapping_add(1), bytes: self.bytes.wrapping_add(bytes) }
    }

    /// Both together; the sum over processors is the truth.
    #[must_use]
    pub fn merged(self, other: Tally) -> Tally {
        Tally {
            packets: self.packets.wrapping_add(other.packets),
            bytes: self.bytes.wrapping_add(other.bytes),
        }
    }

    /// How many packets.
    pub fn packets(self) -> u64 {
        self.packets
    }

    /// How many bytes.
    pub fn bytes(self) -> u64 {
        self.bytes
    }
}

/// The number of tallies kept for each interface: room for causes to come, so that their number can grow
/// without a new layout.
pub const CAUSES_PER_INTERFACE: u32 = 64;

/// Where the tally of an interface and a cause stands in the counters' array.
pub fn index(slot: InterfaceSlot, cause: Cause) -> u32 {
    slot.number() * CAUSES_PER_INTERFACE + u32::from(cause.index())
}

/// Where, behind the tallies of an interface's causes, its drops are counted of which an event was made. Of the others
/// the next event of their source and cause tells, so that dropping one need not count twice.
pub fn told_index(slot: InterfaceSlot) -> u32 {
    slot.number() * CAUSES_PER_INTERFACE + TOLD
}

const TOLD: u32 = CAUSES_PER_INTERFACE - 1;

const _: () = assert!(Cause::ALL.len() <= TOLD as usize, "its place is nobody else's");

/// What else is counted: what became of events, and of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// An event reached the ring buffer.
    Told = 0,
    /// An event found the ring buffer full.
    Lost = 1,
    /// A source was banned.
    Banned = 2,
    /// A source should have been banned, but the table of bans was full.
    BansFull = 3,
    /// A source was pushed out by another before it could make a second contact, within a minute of its first, or a packet
    /// was not looked at so that none is.
    Crowded = 4,
}

/// How many of each [`Note`] there were, as one processor counted them.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes([u64; 5]);

const _: () = assert!(size_of::<Notes>() == 40);

impl Notes {
    /// One more of these.
    #[must_use]
    pub fn plus(mut self, note: Note) -> Notes {
        if let Some(count) = self.0.get_mut(note as usize) {
            *count = count.wrapping_add(1);
        }
        self
    }

    /// Both together; the sum over processors is the truth.
    #[must_use]
    pub fn merged(self, other: Notes) -> Notes {
        let mut sum = self;
        for (count, more) in sum.0.iter_mut().zip(other.0) {
            *count = count.wrapping_add(more);
        }
        sum
    }

    /// How many of these.
    pub fn of(self, note: Note) -> u64 {
        self.0.get(note as usize).copied().unwrap_or_default()
    }
}
