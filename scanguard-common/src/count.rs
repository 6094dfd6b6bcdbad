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

/// How many events there were, and what became of them, as one processor counted them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventCounts {
    told: u64,
    folded: u64,
    lost: u64,
}

const _: () = assert!(size_of::<EventCounts>() == 24);

impl EventCounts {
    /// One more event reached the ring buffer.
    #[must_use]
    pub fn with_told(self) -> EventCounts {
        EventCounts { told: self.told.wrapping_add(1), ..self }
    }

    /// One more event was withheld by the rate limit.
    #[must_use]
    pub fn with_folded(self) -> EventCounts {
        EventCounts { folded: self.folded.wrapping_add(1), ..self }
    }

    /// One more event found the ring buffer full.
    #[must_use]
    pub fn with_lost(self) -> EventCounts {
        EventCounts { lost: self.lost.wrapping_add(1), ..self }
    }

    /// Both together; the sum over processors is the truth.
    #[must_use]
    pub fn merged(self, other: EventCounts) -> EventCounts {
        EventCounts {
            told: self.told.wrapping_add(other.told),
            folded: self.folded.wrapping_add(other.folded),
            lost: self.lost.wrapping_add(other.lost),
        }
    }

    /// Events that reached the ring buffer.
    pub fn told(self) -> u64 {
        self.told
    }

    /// Events withheld by the rate limit.
    pub fn folded(self) -> u64 {
        self.folded
    }

    /// Events that found the ring buffer full.
    pub fn lost(self) -> u64 {
        self.lost
    }
}
