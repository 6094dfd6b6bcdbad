//! The machine that is measured on, and where on it.

use std::fs;

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::utsname::uname;
use nix::unistd::Pid;
use serde::Serialize;

/// The processor that receives: whatever is measured runs here.
pub const RECEIVER: usize = 1;
/// The processor that sends.
pub const SENDER: usize = 0;

/// What there is to know of the machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// What the processor calls itself.
    pub processor: String,
    /// How many of them this process may use.
    pub processors: usize,
    /// The kernel's release and machine.
    pub kernel: String,
    /// How many processes were ready to run a minute before the measurements, on average: what else went on.
    pub load: f64,
}

impl Machine {
    /// Looks around.
    ///
    /// # Errors
    ///
    /// Fails with less than two processors: one sends, one receives.
    pub fn examine() -> Result<Machine> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").context("reading /proc/cpuinfo")?;
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        let processors = std::thread::available_parallelism().context("counting processors")?.get();
        ensure!(processors > RECEIVER, "measuring takes two processors: one sends, one receives");
        let name = uname().context("asking for the kernel's release")?;
        let [release, machine] =
            [name.release(), name.machine()].map(|text| text.to_string_lossy().into_owned());
        let load = fs::read_to_string("/proc/loadavg").context("reading /proc/loadavg")?;
        Ok(Machine {
            processor: model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned()),
            processors,
            kernel: format!("{release} {machine}"),
            load: load.split_whitespace().next().context("an empty line")?.parse()?,
        })
    }
}

impl Machine {
    /// Whether so much else went on that what takes wall-clock time was measured against it.
    pub fn is_busy(&self) -> bool {
        const QUIET: f64 = 0.5;
        self.load > QUIET
    }
}

/// Keeps the calling thread on one processor.
///
/// # Errors
///
/// Fails where this process may not use it.
pub fn stay_on(processor: usize) -> Result<()> {
    keep(Pid::from_raw(0), processor)
}

/// Keeps any thread on one processor.
///
/// # Errors
///
/// Fails where there is no such thread or processor.
pub fn keep(thread: Pid, processor: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(processor)?;
    sched_setaffinity(thread, &set).with_context(|| format!("keeping a thread on processor {processor}"))
}
