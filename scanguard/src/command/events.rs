//! `scanguard events`: drops as they happen.

use std::collections::HashMap;
use std::time::Duration;

use scanguard_common::event::Event;
use scanguard_common::schema::InterfaceSlot;

use super::pins_in_use;
use crate::events::Events;
use crate::guarded::survey;
use crate::interface::Interfaces;
use crate::output::Output;
use crate::pin::Pins;
use crate::show::Show as _;
use crate::show::event::Told;
use crate::stop::Stop;
use crate::{clock, spared};

/// Show drops as they happen, until Ctrl-C
///
/// Each source and cause is told of once a second at most by each processor; what it dropped meanwhile is told with
/// its next one, and `scanguard stats` counts everything. Only one process can read events: the next one to try is refused.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One JSON object a line
    #[arg(long)]
    json: bool,

    /// End after so many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

impl Args {
    pub(crate) async fn run(&self, output: &mut Output<'_>, stop: &mut Stop) -> anyhow::Result<()> {
        let pins = pins_in_use().await?;
        let mut events = Events::open(&pins)?;
        let mut names = Names::read(&pins).await?;
        let mut dependence = spared::Watch::begin()?;
        let mut ticks = tokio::time::interval(NAMES_LAST);
        let mut left = self.count;
        while left != Some(0) {
            tokio::select! {
                () = stop.asked() => break,
                _ = ticks.tick() => {
                    if events.have_ended()? {
                        output.word("everything was detached: no more events will come");
                        return Ok(());
                    }
                    names = Names::read(&pins).await?;
                    dependence.follow(&pins).await?;
                }
                event = events.next() => {
                    names.tell(&event?, self.json, output)?;
                    left = left.map(|left| left - 1);
                }
            }
        }
        Ok(())
    }
}

/// How long a name is believed.
pub(super) const NAMES_LAST: Duration = Duration::from_secs(1);

/// What the interfaces of events are called.
pub(super) struct Names(HashMap<u32, String>);

impl Names {
    /// Asks for the names that count now.
    pub(super) async fn read(pins: &Pins) -> anyhow::Result<Names> {
        let guarded = survey(pins, &Interfaces::read().await?)?;
        Ok(Names(guarded.iter().map(|entry| (entry.slot.number(), entry.label())).collect()))
    }

    /// Writes an event with its interface's name.
    pub(super) fn tell(&self, event: &Event, json: bool, output: &mut Output<'_>) -> anyhow::Result<()> {
        let time = clock::time_of_day(event.time())?;
        Told::new(event, time, self.of(event.interface())).show(json, output.data)?;
        Ok(output.data.flush()?)
    }

    fn of(&self, slot: Option<InterfaceSlot>) -> String {
        let Some(slot) = slot else { return "?".to_owned() };
        self.0.get(&slot.number()).cloned().unwrap_or_else(|| format!("(slot {})", slot.number()))
    }
}
