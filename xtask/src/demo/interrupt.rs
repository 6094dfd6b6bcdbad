//! Ctrl-C: the programs that run are ended and reaped before this one ends.

use std::process::Output;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use scanguard_harness::Process;

/// The longest that a program of the demo may take, and how often it is asked meanwhile whether to go on.
const LIMIT: Duration = Duration::from_secs(30);
const SLICE: Duration = Duration::from_millis(20);

/// Where SIGINT and SIGTERM arrive.
pub(crate) struct Interrupt {
    signals: SignalFd,
}

impl Interrupt {
    /// From here on, neither ends this process by itself.
    pub(crate) fn watch() -> Result<Self> {
        let mask = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
        mask.thread_block().context("holding back signals")?;
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .context("opening the file that signals arrive in")?;
        Ok(Self { signals })
    }

    /// Waits for the end of a program. Fails when a signal arrives: whoever passes that error on drops what runs.
    pub(crate) fn wait(&self, process: &mut Process) -> Result<Output> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let result = process.wait(SLICE);
            if self.signals.read_signal().context("looking for signals")?.is_some() {
                bail!("interrupted; nothing is left behind");
            }
            if result.is_ok() || Instant::now() > deadline {
                return result.with_context(|| format!("gave up after {LIMIT:?}"));
            }
        }
    }
}
