//! Runs the tests that must pass on every kernel scanguard supports, each kernel in a virtual machine of its own.
//!
//! In the order of the modules: Debian's mirror → a kernel → the modules it needs → a file system with the tests →
//! an archive the kernel unpacks → qemu → an outcome. Needs neither root nor KVM.

mod apt;
mod kernel;
mod modules;
mod payload;

mod archive;
mod guest;
mod outcome;
mod qemu;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, bail};
use clap::builder::PossibleValuesParser;

use crate::shell;
use crate::vm::kernel::Kernel;
use crate::vm::outcome::Outcome;
use crate::vm::payload::Payload;

/// A line of kernels, and the Debian suite whose newest kernel stands for it.
struct Series {
    name: &'static str,
    suite: &'static str,
}

/// The floor, what Debian's releases run, and the newest there is.
const SERIES: [Series; 4] = [
    Series { name: "5.10", suite: "bullseye" },
    Series { name: "6.1", suite: "bookworm" },
    Series { name: "6.12", suite: "trixie" },
    Series { name: "sid", suite: "sid" },
];

/// The tests of the kernel suite that need nothing but a kernel and the modules that it gets here.
const PORTABLE: &str = "portable::";

/// Which kernels, and which tests.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// A kernel to test on; may be repeated [default: all of them]
    #[arg(long = "kernel", value_name = "VERSION", value_parser = PossibleValuesParser::new(SERIES.map(|series| series.name)))]
    kernels: Vec<String>,
    /// Run only the tests of the kernel suite whose name contains one of these [default: portable::]
    filters: Vec<String>,
}

/// How the tests went on all kernels together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Summary {
    /// On every kernel that could be had, every test passed.
    Passed,
    /// On at least one of them, a test failed or the kernel did not get that far.
    Failed,
    /// Not one of the kernels could be had.
    NoKernel,
}

/// Does what [`test_on_kernels`] does, for who asked for it.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match test_on_kernels(args)? {
        Summary::Passed => Ok(ExitCode::SUCCESS),
        Summary::Failed => Ok(ExitCode::FAILURE),
        Summary::NoKernel => bail!("vm: not one of the kernels could be had, so nothing was tested"),
    }
}

/// Builds the tests, runs them on the kernels and prints a line for each. What fails shows its console.
pub(crate) fn test_on_kernels(args: &Args) -> Result<Summary> {
    let default = [PORTABLE.to_owned()];
    let payload = Payload::build(if args.filters.is_empty() { &default } else { &args.filters })?;
    let chosen =
        |series: &&Series| args.kernels.is_empty() || args.kernels.iter().any(|name| name == series.name);
    let outcomes = test_all(&SERIES.iter().filter(chosen).collect::<Vec<_>>(), &payload)?;
    Ok(Summary::of(&outcomes))
}

/// Runs tests on the newest of the kernels, and returns what its console shows, whether they pass or not.
pub(crate) fn console_of_the_newest(filters: &[String]) -> Result<String> {
    let newest = SERIES.last().context("there are kernels")?;
    for outcome in test_all(&[newest], &Payload::build(filters)?)? {
        if let Outcome::Skipped(reason) = outcome {
            bail!("vm {}: {reason}", newest.name);
        }
    }
    Ok(outcome::console(&log(&folder()?, newest)))
}

impl Summary {
    fn of(outcomes: &[Outcome]) -> Self {
        if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed { .. })) {
            Self::Failed
        } else if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Skipped(_))) {
            Self::NoKernel
        } else {
            Self::Passed
        }
    }
}

/// Tests on each kernel, as many at a time as this machine bears, and prints each outcome when it is known.
fn test_all(chosen: &[&Series], payload: &Payload) -> Result<Vec<Outcome>> {
    let folder = folder()?;
    fs::create_dir_all(folder.join("logs")).with_context(|| format!("making {}", folder.display()))?;
    let lock = File::create(folder.join("lock")).context("making the lock of the virtual machines")?;
    lock.lock().context("waiting for another run of the virtual machines")?;

    let left = Mutex::new(chosen.iter());
    let next = || left.lock().ok()?.next();
    let worker = || {
        let mut outcomes = Vec::new();
        while let Some(series) = next() {
            let outcome = test(series, payload, &folder);
            println!("vm {}: {outcome}", series.name);
            outcomes.push(outcome);
        }
        outcomes
    };
    let outcomes: Vec<Outcome> = thread::scope(|scope| {
        let workers: Vec<_> = (0..qemu::at_a_time()).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    });
    if outcomes.len() != chosen.len() {
        bail!("a thread that tests on a kernel panicked");
    }
    Ok(outcomes)
}

fn test(series: &Series, payload: &Payload, folder: &Path) -> Outcome {
    let own = folder.join(series.name);
    let log = log(folder, series);
    match kernel::obtain(series.suite, &own) {
        Err(reason) => Outcome::Skipped(format!("{reason:#}")),
        Ok(kernel) => boot(&kernel, payload, own.join("initramfs"), &log)
            .unwrap_or_else(|error| Outcome::failed(&kernel.release, &format!("{error:#}"), &log)),
    }
}

/// Where everything about the virtual machines is kept.
fn folder() -> Result<PathBuf> {
    Ok(shell::built("debug")?.with_file_name("vm"))
}

/// Where the console of a series' last machine is kept.
fn log(folder: &Path, series: &Series) -> PathBuf {
    folder.join("logs").join(series.name).with_added_extension("log")
}

fn boot(kernel: &Kernel, payload: &Payload, initramfs: PathBuf, log: &Path) -> Result<Outcome> {
    let root = guest::root(kernel, payload)?;
    fs::write(&initramfs, root.into_bytes()?).with_context(|| format!("writing {}", initramfs.display()))?;
    let ended = qemu::boot(&kernel.image, &initramfs, log)?;
    Ok(Outcome::judge(kernel, &ended, log))
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Summary};

    fn skipped() -> Outcome {
        Outcome::Skipped("there is no mirror".into())
    }

    fn passed() -> Outcome {
        Outcome::Passed { release: "6.1".into(), seconds: 20, summary: "4 passed".into() }
    }

    fn failed() -> Outcome {
        Outcome::Failed {
            release: "6.1".into(),
            reason: "qemu is not installed".into(),
            log: "6.1.log".into(),
            tail: String::new(),
        }
    }

    #[test]
    fn one_failure_is_a_failure_whatever_else_could_not_be_had() {
        assert_eq!(Summary::of(&[skipped(), failed(), passed()]), Summary::Failed);
        assert_eq!(Summary::of(&[skipped(), failed()]), Summary::Failed);
    }

    #[test]
    fn only_where_no_kernel_could_be_had_nothing_was_tested() {
        assert_eq!(Summary::of(&[skipped(), skipped()]), Summary::NoKernel);
        assert_eq!(Summary::of(&[skipped(), passed()]), Summary::Passed);
    }
}
