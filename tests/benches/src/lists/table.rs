//! What was measured with long lists, path by path.

use anyhow::Result;
use scanguard_common::schema::{MAX_BANS, MAX_PREFIXES};

use super::{Costs, NAME, TURNS};
use crate::programs::List;
use crate::row::{Goal, Judged, Row, Section, Unit};
use crate::sample::Pairs;

/// How much dearer a path may become that does not ask, and how much dearer than by the bare look-up one that does: what
/// two measurements of the same differ by.
const UNCHANGED: Goal = Goal::AtMost(1.05);

/// The lines, in the order in which they were first measured.
#[derive(Default)]
pub(super) struct Table(Vec<Line>);

struct Line {
    name: String,
    base: &'static str,
    judged: Judged,
    goal: Goal,
    pairs: Pairs,
}

impl Table {
    /// A path that does not ask: with short lists, and with the one so long.
    pub(super) fn unchanged(&mut self, path: &str, one: List, length: u32, (short, long): (f64, f64)) {
        self.push(called(path, one, length), SHORT, Judged::Ratio, UNCHANGED, (short, long));
    }

    /// A path that asks.
    pub(super) fn growing(&mut self, path: &str, one: List, length: u32, costs: Costs) {
        let name = called(path, one, length);
        let Costs { short, long_look_up, long_path } = costs;
        let same = format!("{name}: growth");
        self.push(name, SHORT, Judged::Difference, Goal::None, (short, long_path));
        self.push(same, LOOK_UP, Judged::Ratio, UNCHANGED, (long_look_up, long_path));
    }

    fn push(&mut self, name: String, base: &'static str, judged: Judged, goal: Goal, pair: (f64, f64)) {
        let place = self.0.iter().position(|line| line.name == name).unwrap_or(self.0.len());
        if place == self.0.len() {
            self.0.push(Line { name, base, judged, goal, pairs: Pairs::default() });
        }
        if let Some(line) = self.0.get_mut(place) {
            line.pairs.push(pair.0, pair.1);
        }
    }

    pub(super) fn into_section(self) -> Result<Section> {
        let row = |line: Line| {
            Row::compared(&line.name, Unit::Nanos, line.base, &line.pairs, line.judged, line.goal)
        };
        let rows = self.0.into_iter().map(row).collect::<Result<_>>()?;
        let about = format!(
            "The same paths with one list of another length: the allowlist, the operator's bans, or the bans that \
            scanguard made itself; filled at random with neighbours of the first contacts' sources. What asks for a list \
            stands behind a bare look-up of the same source. *Growth* compares the path's own list so long, and the bare \
            look-up in a list of one entry, with the reverse: so both find the processor's caches as full. All that \
            is compared takes {TURNS} turns in each repetition."
        );
        let notes = vec![
            format!("the operator's lists have room for {MAX_PREFIXES} entries each"),
            format!(
                "scanguard's own bans have room for {MAX_BANS}; where there are more, they were given room for them"
            ),
        ];
        Ok(Section { name: NAME, about, rows, notes })
    }
}

const SHORT: &str = "1 entry";
const LOOK_UP: &str = "the bare look-up's growth";

fn called(path: &str, one: List, length: u32) -> String {
    let what = match one {
        List::Allowed => "allowed",
        List::Denied => "banned by the operator",
        List::Banned => "banned",
    };
    format!("{path}, {} {what}", grouped(length))
}

/// Writes a number with its thousands apart.
fn grouped(number: u32) -> String {
    if number < 1_000 {
        number.to_string()
    } else {
        format!("{} {:03}", grouped(number / 1_000), number % 1_000)
    }
}
