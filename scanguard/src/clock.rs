//! From the kernel's monotonic clock to the time of day.

use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use nix::time::{ClockId, clock_getres, clock_gettime};
use scanguard_common::time::{Nanos, Seconds};

/// The time of day at which the monotonic clock read `then`, or will.
///
/// Both clocks are read each time: their distance changes whenever somebody sets the time or the machine
/// sleeps.
pub(crate) fn time_of_day(then: Nanos) -> anyhow::Result<SystemTime> {
    let now = now()?;
    Ok(SystemTime::now() - Duration::from_nanos(now.since(then)) + Duration::from_nanos(then.since(now)))
}

/// What the kernel's monotonic clock reads.
pub(crate) fn now() -> anyhow::Result<Nanos> {
    let monotonic = clock_gettime(ClockId::CLOCK_MONOTONIC).context("reading the monotonic clock")?;
    Ok(Nanos(u64::try_from(Duration::from(monotonic).as_nanos()).unwrap_or(u64::MAX)))
}

/// The length of a tick: what the kernel's coarse clocks tell as their resolution (clock_getres(2)), to the nanosecond
/// and whoever asks, while its configuration may not be readable.
pub(crate) fn tick() -> anyhow::Result<Nanos> {
    let tick = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).context("asking how long a tick is")?;
    Ok(Nanos(u64::try_from(Duration::from(tick).as_nanos()).unwrap_or(u64::MAX)))
}

/// What the monotonic clock reads to the second, as the programs keep it.
pub(crate) fn seconds() -> anyhow::Result<Seconds> {
    Ok(Seconds::of(now()?))
}

/// A point in time as RFC 3339 has it, in UTC and to the microsecond.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_micros(time).to_string()
}

/// The same to the second, where it is a person's doing that is dated.
pub(crate) fn rfc3339_seconds(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// A second of the kernel's clock, written so.
pub(crate) fn dated(then: Seconds) -> anyhow::Result<String> {
    Ok(rfc3339_seconds(time_of_day(then.into())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_now_is_the_time_of_day_now() {
        let then = now().expect("every kernel has this clock");
        let passed = SystemTime::now().duration_since(time_of_day(then).expect("clocks can be read"));
        assert!(passed.expect("no earlier than now") < Duration::from_secs(5));
    }

    #[test]
    fn what_is_to_come_has_a_time_of_day_too() {
        let then = now().expect("every kernel has this clock").after(600 * Nanos::SECOND);
        let ahead = time_of_day(then).expect("clocks can be read").duration_since(SystemTime::now());
        assert!(ahead.expect("later than now") > Duration::from_secs(595));
    }

    #[test]
    fn a_tick_is_one_of_those_that_kernels_are_configured_for() {
        let tick = tick().expect("every kernel has this clock").0;
        assert!([10_000_000, 4_000_000, 3_333_333, 1_000_000].contains(&tick), "{tick} ns");
    }

    #[test]
    fn times_are_written_in_utc() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_709_210_096_000_042);
        assert_eq!(rfc3339(time), "2024-02-29T12:34:56.000042Z");
        assert_eq!(rfc3339_seconds(time), "2024-02-29T12:34:56Z");
    }
}
