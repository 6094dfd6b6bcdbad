//! What the scoreboard says of every technique is still so.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use scanguard_harness::{Change, Scoreboard};

use crate::guard::program;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/scoreboard.md");

#[test]
fn no_technique_learns_more_than_the_scoreboard_says() -> Result<()> {
    let page = fs::read_to_string(PAGE).with_context(|| format!("reading {PAGE}"))?;
    let published = Scoreboard::from_markdown(&page).with_context(|| format!("reading {PAGE}"))?;
    let measured = Scoreboard::measure(Path::new(&program()?), &published)?;
    let changes = measured.changes_since(&published);
    let (worse, rest): (Vec<Change>, Vec<Change>) = changes.into_iter().partition(Change::is_worse);
    // Scanners choose other words from one version to the next, and what got better only waits to be published.
    if !rest.is_empty() {
        eprint!("`cargo xtask scoreboard` would write otherwise:\n{}", lines(&rest));
    }
    ensure!(worse.is_empty(), "scans learn more than they did:\n{}", lines(&worse));
    Ok(())
}

fn lines(changes: &[Change]) -> String {
    changes.iter().map(|change| format!("{change}\n")).collect()
}
