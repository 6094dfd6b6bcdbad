//! Whose packets were dropped.

use std::net::IpAddr;

use scanguard_common::cause::Cause;
use scanguard_common::key::Address;
use scanguard_common::parse::Packet;
use scanguard_common::time::Nanos;

use super::super::lately::Lately;
use super::counts::Counts;
use crate::prefix;

/// What was dropped of one source.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Its address; over IPv6 that of its /64.
    pub(crate) address: IpAddr,
    /// How many packets, its own and those that were meant for it.
    pub(crate) dropped: u64,
    /// How many for which cause.
    pub(crate) causes: Counts,
    /// When the first and the last were dropped.
    pub(crate) span: (Nanos, Nanos),
}

/// The sources that are kept apart.
#[derive(Debug)]
pub(super) struct Sources {
    listed: Lately<Address, Source>,
    /// Drops of those that there was no room for: who sent the least.
    pub(super) others: u64,
}

/// How many sources are kept apart.
const ROOM: u32 = 1 << 16;

impl Default for Sources {
    fn default() -> Sources {
        Sources { listed: Lately::new(ROOM), others: 0 }
    }
}

impl Sources {
    /// Notes a drop against the sender of a packet.
    pub(super) fn drop_of(&mut self, packet: &Packet, cause: Cause, now: Nanos) {
        let sender = packet.sender();
        if self.listed.is_full() && !self.listed.contains(&sender) {
            self.forget_the_quiet();
        }
        let source = self.listed.touch_or(sender, || Source {
            address: prefix::address(sender.bytes()),
            dropped: 0,
            causes: Counts::default(),
            span: (now, now),
        });
        source.dropped += 1;
        source.span.1 = now;
        source.causes.add(cause);
    }

    /// All that are listed: the loudest first.
    pub(super) fn by_loudness(&self) -> Vec<&Source> {
        let mut sources: Vec<_> = self.listed.iter().map(|(_, source)| source).collect();
        sources.sort_unstable_by_key(|source| (u64::MAX - source.dropped, source.address));
        sources
    }

    /// Makes room for sources by counting the quieter half together: a flood of forged addresses, each of which sends
    /// little, does not hide who sends much.
    fn forget_the_quiet(&mut self) {
        let half = ROOM as usize / 2;
        let mut counts: Vec<u64> = self.listed.iter().map(|(_, source)| source.dropped).collect();
        let (_, median, _) = counts.select_nth_unstable(half);
        let (limit, mut spare) = (*median, half);
        let others = &mut self.others;
        self.listed.retain(|source| {
            let keep = source.dropped > limit || (source.dropped == limit && spare > 0);
            if keep {
                spare = spare.saturating_sub(1);
            } else {
                *others += source.dropped;
            }
            keep
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet_from;
    use super::*;

    #[test]
    fn a_flood_of_forged_sources_does_not_hide_a_scanner() {
        let mut sources = Sources::default();
        let (scanner, forged) = ([192, 0, 2, 7], 3 * ROOM);
        for number in 0..forged {
            sources.drop_of(&packet_from((0x0b00_0000 + number).to_be_bytes()), Cause::ClosedPort, Nanos(1));
            if number % 1_000 == 0 {
                sources.drop_of(&packet_from(scanner), Cause::ClosedPort, Nanos(1));
            }
        }
        let listed = sources.by_loudness();
        assert!(listed.len() <= ROOM as usize);
        let first = listed.first().expect("a source");
        assert_eq!((first.address.to_string().as_str(), first.dropped), ("192.0.2.7", 197));
        let dropped: u64 = listed.iter().map(|source| source.dropped).sum();
        assert_eq!(dropped + sources.others, u64::from(forged) + 197, "every drop is counted once");
    }
}
