//! scanguard as its users run it: the program, in a host of the lab.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use scanguard_common::cause::{Action, Cause};
use scanguard_harness::{Host, INTERFACE, Process};
use serde_json::Value;

/// The longest that a command may take which does not wait for anything.
const LIMIT: Duration = Duration::from_secs(30);

/// How long to wait before counting again.
const POLL: Duration = Duration::from_millis(10);

/// scanguard on one host.
pub(crate) struct Guard<'a> {
    host: &'a Host,
}

impl<'a> Guard<'a> {
    /// scanguard, as yet without an interface to guard.
    pub(crate) fn on(host: &'a Host) -> Guard<'a> {
        Guard { host }
    }

    /// scanguard, guarding the cable. It bans nobody: scanners and honest clients have the same address in the lab.
    pub(crate) fn attached(host: &'a Host) -> Result<Guard<'a>> {
        Guard::attached_with(host, "--preset off")
    }

    /// scanguard, guarding the cable as these arguments say.
    pub(crate) fn attached_with(host: &'a Host, arguments: &str) -> Result<Guard<'a>> {
        let guard = Guard::on(host);
        guard.run(&format!("attach {INTERFACE} {arguments}"))?;
        Ok(guard)
    }

    /// Runs a command that is to succeed, and returns its data.
    pub(crate) fn run(&self, line: &str) -> Result<String> {
        self.host.run(program()?, line.split_whitespace())
    }

    /// Runs a command that is to fail, started by another program: one that takes privileges away.
    pub(crate) fn fail_through(&self, wrapper: &[&str], line: &str) -> Result<(i32, String)> {
        let output = self.spawn_through(wrapper, line)?.wait(LIMIT)?;
        ensure!(!output.status.success(), "`scanguard {line}` succeeded");
        ensure!(output.stdout.is_empty(), "`scanguard {line}` failed and wrote data");
        let code = output.status.code().with_context(|| format!("`scanguard {line}`: {}", output.status))?;
        Ok((code, String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// Starts a command that goes on.
    pub(crate) fn spawn(&self, line: &str) -> Result<Process> {
        self.spawn_through(&[], line)
    }

    /// Starts a command by another program.
    pub(crate) fn spawn_through(&self, wrapper: &[&str], line: &str) -> Result<Process> {
        let words = wrapper.iter().map(OsString::from).chain([program()?]);
        let words: Vec<OsString> = words.chain(line.split_whitespace().map(OsString::from)).collect();
        let (first, rest) = words.split_first().context("no command")?;
        self.host.spawn(first, rest)
    }

    /// All counters of the cable's interface.
    pub(crate) fn counts(&self) -> Result<Counts> {
        Counts::read(&self.run(&format!("stats {INTERFACE} --all --json"))?)
    }

    /// All counters of all guarded interfaces together.
    pub(crate) fn all_counts(&self) -> Result<Counts> {
        Counts::read(&self.run("stats --all --json")?)
    }

    /// Waits until so many packets were dropped since `before`: their causes, with packets and bytes.
    pub(crate) fn drops_after(&self, before: &Counts, packets: u64) -> Result<BTreeMap<Cause, (u64, u64)>> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let drops = self.counts()?.drops_since(before);
            let dropped: u64 = drops.values().map(|(packets, _)| packets).sum();
            if dropped >= packets {
                return Ok(drops);
            }
            ensure!(Instant::now() < deadline, "{dropped} packets were dropped and not {packets}: {drops:?}");
            sleep(POLL);
        }
    }

    /// Whether anything of ours is left: a pin, or a program on the cable.
    pub(crate) fn is_gone(&self) -> Result<bool> {
        let pinned = self.host.within(|| Path::new("/sys/fs/bpf/scanguard").exists());
        Ok(!pinned && !self.host.ip(&format!("link show {INTERFACE}"))?.contains("xdp"))
    }
}

/// The program under test, which `cargo xtask test` builds and names.
pub(crate) fn program() -> Result<OsString> {
    env::var_os("SCANGUARD_BIN").context("SCANGUARD_BIN names no scanguard to test: run `cargo xtask test`")
}

/// What was counted for each cause: packets and bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<Cause, (u64, u64)>);

impl Counts {
    fn read(text: &str) -> Result<Counts> {
        let mut counts = BTreeMap::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).with_context(|| format!("reading {line}"))?;
            if let Some(name) = line.get("cause").and_then(Value::as_str) {
                let cause = Cause::from_name(name).with_context(|| format!("{name}: no such cause"))?;
                let number = |field| line.get(field).and_then(Value::as_u64);
                let tally = number("packets").zip(number("bytes"));
                let (packets, bytes) = tally.with_context(|| format!("{name}: no packets or bytes"))?;
                let sum: &mut (u64, u64) = counts.entry(cause).or_default();
                *sum = (sum.0 + packets, sum.1 + bytes);
            }
        }
        ensure!(counts.len() == Cause::ALL.len(), "not every cause is told");
        Ok(Counts(counts))
    }

    /// How many packets were counted for a cause.
    pub(crate) fn packets(&self, cause: Cause) -> u64 {
        self.0.get(&cause).map_or(0, |(packets, _)| *packets)
    }

    /// How many bytes the packets had on average that were counted for a cause.
    pub(crate) fn mean_size(&self, cause: Cause) -> u64 {
        self.0.get(&cause).map_or(0, |(packets, bytes)| bytes.checked_div(*packets).unwrap_or(0))
    }

    /// How many packets came in.
    pub(crate) fn received(&self) -> u64 {
        // What goes out is counted only where it is silenced.
        let came_in = self.0.iter().filter(|(cause, _)| !cause.name().ends_with("-silenced"));
        came_in.map(|(_, (packets, _))| packets).sum()
    }

    /// What was counted since `before`: causes with packets and bytes, those that dropped.
    pub(crate) fn drops_since(&self, before: &Counts) -> BTreeMap<Cause, (u64, u64)> {
        let drops = self.0.iter().filter(|(cause, _)| cause.action() == Action::Drop);
        drops
            .map(|(cause, (packets, bytes))| {
                let earlier = before.0.get(cause).copied().unwrap_or_default();
                (*cause, (packets - earlier.0, bytes - earlier.1))
            })
            .filter(|(_, tally)| *tally != (0, 0))
            .collect()
    }

    /// How many packets were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.0
            .iter()
            .filter(|(cause, _)| cause.action() == Action::Drop)
            .map(|(_, (packets, _))| packets)
            .sum()
    }
}
