//! What the scoreboard says is still so, of every technique and of every legitimate scene.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use scanguard_harness::{Change, Page, SceneName, Scoreboard};

use crate::guard::program;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/scoreboard.md");

#[test]
fn no_technique_learns_more_than_the_scoreboard_says() -> Result<()> {
    let published = Page::read(Path::new(PAGE))?.techniques;
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

/// That nothing is dropped and nothing fails, each scene demands itself, every time it is played.
#[test]
fn every_legitimate_scene_is_published_and_none_falls_short() -> Result<()> {
    let published = Page::read(Path::new(PAGE))?.passages;
    let this = env::current_exe().context("asking where this program is")?;
    let listed = Command::new(this).args(["legitimate::", "--list", "--format", "terse"]).output()?;
    let scenes = SceneName::listed(&String::from_utf8(listed.stdout)?)?;
    published.are_of(&scenes).context("run `cargo xtask scoreboard`")?;
    let short = published.short();
    ensure!(short.is_empty(), "legitimate traffic is harmed: {short:?}");
    Ok(())
}

fn lines(changes: &[Change]) -> String {
    changes.iter().map(|change| format!("{change}\n")).collect()
}
