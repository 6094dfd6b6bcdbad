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
            interfaces.push(InterfaceStats { name: entry.label(), tallies });
        }
        Ok(Stats { interfaces, notes: maps.notes()? })
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
