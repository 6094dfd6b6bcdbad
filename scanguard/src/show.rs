//! Answers, written as a table for people or as JSON for programs, one object a line.

pub(crate) mod allowlist;
pub(crate) mod banlist;
pub(crate) mod check;
pub(crate) mod event;
pub(crate) mod evidence;
pub(crate) mod incidents;
mod replay;
pub(crate) mod rules;
mod score;
pub(crate) mod sources;
pub(crate) mod stats;
pub(crate) mod status;
mod table;

use std::io::{self, Write};

use serde::Serialize;

/// An answer that can be written both ways.
pub(crate) trait Show {
    /// For people.
    fn table(&self, out: &mut dyn Write) -> io::Result<()>;

    /// For programs.
    fn json(&self, out: &mut dyn Write) -> io::Result<()>;

    /// As was asked for.
    fn show(&self, json: bool, out: &mut dyn Write) -> io::Result<()> {
        if json { self.json(out) } else { self.table(out) }
    }
}

/// Writes one object on a line of its own.
fn json_line(out: &mut dyn Write, object: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    writeln!(out)
}

/// What an answer looks like, for tests.
#[cfg(test)]
fn shown(answer: &impl Show, json: bool) -> String {
    let mut bytes = Vec::new();
    answer.show(json, &mut bytes).expect("memory takes everything");
    String::from_utf8(bytes).expect("answers are text")
}
