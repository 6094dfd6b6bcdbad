//! The results of a run, for people and for programs.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use crate::machine::Machine;
use crate::row::{Row, Section};

/// One run of benchmarks.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// How often each measurement was repeated.
    pub repetitions: usize,
    /// How many seconds it all took.
    pub seconds: u64,
    /// What came out.
    pub sections: Vec<Section>,
}

const PREFACE: &str = "# Performance

What scanguard costs, beside bare programs that do nothing else and beside other ways to do the same. `cargo xtask bench`
measures and writes this page, and the same figures to `target/bench.json`.

Everything on this page was measured in one run, in network namespaces and over a veth. A figure and what it is compared to
were measured in turn, so that a machine that is slow for a while is slow for both; what counts is the median of the ratios
of neighbours. In parentheses: between which values the middle half of the repetitions lies. Time is processor time of
whoever does the work, where that can be told.
";

/// How the last section begins, which nobody measures.
const BY_HAND: &str = "\n## What was tried";

const BUSY: &str = "
**The machine was busy with other things.** What clients got and how long commands took says little then; paths and lists,
which count processor time, suffer less.
";

impl Report {
    /// Writes one JSON object.
    ///
    /// # Errors
    ///
    /// Fails where a figure is no number.
    pub fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Writes the page anew. What people wrote behind the measurements stays.
    pub fn to_markdown_before(&self, page: &str) -> String {
        let by_hand = page.find(BY_HAND).and_then(|start| page.get(start..)).unwrap_or_default();
        self.to_markdown() + by_hand
    }

    fn to_markdown(&self) -> String {
        let Machine { processor, processors, kernel, load } = &self.machine;
        let goals = self.rows().filter_map(Row::is_met);
        let (met, all) = goals.fold((0, 0), |(met, all), is_met| (met + u32::from(is_met), all + 1));
        let mut page = format!(
            "{PREFACE}\nMachine: {processor}, {processors} processors; Linux {kernel}; load before the run {load}. \
             Repetitions of each measurement: {}, which took {} minutes in all. Goals met: {met} of {all}.\n",
            self.repetitions,
            self.seconds.div_ceil(60),
        );
        if self.machine.is_busy() {
            page.push_str(BUSY);
        }
        for section in &self.sections {
            page.push_str(&section.to_markdown());
        }
        page
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.sections.iter().flat_map(|section| &section.rows)
    }
}

impl Section {
    fn to_markdown(&self) -> String {
        let Section { name, about, rows, notes } = self;
        let mut text = format!("\n## {name}\n\n{about}\n\n```sh\ncargo xtask bench {name}\n```\n\n");
        text.push_str("| measured | figure | beside | judged | goal | |\n|---|---|---|---|---|---|\n");
        for row in rows {
            let beside = row.base.as_ref().map(|(name, base)| format!("{name}: {}", row.unit.spread(*base)));
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                row.name,
                row.unit.spread(row.value),
                beside.unwrap_or_default(),
                row.unit_of_result().spread(row.result),
                row.wanted(),
                if row.is_met() == Some(false) { "**missed**" } else { row.verdict() },
            );
        }
        for note in notes {
            let _ = write!(text, "\n- {note}");
        }
        if !notes.is_empty() {
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_stays_and_what_was_measured_does_not() {
        let machine = Machine {
            processor: "a processor".to_owned(),
            processors: 2,
            kernel: "6.18".to_owned(),
            load: 0.0,
        };
        let report = Report { machine, repetitions: 9, seconds: 61, sections: Vec::new() };
        let fresh = report.to_markdown_before("");
        assert_eq!(fresh, report.to_markdown());
        let by_hand = "\n## What was tried, and what is left\n\n- much\n";
        let old = format!("# Performance\n\n## paths\n\nold figures\n{by_hand}");
        assert_eq!(report.to_markdown_before(&old), format!("{fresh}{by_hand}"));
    }
}
