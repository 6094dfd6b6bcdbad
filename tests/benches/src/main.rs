//! Runs benchmarks and writes what came out. `cargo xtask bench` builds it, sets up what it needs and starts it.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Parser;
use scanguard_benches::machine::Machine;
use scanguard_benches::report::Report;
use scanguard_benches::row::Section;
use scanguard_benches::{clients, engine, floods, footprint, lists, paths, replay};

/// Measures what scanguard costs.
#[derive(Parser)]
struct Args {
    /// Which benchmarks: engine, footprint, paths, lists, floods, clients, replay; all unless some are named
    names: Vec<String>,
    /// How often to repeat each measurement
    #[arg(long, default_value_t = 9)]
    repetitions: usize,
    /// The scanguard to measure
    #[arg(long, value_name = "FILE")]
    scanguard: PathBuf,
    /// Where criterion has left its results
    #[arg(long, value_name = "FOLDER")]
    criterion: PathBuf,
    /// Where to write the results
    #[arg(long, value_name = "FILE")]
    json: PathBuf,
    /// Where to write the page for people
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

/// In the order in which they are measured: commands are started before the rest has made this process so large that
/// starting one takes 10 ms more.
const NAMES: [&str; 7] =
    [engine::NAME, footprint::NAME, paths::NAME, lists::NAME, floods::NAME, clients::NAME, replay::NAME];

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    if let Some(unknown) = args.names.iter().find(|name| !NAMES.contains(&name.as_str())) {
        bail!("{unknown}: there is no such benchmark; there are {}", NAMES.join(", "));
    }
    let (machine, start) = (Machine::examine()?, Instant::now());
    let mut sections = Vec::new();
    for name in NAMES.into_iter().filter(|name| args.wants(name)) {
        eprintln!("measuring {name}");
        let section = args.measure(name).with_context(|| format!("the benchmark {name}"))?;
        println!("{section}");
        sections.push(section);
    }
    let report =
        Report { machine, repetitions: args.repetitions, seconds: start.elapsed().as_secs(), sections };
    fs::write(&args.json, report.to_json()?).with_context(|| format!("writing {}", args.json.display()))?;
    if let Some(page) = &args.page {
        let before = fs::read_to_string(page).unwrap_or_default(); // there may be none yet
        let after = report.to_markdown_before(&before);
        fs::write(page, after).with_context(|| format!("writing {}", page.display()))?;
    }
    Ok(())
}

impl Args {
    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }

    fn measure(&self, name: &str) -> Result<Section> {
        match name {
            engine::NAME => engine::read(&self.criterion),
            paths::NAME => paths::measure(self.repetitions, paths::RUNS),
            lists::NAME => lists::measure(&lists::LENGTHS, self.repetitions, lists::RUNS),
            floods::NAME => floods::measure(&self.scanguard, self.repetitions),
            clients::NAME => clients::measure(&self.scanguard, self.repetitions),
            replay::NAME => replay::measure(&self.scanguard, self.repetitions),
            footprint::NAME => footprint::measure(&self.scanguard, self.repetitions),
            _ => bail!("there is no such benchmark"),
        }
    }
}
