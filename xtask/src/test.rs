//! Runs every suite, and says of each that did not run why.

mod targets;

use std::env;
use std::fmt;
use std::fs;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::root::Root;
use crate::setup::Extent;
use crate::test::targets::Targets;
use crate::vm::Summary;
use crate::{setup, shell, toolchain, vm};

/// How a suite ended.
enum Outcome {
    Passed,
    Failed,
    /// With the reason.
    DidNotRun(String),
}

/// Every crate that is built for this machine, tests included. It is the same in every call of cargo, so that
/// features are the same and nothing is built twice.
const CRATES: [&str; 3] = ["--workspace", "--exclude", "scanguard-ebpf"];

/// Sets up, builds once, runs every suite and closes with a line for each.
pub(crate) fn run() -> Result<ExitCode> {
    setup::as_far_as_possible(Extent::Everyday);
    let program = program();
    shell::run(cargo("build", &program)?.args(["--bins", "--tests"]))?;

    let targets = Targets::find()?;
    let suites = [
        ("host", host(&targets, &program)?),
        ("kernel", kernel(&targets, &program)?),
        ("demo", demo(&program)?),
        ("vm", virtual_machines(&program)),
    ];
    println!();
    let mut good = true;
    for (name, outcome) in suites {
        println!("suite {name}: {outcome}");
        good &= outcome.is_good();
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether there will be a program for the kernel, or why not.
fn program() -> Result<(), String> {
    if toolchain::is_skipped() {
        return Err(format!("{} is set, so the program for the kernel is not built", toolchain::SKIP));
    }
    toolchain::find().map(|_| ())
}

impl Outcome {
    fn of(command: &mut Command) -> Self {
        match shell::run(command) {
            Ok(()) => Self::Passed,
            Err(error) => {
                eprintln!("{error:#}");
                Self::Failed
            }
        }
    }

    /// In CI, what could not run has failed: nobody is there to notice.
    fn is_good(&self) -> bool {
        match self {
            Self::Passed => true,
            Self::Failed => false,
            Self::DidNotRun(_) => env::var_os("CI").is_none_or(|value| value != "true"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed => f.write_str("failed"),
            Self::DidNotRun(reason) if self.is_good() => write!(f, "did not run: {reason}"),
            Self::DidNotRun(reason) => write!(f, "did not run, and in CI that is a failure: {reason}"),
        }
    }
}

/// What needs no privileges.
fn host(targets: &Targets, program: &Result<(), String>) -> Result<Outcome> {
    let tests =
        Outcome::of(cargo("test", program)?.args(["--no-fail-fast", "--lib", "--bins"]).args(targets.host()));
    let examples = Outcome::of(cargo("test", program)?.args(["--no-fail-fast", "--doc"]));
    Ok(if tests.is_good() { examples } else { tests })
}

/// What loads the program into this kernel, or makes network namespaces. Cargo builds as who we are; only the
/// tests themselves run as root.
fn kernel(targets: &Targets, program: &Result<(), String>) -> Result<Outcome> {
    let root = match privileged(program) {
        Ok(root) => root,
        Err(reason) => return Ok(Outcome::DidNotRun(reason)),
    };
    let mut command = cargo("test", program)?;
    if let [_, ..] = root.prefix() {
        command.args(["--config", &format!("target.'cfg(unix)'.runner = {:?}", root.prefix())]);
    }
    Ok(Outcome::of(command.arg("--no-fail-fast").args(targets.kernel())))
}

/// What the README shows on its first screen: the demo succeeds, and the scanner learns what is printed there.
fn demo(program: &Result<(), String>) -> Result<Outcome> {
    let root = match privileged(program) {
        Ok(root) => root,
        Err(reason) => return Ok(Outcome::DidNotRun(reason)),
    };
    // Not the file that this process runs: building the tests may have put another in its place.
    let folder = shell::built("debug")?;
    let words = ["xtask", "scanguard"].map(|program| folder.join(program).to_string_lossy().into_owned());
    let mut command = root.command([words[0].as_str(), "demo", "--scanguard", &words[1]]);
    println!("$ {}", shell::show(&command));
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("starting the demo")?;
    let shown = String::from_utf8_lossy(&output.stdout);
    print!("{shown}");
    let readme = shell::checkout().join("README.md");
    let readme = fs::read_to_string(&readme).with_context(|| format!("reading {}", readme.display()))?;
    let table: Vec<&str> = shown.lines().filter(|line| line.starts_with("-s")).collect();
    let is_told = |line: &&str| readme.lines().any(|told| told == *line);
    if output.status.success() && !table.is_empty() && table.iter().all(is_told) {
        return Ok(Outcome::Passed);
    }
    eprintln!("the demo ended with {}; the README has to show its table", output.status);
    Ok(Outcome::Failed)
}

/// How to run what needs root and BPF, or why that cannot be.
fn privileged(program: &Result<(), String>) -> Result<Root, String> {
    program.clone()?;
    let root = Root::find()?;
    root.obstacle().map_or(Ok(root), Err)
}

fn virtual_machines(program: &Result<(), String>) -> Outcome {
    if let Err(reason) = program {
        return Outcome::DidNotRun(reason.clone());
    }
    if shell::find("qemu-system-x86_64").is_none() {
        return Outcome::DidNotRun("qemu-system-x86_64 is not installed".to_owned());
    }
    match vm::test_on_kernels(&vm::Args::default()) {
        Ok(Summary::Passed) => Outcome::Passed,
        Ok(Summary::Failed) => Outcome::Failed,
        Ok(Summary::NoKernel) => Outcome::DidNotRun("not one of the kernels could be had".to_owned()),
        Err(error) => {
            eprintln!("{error:#}");
            Outcome::Failed
        }
    }
}

/// A cargo command for all crates. `program` says whether there is a compiler for what runs in the kernel; without
/// one, everything else is built all the same.
fn cargo(action: &str, program: &Result<(), String>) -> Result<Command> {
    let mut command = shell::cargo([action]);
    command.args(CRATES).env("SCANGUARD_BIN", shell::built("debug")?.join("scanguard"));
    if program.is_err() {
        command.env(toolchain::SKIP, "1");
    }
    Ok(command)
}
