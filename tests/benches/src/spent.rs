//! What a process has spent, as the kernel tells whoever waits for its end.

use std::io::{self, Read};
use std::process::Child;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::libc;

/// What a process took from its start to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// Processor time of all its threads, the kernel's for it included.
    pub(crate) time: Duration,
    /// How much of its memory was resident at most.
    pub(crate) mebibytes: f64,
}

/// Waits for a process that ends well: what it wrote, and what it has spent.
///
/// # Errors
///
/// Fails where it does not end well.
pub(crate) fn wait(mut child: Child) -> Result<(String, Spent)> {
    let mut said = String::new();
    child.stdout.take().context("what is written is wanted")?.read_to_string(&mut said)?;
    let number = child.id().cast_signed();
    let mut status = 0;
    // SAFETY: a record of integers, for all of which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both records outlive the call. Nobody else waits for the process: the child is this function's.
    let ended = unsafe { libc::wait4(number, &raw mut status, 0, &raw mut usage) };
    ensure!(ended == number, "waiting for a process: {}", io::Error::last_os_error());
    ensure!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "it failed with status {status}");
    let time = duration(usage.ru_utime)? + duration(usage.ru_stime)?;
    #[expect(clippy::cast_precision_loss, reason = "below 2⁵³ kibibytes")]
    let mebibytes = usage.ru_maxrss as f64 / 1024.0;
    Ok((said, Spent { time, mebibytes }))
}

fn duration(time: libc::timeval) -> Result<Duration> {
    Ok(Duration::from_secs(time.tv_sec.try_into()?) + Duration::from_micros(time.tv_usec.try_into()?))
}
