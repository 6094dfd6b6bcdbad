//! Mercy for segments that belong to no connection, yet are no probes.
//!
//! Peers of a crashed or rebooted host, of a service that restarted, of a connection whose FIN_WAIT2 or
//! TIME_WAIT ran out: their segments find no socket, and only the kernel's RST frees them (RFC 9293 §3.5.1,
//! half-open connections). The same RST tells a scanner that a host is there, and nothing about its ports:
//! open and closed ones answer alike. So each source may draw a few, and all together no more than a host can bear to
//! answer, as Linux itself bounds its errors (`icmp_msgs_per_sec`, 1 000 a second): whoever forges addresses has as many
//! sources as he likes.

use crate::time::Nanos;

/// How many strays of one source may pass at once.
pub const BURST: u64 = 16;

/// How long it takes until one more may pass, in nanoseconds.
pub const REFILL: u64 = Nanos::SECOND;

/// How many strays of all sources may pass at once, on each processor.
pub const BURST_OF_ALL: u64 = 4_096;

/// How long it takes until one more of them may pass, in nanoseconds.
pub const REFILL_OF_ALL: u64 = Nanos::SECOND / 1_024;

/// What a source has left, or all of them, as the generic cell rate algorithm keeps it (ITU-T I.371 Annex A): one point in
/// time, so that a record torn between two processors is still a valid one.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// When the budget is whole again.
    whole_at: u64,
}

const _: () = assert!(size_of::<Budget>() == 8);

impl Budget {
    /// The record as it lies in memory; every value is a valid one.
    pub fn from_bits(whole_at: u64) -> Budget {
        Budget { whole_at }
    }

    /// Spends on one stray: the budget after it, or `None` where nothing is left.
    pub fn spend(self, now: Nanos) -> Option<Budget> {
        self.spend_of(BURST, REFILL, now)
    }

    /// Spends on one stray of any source, of what all of them have.
    pub fn spend_of_all(self, now: Nanos) -> Option<Budget> {
        self.spend_of(BURST_OF_ALL, REFILL_OF_ALL, now)
    }

    /// Spends on the answer to one. It is twice as large: what the first door let through in the even flow of one
    /// each second may leave in less even steps.
    pub fn spend_on_answer(self, now: Nanos) -> Option<Budget> {
        self.spend_of(2 * BURST, REFILL, now)
    }

    fn spend_of(self, burst: u64, refill: u64, now: Nanos) -> Option<Budget> {
        let owed = Nanos(self.whole_at).since(now);
        if owed > (burst - 1) * refill {
            return None;
        }
        Some(Budget { whole_at: now.after(owed).after(refill).0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spend_all(mut budget: Budget, now: Nanos) -> (u64, Budget) {
        let mut spent = 0;
        while let Some(next) = budget.spend(now) {
            budget = next;
            spent += 1;
        }
        (spent, budget)
    }

    #[test]
    fn a_new_source_has_a_burst_and_then_nothing() {
        let (spent, rest) = spend_all(Budget::default(), Nanos(7));
        assert_eq!(spent, BURST);
        assert_eq!(rest.spend(Nanos(7)), None);
    }

    #[test]
    fn one_comes_back_each_refill_and_never_more_than_a_burst() {
        let (_, empty) = spend_all(Budget::default(), Nanos(0));
        assert_eq!(empty.spend(Nanos(REFILL - 1)), None);
        assert_eq!(spend_all(empty, Nanos(REFILL)).0, 1);
        assert_eq!(spend_all(empty, Nanos(3 * REFILL)).0, 3);
        assert_eq!(spend_all(empty, Nanos(1_000 * REFILL)).0, BURST);
    }

    #[test]
    fn all_sources_together_have_more_and_it_comes_back_sooner() {
        let spend_all = |mut budget: Budget, now| {
            let mut spent = 0;
            while let Some(next) = budget.spend_of_all(now) {
                (budget, spent) = (next, spent + 1);
            }
            (spent, budget)
        };
        let (spent, empty) = spend_all(Budget::default(), Nanos(7));
        assert_eq!(spent, BURST_OF_ALL);
        assert_eq!(spend_all(empty, Nanos(7 + Nanos::SECOND)).0, 1_024);
    }

    #[test]
    fn a_clock_that_reads_earlier_neither_fails_nor_gives() {
        let (_, empty) = spend_all(Budget::default(), Nanos(10 * REFILL));
        assert_eq!(empty.spend(Nanos(0)), None);
    }

    #[test]
    fn a_record_of_any_bits_is_valid() {
        for bits in [u64::MAX, u64::MAX - 1, 1 << 63, 1] {
            let _ = Budget { whole_at: bits }.spend(Nanos(u64::MAX));
            let _ = Budget { whole_at: bits }.spend(Nanos(0));
        }
    }
}
