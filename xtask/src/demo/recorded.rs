//! The demo without privileges: the same engine over a recorded capture.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::demo::counters::dropped_in;
use crate::shell;

/// The capture that is kept in the repository, and the host that it was recorded at.
const CAPTURE: &str = "tests/data/scans.pcap";
const LOCAL: [&str; 3] = ["--local", "10.77.0.1", "fd77::1"];
/// Its services: whoever scans it and works with it from one address is banned, and still may use them.
const POLICY: [&str; 2] = ["--policy", "tests/data/scans.toml"];

/// Says why nothing can be guarded here, and shows what would have been dropped of a recorded scan instead. Fails when
/// that is nothing, or when something legitimate would have been harmed.
pub(crate) fn show(scanguard: &Path, reason: &str, out: &mut dyn Write) -> Result<()> {
    writeln!(
        out,
        "Privileges for BPF are missing: {reason}.\n\
         So no host is guarded here. The same engine runs over a recorded capture instead: a host is scanned in eight\n\
         ways, while others work with it.\n"
    )?;
    let mut words = vec!["replay", CAPTURE];
    words.extend(LOCAL);
    words.extend(POLICY);
    writeln!(out, "$ scanguard {}", words.join(" "))?;
    writeln!(out, "{}", run(scanguard, &words)?)?;
    words.push("--json");
    let told = run(scanguard, &words)?;
    let (dropped, losses) = (dropped_in(&told)?, losses(&told)?);
    ensure!(dropped > 0, "the promise was not kept: nothing of the scans would have been dropped");
    ensure!(losses == 0, "the promise was not kept: {losses} conversations would have lost packets");
    writeln!(
        out,
        "Seen: {dropped} packets would have been dropped, and no conversation would have lost one. With privileges for\n\
         BPF, the demo scans a guarded host in a laboratory.\n"
    )?;
    Ok(())
}

fn run(scanguard: &Path, words: &[&str]) -> Result<String> {
    let mut command = Command::new(scanguard);
    command.args(words).current_dir(shell::checkout()).stdin(Stdio::null());
    let line = shell::show(&command);
    let output = command.output().with_context(|| format!("starting `{line}`"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{line}` ended with {}: {}", output.status, errors.trim_end());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// How many conversations would have lost something.
fn losses(told: &str) -> Result<usize> {
    let lines = told.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
    let lines = lines.context("reading what `scanguard replay --json` printed")?;
    Ok(lines.iter().filter(|line| line["kind"] == "loss").count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_counted_by_conversation() {
        let told = "{\"kind\":\"total\",\"action\":\"drop\",\"packets\":3}\n{\"kind\":\"loss\"}\n{\"kind\":\"loss\"}\n";
        assert_eq!(losses(told).expect("that is JSON"), 2);
        assert!(losses("no JSON").is_err());
    }
}
