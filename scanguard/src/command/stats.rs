//! `scanguard stats`: what was counted.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use scanguard_common::cause::Cause;

use super::pins_in_use;
use crate::error::Error;
use crate::guarded::{Guarded, survey};
use crate::interface::Interfaces;
use crate::maps::Maps;
use crate::nearest::nearest;
use crate::output::Output;
use crate::pin::Pins;
use crate::show::Show as _;
use crate::show::stats::{Selection, Shown};
use crate::stats::Stats;
use crate::stop::Stop;

/// Show how many packets were dropped and passed, and why
///
/// Counters are exact; `scanguard explain CAUSE` tells what each means. Events are fewer than drops, because each
/// source and cause is told of once a second at most by each processor: the others are folded into its next one. What was told
/// and lost is that of all interfaces, and what was folded that of those which are shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these interfaces
    #[arg(value_name = "INTERFACE", value_parser = NonEmptyStringValueParser::new())]
    interfaces: Vec<String>,

    /// One JSON object a line instead of a table
    #[arg(long)]
    json: bool,

    /// Show them again and again, every second or every so many
    #[arg(
        long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "1",
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    watch: Option<u64>,

    /// Only these causes, also where they counted nothing
    #[arg(long, value_name = "CAUSE", num_args = 1.., value_delimiter = ',')]
    cause: Vec<String>,

    /// Also causes that counted nothing
    #[arg(long)]
    all: bool,
}

impl Args {
    pub(crate) async fn run(&self, output: &mut Output<'_>, stop: &mut Stop) -> anyhow::Result<()> {
        let selection = self.selection()?;
        let Some(seconds) = self.watch else {
            return self.show_once(&selection, output).await;
        };
        let mut ticks = tokio::time::interval(Duration::from_secs(seconds));
        loop {
            tokio::select! {
                () = stop.asked() => return Ok(()),
                _ = ticks.tick() => {}
            }
            if output.is_terminal && !self.json {
                write!(output.data, "{CLEAR}")?;
            }
            self.show_once(&selection, output).await?;
            output.data.flush()?;
        }
    }

    fn selection(&self) -> Result<Selection, Error> {
        let causes = self.cause.iter().map(|name| cause_named(name)).collect::<Result<_, _>>()?;
        Ok(Selection { causes, zeroes: self.all })
    }

    async fn show_once(&self, selection: &Selection, output: &mut Output<'_>) -> anyhow::Result<()> {
        let pins = pins_in_use().await?;
        let guarded = self.chosen(&pins).await?;
        let stats = Stats::read(&Maps::open(&pins)?, &guarded)?;
        Ok(Shown { stats: &stats, selection }.show(self.json, output.data)?)
    }

    async fn chosen(&self, pins: &Pins) -> anyhow::Result<Vec<Guarded>> {
        let interfaces = Interfaces::read().await?;
        let guarded = survey(pins, &interfaces)?;
        if self.interfaces.is_empty() {
            return Ok(guarded);
        }
        let mut chosen = Vec::new();
        for name in &self.interfaces {
            let interface = interfaces.named(name)?;
            let entry = guarded.iter().find(|entry| entry.is(interface.index));
            chosen.push(entry.ok_or_else(|| Error::NotGuarded(name.clone()))?.clone());
        }
        Ok(chosen)
    }
}

/// What makes a terminal empty, with the cursor at its top.
const CLEAR: &str = "\x1b[H\x1b[2J";

fn cause_named(name: &str) -> Result<Cause, Error> {
    Cause::from_name(name).ok_or_else(|| Error::UnknownCause {
        given: name.to_owned(),
        nearest: nearest(name, Cause::ALL.iter().map(|cause| cause.name())),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parsed(line: &str) -> Args {
        Line::try_parse_from(format!("stats {line}").split_whitespace()).expect("a command line").args
    }

    #[test]
    fn watching_is_every_second_unless_told_otherwise() {
        assert_eq!(parsed("").watch, None);
        assert_eq!(parsed("--watch").watch, Some(1));
        assert_eq!(parsed("--watch=5").watch, Some(5));
        assert_eq!(parsed("--watch eth0").interfaces, ["eth0"]);
    }

    #[test]
    fn causes_are_chosen_by_name() {
        let selection = parsed("--cause tcp-null,tcp-xmas --all").selection().expect("both exist");
        assert_eq!(selection.causes, [Cause::TcpNull, Cause::TcpXmas]);
        assert!(selection.zeroes);
    }

    #[test]
    fn a_cause_that_does_not_exist_is_an_error_with_a_suggestion() {
        let error = parsed("--cause tcp-xmass").selection().expect_err("no such cause");
        assert_eq!(
            error.to_string(),
            "tcp-xmass: no such cause; `scanguard explain` lists them; did you mean tcp-xmas?"
        );
    }
}
