//! Measures what scanners learn, and writes it down where everybody can read it.

use std::fs;
use std::io::ErrorKind;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use scanguard_harness::Scoreboard;

use crate::root::Root;
use crate::setup::Extent;
use crate::{setup, shell};

/// Where it is written, seen from the top of the checkout.
const PAGE: &str = "docs/scoreboard.md";

/// Builds scanguard, measures, writes the page and says what differs from the one before.
pub(crate) fn run() -> Result<ExitCode> {
    let Ok(Root::Already) = Root::find() else { bail!("the scoreboard needs root: run it with sudo") };
    setup::as_far_as_possible(Extent::Everyday);
    shell::run(&mut shell::cargo(["build", "--package", "scanguard"]))?;
    let scanguard = shell::built("debug")?.join("scanguard");
    let scanguard = scanguard.canonicalize().with_context(|| format!("finding {}", scanguard.display()))?;

    let page = shell::checkout().join(PAGE);
    let earlier = match fs::read_to_string(&page) {
        Ok(text) => Scoreboard::from_markdown(&text).with_context(|| format!("reading {PAGE}"))?,
        Err(error) if error.kind() == ErrorKind::NotFound => Scoreboard::default(),
        Err(error) => return Err(error).with_context(|| format!("reading {PAGE}")),
    };
    println!("measuring; this takes a minute");
    let start = Instant::now();
    let scoreboard = Scoreboard::measure(&scanguard, &earlier)?;
    println!("measured in {:.0} s", start.elapsed().as_secs_f32());
    scoreboard.changes_since(&earlier).iter().for_each(|change| println!("{change}"));
    fs::write(&page, scoreboard.to_markdown()).with_context(|| format!("writing {PAGE}"))?;
    println!("written to {PAGE}");
    Ok(ExitCode::SUCCESS)
}
