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
