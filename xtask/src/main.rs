//! What a developer types, and CI types the same: `cargo xtask setup|demo|test|scoreboard|captures|bench|ci|vm`.

mod bench;
mod captures;
mod ci;
mod demo;
mod launch;
mod root;
mod scoreboard;
mod setup;
mod shell;
mod test;
#[path = "../../scanguard/build/toolchain.rs"]
mod toolchain;
mod vm;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// Sets up, shows, tests and checks scanguard.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Install what is missing: a compiler for BPF, its linker, the tools that demo and tests use
    Setup {
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// See scanguard at work: scan a host before and after it is guarded
    Demo {
        /// Use this scanguard instead of building one
        #[arg(long, value_name = "FILE")]
        scanguard: Option<PathBuf>,
    },
    /// Run every test, those that need root and other kernels included
    Test,
    /// Measure what every kind of scan learns of a guarded host and what legitimate traffic notices, and write
    /// docs/scoreboard.md
    Scoreboard(scoreboard::Args),
    /// Replay the recorded traffic in the folder that SCANGUARD_CAPTURES names, and write docs/captures.md
    Captures,
    /// Measure what scanguard costs, beside bare programs and beside its alternatives, and write docs/performance.md
    Bench(bench::Args),
    /// Check formatting, lints and documentation
    Ci,
    /// Run scanguard in virtual machines with other kernels
    Vm(vm::Args),
}

fn main() -> ExitCode {
    run(Task::parse()).unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(task: Task) -> Result<ExitCode> {
    match task {
        Task::Setup { dry_run } => setup::run(setup::Extent::Everyday, dry_run).map(|()| ExitCode::SUCCESS),
        Task::Demo { scanguard: Some(binary) } => demo::run(&binary),
        Task::Demo { scanguard: None } => launch::run(),
        Task::Test => test::run(),
        Task::Scoreboard(args) => scoreboard::run(&args),
        Task::Captures => captures::run(),
        Task::Bench(args) => bench::run(&args),
        Task::Ci => ci::run(),
        Task::Vm(args) => vm::run(&args),
    }
}
