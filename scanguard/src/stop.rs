//! What ends a command that would last forever.

use std::fs;
use std::future::Future;
use std::pin::Pin;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The wish that a command ends.
pub struct Stop(Pin<Box<dyn Future<Output = ()>>>);

impl Stop {
    /// Ends when this does.
    pub fn when(asked: impl Future<Output = ()> + 'static) -> Stop {
        Stop(Box::pin(asked))
    }

    /// Ends at SIGINT (Ctrl-C), SIGTERM or SIGHUP (the terminal is gone), the last unless `nohup` had it ignored.
    ///
    /// From here on none of them ends the process by itself: a command that changes something finishes first, or
    /// takes back what it did.
    ///
    /// # Errors
    ///
    /// Where the kernel does not let this process listen to signals.
    pub fn on_signals() -> anyhow::Result<Stop> {
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut terminate = listen(SignalKind::terminate())?;
        let mut hangup = if ignores_hangup()? { None } else { Some(listen(SignalKind::hangup())?) };
        Ok(Stop::when(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = received(&mut hangup) => {}
            }
        }))
    }

    /// Waits until the end is wished for.
    pub(crate) async fn asked(&mut self) {
        self.0.as_mut().await;
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether whoever started this process wants it to outlive its terminal.
fn ignores_hangup() -> anyhow::Result<bool> {
    const STATUS: &str = "/proc/self/status";
    let status = fs::read_to_string(STATUS).with_context(|| format!("reading {STATUS}"))?;
    ignores(&status, SignalKind::hangup()).with_context(|| format!("{STATUS} has no SigIgn line"))
}

/// Reads the ignored signals, of which the first is number 1 and has the lowest bit.
fn ignores(status: &str, signal: SignalKind) -> Option<bool> {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let ignored = u64::from_str_radix(line.trim(), 16).ok()?;
    Some(ignored & (1 << (signal.as_raw_value() - 1)) != 0)
}

fn listen(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("listening to signals")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_lowest_bit_on() {
        let status = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        assert_eq!(ignores(status, SignalKind::hangup()), Some(true));
        assert_eq!(ignores(status, SignalKind::interrupt()), Some(false));
        assert_eq!(ignores("", SignalKind::hangup()), None);
    }
}
