//! Points in time and spans of time. Where they come from is the caller's affair.

/// A point in time: nanoseconds on a clock that never goes back (`CLOCK_MONOTONIC` in the kernel).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanos(pub u64);

impl Nanos {
    /// One second.
    pub const SECOND: u64 = 1_000_000_000;

    /// The point `span` nanoseconds later, or the last one there is.
    #[must_use]
    pub fn after(self, span: u64) -> Nanos {
        Nanos(self.0.saturating_add(span))
    }

    /// Nanoseconds since `earlier`; none if that is not earlier, as may be when two processors' clocks are
    /// read in turn.
    #[must_use]
    pub fn since(self, earlier: Nanos) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A point in time: whole seconds on the same clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub u32);

impl Seconds {
    /// The second in which a nanosecond lies: after 136 years they begin again.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "to ask whether it fits is a fork in the way of the verifier"
    )]
    pub fn of(now: Nanos) -> Seconds {
        Seconds((now.0 / Nanos::SECOND) as u32)
    }

    /// The point so many seconds later, or the last one there is.
    #[must_use]
    pub fn after(self, seconds: u32) -> Seconds {
        Seconds(self.0.saturating_add(seconds))
    }

    /// Seconds since `earlier`; none if that is not earlier.
    #[must_use]
    pub fn since(self, earlier: Seconds) -> u32 {
        self.0.saturating_sub(earlier.0)
    }

    /// The lower 16 bits, which come again after 18 hours.
    #[must_use]
    pub fn low_bits(self) -> u16 {
        let [low, high, ..] = self.0.to_le_bytes();
        u16::from_le_bytes([low, high])
    }
}

impl From<Seconds> for Nanos {
    fn from(seconds: Seconds) -> Nanos {
        Nanos(u64::from(seconds.0) * Nanos::SECOND)
    }
}
