//! One line of the results.

use std::fmt;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::sample::{Figure, Pairs};

/// In what something is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Nanoseconds for each packet.
    Nanos,
    /// Packets a second.
    Packets,
    /// Bits a second.
    Bits,
    /// Requests a second.
    Requests,
    /// Milliseconds.
    Millis,
    /// Mebibytes.
    Mebibytes,
    /// Times as much as what it is compared to.
    Times,
}

/// How a figure is judged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// At most so much.
    AtMost(f64),
    /// At least so much.
    AtLeast(f64),
    /// None: it is measured to be known.
    None,
}

/// Which figure is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judged {
    /// What was measured.
    Itself,
    /// How many times the base it is.
    Ratio,
    /// How much more than the base it is.
    Difference,
}

/// What was measured, what it is compared to, and whether it is good enough.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// In what.
    pub unit: Unit,
    /// How much it is.
    pub value: Figure,
    /// What it is compared to, with its figure of the same run.
    pub base: Option<(String, Figure)>,
    /// Which figure counts.
    pub judged: Judged,
    /// That figure.
    pub result: Figure,
    /// What it should be.
    pub goal: Goal,
}

impl Row {
    /// A figure that stands for itself.
    ///
    /// # Errors
    ///
    /// Fails where nothing was measured.
    pub fn alone(name: &str, unit: Unit, values: Vec<f64>, goal: Goal) -> Result<Row> {
        let value = Figure::of(values).with_context(|| format!("{name}: nothing was measured"))?;
        Ok(Row {
            name: name.to_owned(),
            unit,
            value,
            base: None,
            judged: Judged::Itself,
            result: value,
            goal,
        })
    }

    /// A figure and what it is compared to.
    ///
    /// # Errors
    ///
    /// Fails where nothing was measured.
    pub fn compared(
        name: &str,
        unit: Unit,
        base: &str,
        pairs: &Pairs,
        judged: Judged,
        goal: Goal,
    ) -> Result<Row> {
        let result = match judged {
            Judged::Itself => pairs.value(),
            Judged::Ratio => pairs.ratio(),
            Judged::Difference => pairs.difference(),
        };
        let all = pairs.value().zip(pairs.base()).zip(result);
        let ((value, base_value), result) = all.with_context(|| format!("{name}: nothing was measured"))?;
        let base = Some((base.to_owned(), base_value));
        Ok(Row { name: name.to_owned(), unit, value, base, judged, result, goal })
    }

    /// Whether the goal was met; `None` where there is none.
    pub fn is_met(&self) -> Option<bool> {
        match self.goal {
            Goal::AtMost(limit) => Some(self.result.median <= limit),
            Goal::AtLeast(limit) => Some(self.result.median >= limit),
            Goal::None => None,
        }
    }

    /// In what the result is.
    pub fn unit_of_result(&self) -> Unit {
        match self.judged {
            Judged::Itself | Judged::Difference => self.unit,
            Judged::Ratio => Unit::Times,
        }
    }

    /// What the result should be, in words.
    pub fn wanted(&self) -> String {
        let unit = self.unit_of_result();
        match self.goal {
            Goal::AtMost(limit) => format!("≤ {}", unit.show(limit)),
            Goal::AtLeast(limit) => format!("≥ {}", unit.show(limit)),
            Goal::None => String::new(),
        }
    }

    /// Whether the result is good enough, in a word.
    pub fn verdict(&self) -> &'static str {
        match self.is_met() {
            Some(true) => "met",
            Some(false) => "missed",
            None => "",
        }
    }
}

impl Unit {
    /// Writes an amount with its unit, for people.
    pub fn show(self, amount: f64) -> String {
        match self {
            Unit::Nanos => format!("{amount:.1} ns"),
            Unit::Packets => format!("{:.2} Mpps", amount / 1e6),
            Unit::Bits => format!("{:.2} Gbit/s", amount / 1e9),
            Unit::Requests => format!("{amount:.0}/s"),
            Unit::Millis => format!("{amount:.1} ms"),
            Unit::Mebibytes => format!("{amount:.1} MiB"),
            Unit::Times => format!("{amount:.2} ×"),
        }
    }

    /// Writes a figure with its spread.
    pub fn spread(self, figure: Figure) -> String {
        let Figure { median, lower, upper, .. } = figure;
        format!("{} ({} – {})", self.show(median), self.bare(lower), self.bare(upper))
    }

    /// Writes an amount without its unit.
    fn bare(self, amount: f64) -> String {
        let shown = self.show(amount);
        shown.trim_end_matches(|c: char| !c.is_ascii_digit()).to_owned()
    }
}

/// The lines of one benchmark.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// Its name, by which it is chosen.
    pub name: &'static str,
    /// What it measured, and how, in sentences.
    pub about: String,
    /// The lines.
    pub rows: Vec<Row>,
    /// What else there is to say of them.
    pub notes: Vec<String>,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        for row in &self.rows {
            let base =
                row.base.as_ref().map(|(name, figure)| format!("{name} {}", row.unit.show(figure.median)));
            writeln!(
                f,
                "  {:<58} {:>34}  {:<40} {:>22} {:>12} {}",
                row.name,
                row.unit.spread(row.value),
                base.unwrap_or_default(),
                row.unit_of_result().spread(row.result),
                row.wanted(),
                row.verdict(),
            )?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  {note}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Goal, Judged, Row, Unit};
    use crate::sample::Pairs;

    #[test]
    fn a_goal_is_met_by_the_median_of_what_is_judged() {
        let mut pairs = Pairs::default();
        for value in [13.0, 14.0, 100.0] {
            pairs.push(10.0, value);
        }
        let row =
            |goal, judged| Row::compared("path", Unit::Nanos, "bare", &pairs, judged, goal).expect("a row");
        assert_eq!(row(Goal::AtMost(1.4), Judged::Ratio).is_met(), Some(true));
        assert_eq!(row(Goal::AtMost(1.39), Judged::Ratio).is_met(), Some(false));
        assert_eq!(row(Goal::AtLeast(4.1), Judged::Difference).is_met(), Some(false));
        assert_eq!(row(Goal::AtMost(14.0), Judged::Itself).is_met(), Some(true));
        assert_eq!(row(Goal::None, Judged::Itself).is_met(), None);
    }

    #[test]
    fn a_spread_has_its_unit_once() {
        let row = Row::alone("x", Unit::Millis, vec![1.0, 2.0, 3.0], Goal::None).expect("a row");
        assert_eq!(row.unit.spread(row.value), "2.0 ms (1.5 – 2.5)");
    }
}
