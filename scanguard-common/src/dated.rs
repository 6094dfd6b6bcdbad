//! Tables in which things have a place by their spread, and push one another out of it.

use crate::time::Seconds;

/// One place of such a table: what, by part of its spread, and when; free where it is zero.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dated(u64);

const _: () = assert!(size_of::<Dated>() == 8);

/// The bits that hold the time, which comes again after half a year; those of the spread that have chosen the place are
/// among them.
const TIME: u64 = (1 << 24) - 1;

impl Dated {
    /// What has this spread, now.
    pub fn at(spread: u64, now: Seconds) -> Dated {
        Dated(spread & !TIME | u64::from(now.0) & TIME)
    }

    /// How many seconds ago what has this spread was written down here; `None` where something else is here, or nothing.
    pub fn age(self, spread: u64, now: Seconds) -> Option<u64> {
        let is_it = self != Dated::default() && self.0 & !TIME == spread & !TIME;
        is_it.then_some(u64::from(now.0).wrapping_sub(self.0) & TIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: u64 = 0x1111_1111_1100_0000;

    #[test]
    fn what_was_written_down_is_known_by_its_spread_and_gets_older() {
        for start in [1, 100, (1 << 24) - 2, 1 << 24] {
            let dated = Dated::at(ONE, Seconds(start));
            for seconds in [0, 1, 100] {
                assert_eq!(dated.age(ONE, Seconds(start + seconds)), Some(seconds.into()));
            }
            assert_eq!(dated.age(ONE + (1 << 24), Seconds(start)), None);
        }
        assert_eq!(Dated::default().age(0, Seconds(0)), None);
    }
}
