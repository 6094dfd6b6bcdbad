//! What sources left behind, by which the marks of tools are found: tables as large as the program's.

use scanguard_common::classify::signature::{Ballot, Knowledge, Left, PUBLIC_ADDRESSES};
use scanguard_common::key::{Address, spread};
use scanguard_common::mark;
use scanguard_common::parse::Packet;
use scanguard_common::schema::{BALLOTS, TRACE_PLACES};
use scanguard_common::time::{Nanos, Seconds};

use super::ledger::SEED;

/// The traces of a capture. Its time is the time of day.
pub(super) struct Traces {
    left: Vec<Left>,
    ballots: Vec<Ballot>,
    public: [u32; PUBLIC_ADDRESSES],
    now: Nanos,
}

impl Traces {
    /// None, of a host that others reach by these addresses too.
    pub(super) fn of(public: [u32; PUBLIC_ADDRESSES]) -> Traces {
        Traces {
            left: vec![Left::default(); TRACE_PLACES as usize],
            ballots: vec![Ballot::default(); BALLOTS as usize],
            public,
            now: Nanos::default(),
        }
    }

    /// Goes on to the next frame of the capture, and its time.
    pub(super) fn advance(&mut self, now: Nanos) {
        self.now = now;
    }

    /// Which place the source of a packet leaves something behind in, and what is there.
    pub(super) fn left_by(&self, packet: &Packet) -> (u32, Left) {
        let place = spread(packet.source, SEED) % u64::from(TRACE_PLACES);
        let place = u32::try_from(place).unwrap_or_default();
        (place, self.left.get(place as usize).copied().unwrap_or_default())
    }
}

impl mark::Traces for Traces {
    fn spread(&self, address: Address) -> u64 {
        spread(address, SEED)
    }

    fn left(&mut self, spread: u64) -> Option<&mut Left> {
        self.left.get_mut(usize::try_from(spread % u64::from(TRACE_PLACES)).ok()?)
    }

    fn ballot(&mut self, spread: u64) -> Option<&mut Ballot> {
        self.ballots.get_mut(usize::try_from(spread % u64::from(BALLOTS)).ok()?)
    }

    fn knowledge(&self, _: bool) -> Knowledge {
        Knowledge { public: self.public, learned: Ballot::default(), unix_seconds: Seconds::of(self.now).0 }
    }
}
