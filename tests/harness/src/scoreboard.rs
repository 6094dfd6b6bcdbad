//! What scanners learn of a guarded host, measured technique by technique.
//!
//! In the order of the modules: the techniques, as data → the ground they are tried on → asking, by a scanner that
//! many use or by frames of our own → what the host answered, seen on the cable → what that tells → rows → Markdown,
//! and back again → what became better or worse.

mod list;
mod subject;
mod technique;

mod ground;
mod responder;
mod said;
mod tool;

mod heard;
mod learned;

mod change;
mod markdown;
mod measure;

use std::path::Path;

use anyhow::Result;

pub use change::Change;
pub use learned::Learned;

/// How often a technique that ended otherwise than before is tried again.
const SECOND_LOOKS: usize = 2;

/// What came of all techniques, in the tables that they are published in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scoreboard {
    tables: Vec<Table>,
}

/// Techniques that ask about the same things.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Table {
    title: String,
    remark: String,
    /// What is asked about.
    headings: Vec<String>,
    rows: Vec<Row>,
}

/// What came of one technique.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    technique: String,
    /// What the scanner reported of each thing it asked about: without scanguard, then with it.
    reported: Vec<[String; 2]>,
    /// What was truly learned without scanguard: more than nothing shows that the question was asked.
    learned_without: Learned,
    /// What was truly learned with it.
    learned: Learned,
    /// Why anything is learned at all, where that is not plain.
    reason: String,
}

impl Scoreboard {
    /// Tries every technique on a host without scanguard, and again with it; those that end otherwise than in `earlier`
    /// are tried again, because a busy machine loses a packet now and then. Takes most of a minute.
    ///
    /// # Errors
    ///
    /// Fails without root's privileges and where a scanner is not installed.
    pub fn measure(scanguard: &Path, earlier: &Self) -> Result<Self> {
        let mut measured = measure::measure(scanguard, |_| true)?;
        for _ in 0..SECOND_LOOKS {
            let doubtful: Vec<Change> =
                measured.changes_since(earlier).into_iter().filter(Change::is_doubtful).collect();
            if doubtful.is_empty() {
                break;
            }
            let is_doubtful = |name: &str| doubtful.iter().any(|change| change.technique == name);
            measured.update(&measure::measure(scanguard, is_doubtful)?);
        }
        Ok(measured)
    }

    /// Returns what differs from an earlier scoreboard, in the order of the rows.
    pub fn changes_since(&self, earlier: &Self) -> Vec<Change> {
        change::between(earlier, self)
    }

    /// Returns the page that is published.
    pub fn to_markdown(&self) -> String {
        markdown::write(self)
    }

    /// Reads such a page.
    ///
    /// # Errors
    ///
    /// Fails, naming the line, at a row that does not fit its table.
    pub fn from_markdown(text: &str) -> Result<Self> {
        markdown::read(text)
    }

    fn update(&mut self, newer: &Self) {
        for row in self.tables.iter_mut().flat_map(|table| &mut table.rows) {
            if let Some(newer) = newer.row(&row.technique) {
                newer.clone_into(row);
            }
        }
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.tables.iter().flat_map(|table| &table.rows)
    }

    fn row(&self, technique: &str) -> Option<&Row> {
        self.rows().find(|row| row.technique == technique)
    }
}
