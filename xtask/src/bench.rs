//! Measures what scanguard costs, and writes it down where everybody can read it.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::root::Root;
use crate::setup::Extent;
use crate::{setup, shell};

/// Where the results are written, seen from the top of the checkout.
const PAGE: &str = "docs/performance.md";

/// What to measure, and how often.
#[derive(Parser)]
pub(crate) struct Args {
    /// Which benchmarks: engine, footprint, paths, lists, floods, clients, replay. All unless some are named, and only then
    /// the page is written
    names: Vec<String>,
    /// How often to repeat each measurement
    #[arg(long, default_value_t = 9)]
    repetitions: usize,
}

/// The one that criterion measures.
const ENGINE: &str = "engine";

/// Sets up what only benchmarks need, builds as it is released, measures, and writes the results.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let Ok(Root::Already) = Root::find() else { bail!("the benchmarks need root: run them with sudo") };
    setup::as_far_as_possible(Extent::Benches);
    let release = shell::built("release")?;
    let target = release.parent().context("a profile lies in cargo's target folder")?;
    let target = target.canonicalize().with_context(|| format!("finding {}", target.display()))?;
    shell::run(&mut shell::cargo([
        "build",
        "--release",
        "--package",
        "scanguard",
        "--package",
        "scanguard-benches",
    ]))?;
    if args.names.is_empty() || args.names.iter().any(|name| name == ENGINE) {
        let package =
            ["bench", "--package", "scanguard-benches", "--features", "criterion", "--bench", ENGINE];
        shell::run(&mut shell::cargo(package))?;
    }

    let file = |name: &str| target.join(name).to_string_lossy().into_owned();
    let [bench, scanguard, criterion, json] =
        ["release/scanguard-benches", "release/scanguard", "criterion", "bench.json"].map(file);
    let repetitions = args.repetitions.to_string();
    let mut words = vec![&bench, "--scanguard", &scanguard, "--criterion", &criterion, "--json", &json];
    words.extend(["--repetitions", &repetitions]);
    let page = shell::checkout().join(PAGE).to_string_lossy().into_owned();
    if args.names.is_empty() {
        words.extend(["--page", &page]);
    }
    words.extend(args.names.iter().map(String::as_str));
    shell::run(&mut shell::command(words))?;
    println!(
        "written to {json}{}",
        if args.names.is_empty() { format!(" and {PAGE}") } else { String::new() }
    );
    Ok(ExitCode::SUCCESS)
}
