//! The README's commands do what it says.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use scanguard_harness::Lab;

use crate::guard::Guard;
use crate::policy::Policy;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
const LIMIT: Duration = Duration::from_secs(60);
/// How long a command that goes on is watched before Ctrl-C.
const A_WHILE: Duration = Duration::from_millis(500);

#[test]
fn every_command_of_the_readme_works_in_its_order() -> Result<()> {
    let readme = fs::read_to_string(README).with_context(|| format!("reading {README}"))?;
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    let commands: Vec<&str> = commands(&readme).collect();
    ensure!(commands.len() >= 10, "only {} commands were found", commands.len());
    for line in commands {
        if goes_on(line) {
            run_until_ctrl_c(&guard, line)?;
        } else {
            guard.run(line)?;
        }
    }
    ensure!(guard.is_gone()?, "the README's last word leaves something");
    Ok(())
}

#[test]
fn a_capture_is_replayed_as_the_readme_says() -> Result<()> {
    const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/scans.pcap");
    let readme = fs::read_to_string(README).with_context(|| format!("reading {README}"))?;
    let line = readme.lines().find_map(|line| line.strip_prefix("scanguard replay ")).context("no replay")?;
    // The capture that is kept is that of another host than the README's.
    let line = line.replace("capture.pcapng", CAPTURE).replace("192.0.2.7", "10.77.0.1");
    let line = line.replace("2001:db8::7", "fd77::1");
    let lab = Lab::new()?;
    let told = Guard::on(&lab.guarded).run(&format!("replay {line}"))?;
    ensure!(told.contains("tcp-xmas") && told.contains("10.77.0.2"), "{told}");
    Ok(())
}

#[test]
fn the_policy_of_the_readme_is_one() -> Result<()> {
    let readme = fs::read_to_string(README).with_context(|| format!("reading {README}"))?;
    let (_, rest) = readme.split_once("```toml\n").context("no policy")?;
    let (policy, _) = rest.split_once("```").context("the policy does not end")?;
    let policy = Policy::write(policy)?;
    let lab = Lab::new()?;
    let told = Guard::on(&lab.guarded).run(&format!("check eth0 --policy {}", policy.path()))?;
    ensure!(told.contains("preset balanced") && told.contains("is banned for 10m"), "{told}");
    Ok(())
}

/// The arguments of each `# scanguard …`, at root's prompt.
fn commands(readme: &str) -> impl Iterator<Item = &str> {
    let blocks = readme.split("```console\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0));
    blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("# scanguard "))
}

fn goes_on(line: &str) -> bool {
    line.starts_with("run ") || line.starts_with("events") || line.contains("--watch")
}

fn run_until_ctrl_c(guard: &Guard<'_>, line: &str) -> Result<()> {
    let mut process = guard.spawn(line)?;
    let deadline = Instant::now() + LIMIT;
    while !catches_ctrl_c(process.pid())? {
        ensure!(Instant::now() < deadline, "`scanguard {line}` does not listen to signals");
        sleep(Duration::from_millis(10));
    }
    sleep(A_WHILE);
    process.signal(Signal::SIGINT)?;
    let output = process.wait(LIMIT)?;
    ensure!(output.status.success(), "`scanguard {line}`: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Whether a process has begun to listen to SIGINT, which is the second lowest bit of the signals it catches.
fn catches_ctrl_c(process: u32) -> Result<bool> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).context("no SigCgt line")?;
    Ok(u64::from_str_radix(caught.trim(), 16)? & 2 != 0)
}
