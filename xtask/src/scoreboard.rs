//! Measures what scanners learn and what legitimate traffic notices, and writes it down where everybody can read it.

use std::fs;
use std::process::{ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use scanguard_harness::{Page, Passages, SceneName, Scoreboard};

use crate::root::Root;
use crate::setup::Extent;
use crate::{setup, shell, vm};

/// Where it is written, seen from the top of the checkout.
const PAGE: &str = "docs/scoreboard.md";

/// The tests that are scenes of legitimate traffic.
const SCENES: &str = "legitimate::";
/// Those of them that need what this kernel may not have.
const SCENES_OF_OTHER_KERNELS: &str = "portable::legitimate::";

/// Which parts of the page.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Measure only this part, and leave the other as it is
    #[arg(long, value_enum)]
    only: Option<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Techniques,
    Legitimate,
}

/// Builds scanguard, measures, writes the page and says what differs from the one before.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let Ok(Root::Already) = Root::find() else { bail!("the scoreboard needs root: run it with sudo") };
    setup::as_far_as_possible(Extent::Everyday);
    shell::run(&mut shell::cargo(["build", "--package", "scanguard"]))?;
    let file = shell::checkout().join(PAGE);
    let mut page = Page::read(&file)?;
    let wanted = |part| args.only.is_none_or(|only| only == part);
    if wanted(Part::Techniques) {
        page.techniques = techniques(&page.techniques)?;
        page.write(&file)?;
    }
    if wanted(Part::Legitimate) {
        page.passages = passages()?;
        page.write(&file)?;
    }
    println!("written to {PAGE}");
    Ok(ExitCode::SUCCESS)
}

fn techniques(earlier: &Scoreboard) -> Result<Scoreboard> {
    let scanguard = shell::built("debug")?.join("scanguard");
    let scanguard = scanguard.canonicalize().with_context(|| format!("finding {}", scanguard.display()))?;
    println!("measuring techniques; this takes a minute or two");
    let start = Instant::now();
    let scoreboard = Scoreboard::measure(&scanguard, earlier)?;
    println!("measured in {:.0} s", start.elapsed().as_secs_f32());
    scoreboard.changes_since(earlier).iter().for_each(|change| println!("{change}"));
    Ok(scoreboard)
}

/// Plays every scene here, and those that need modules in a virtual machine. A scene that fails has its row too.
fn passages() -> Result<Passages> {
    println!("playing legitimate scenes; this takes a few minutes");
    let start = Instant::now();
    let scenes = SceneName::listed(&tests(&["--list", "--format", "terse"])?)?;
    let said = tests(&["--show-output"])?;
    let log = shell::built("debug")?.with_file_name("legitimate.log");
    fs::write(&log, &said).with_context(|| format!("writing {}", log.display()))?;
    println!("what they said is kept in {}", log.display());
    let here = Passages::printed(&said)?;
    let console = vm::console_of_the_newest(&[SCENES_OF_OTHER_KERNELS.to_owned()])?;
    let passages = here.and(Passages::printed(&console)?)?;
    println!("played in {:.0} s", start.elapsed().as_secs_f32());
    passages.are_of(&scenes)?;
    passages.short().iter().for_each(|row| println!("falls short: {row}"));
    Ok(passages)
}

/// What the test program says of the scenes.
fn tests(words: &[&str]) -> Result<String> {
    let mut command =
        shell::cargo(["test", "--quiet", "--package", "scanguard-tests", "--test", "kernel", "--"]);
    command.arg(SCENES).args(words).env("SCANGUARD_BIN", shell::built("debug")?.join("scanguard"));
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("starting the tests")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(!said.is_empty(), "the tests ended with {} and said nothing", output.status);
    Ok(said)
}
