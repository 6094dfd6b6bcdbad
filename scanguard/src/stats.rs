//! What was counted, asked from the maps.

use scanguard_common::cause::{Action, Cause};
use scanguard_common::count::{Notes, Tally};

use crate::guarded::Guarded;
use crate::maps::Maps;

/// All counters at about the same moment.
#[derive(Clone, Debug)]
pub(crate) struct Stats {
    /// Those of each guarded interface.
    pub(crate) interfaces: Vec<InterfaceStats>,
    /// What became of the events and the sources of all interfaces together.
    pub(crate) notes: Notes,
}

/// The counters of one interface.
#[derive(Clone, Debug)]
pub(crate) struct InterfaceStats {
    /// What it is called.
    pub(crate) name: String,
    /// What was counted for each cause there is.
    pub(crate) tallies: Vec<(Cause, Tally)>,
    /// Of how many drops an event was made.
    pub(crate) told_of: u64,
}

impl Stats {
    /// Reads the counters of these interfaces.
    pub(crate) fn read<'g>(
        maps: &Maps,
        guarded: impl IntoIterator<Item = &'g Guarded>,
    ) -> anyhow::Result<Stats> {
        let mut interfaces = Vec::new();
        for entry in guarded {
            let mut tallies = Vec::new();
            for cause in Cause::ALL {
                tallies.push((*cause, maps.tally(entry.slot, *cause)?));
            }
            let told_of = maps.told_of(entry.slot)?;
            interfaces.push(InterfaceStats { name: entry.label(), tallies, told_of });
        }
        Ok(Stats { interfaces, notes: maps.notes()? })
    }
}

impl Stats {
    /// How many drops on these interfaces were folded into the next event of their source and cause.
    pub(crate) fn folded(&self) -> u64 {
        let folded = |interface: &InterfaceStats| {
            // Less where a drop was told of while the counters were read.
            interface.total(Action::Drop).packets().saturating_sub(interface.told_of)
        };
        self.interfaces.iter().map(folded).sum()
    }
}

impl InterfaceStats {
    /// All that ended so.
    pub(crate) fn total(&self, action: Action) -> Tally {
        self.tallies
            .iter()
            .filter(|(cause, _)| cause.action() == action)
            .fold(Tally::default(), |sum, (_, tally)| sum.merged(*tally))
    }
}
