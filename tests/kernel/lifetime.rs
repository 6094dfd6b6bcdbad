//! Protection begins with `attach`, outlives every process, and ends with `detach`, without a trace.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use scanguard_harness::{GUARDED_V4, Host, INTERFACE, Lab, Process};

use crate::guard::Guard;
use crate::nmap::{CLOSED, Scan, scan};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn run_killed_in_the_middle_of_a_scan_leaves_protection_and_detach_ends_it() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    let mut run = start_run(&guard)?;
    let under_way = Scan::start(&lab.outside, "-sX", GUARDED_V4.into())?;
    run.wait_for_stdout("tcp-xmas", LIMIT)?;
    run.signal(Signal::SIGKILL)?;
    run.wait(LIMIT)?;
    under_way.finish()?;

    ensure!(is_silent(&lab.outside)?, "killing the process ended protection");
    let status = guard.run("status")?;
    ensure!(status.contains(INTERFACE), "status does not know what is guarded: {status}");
    ensure!(guard.counts()?.dropped() > 0, "counters were lost");
    guard.run(&format!("detach {INTERFACE}"))?;
    ensure!(guard.is_gone()?, "something is left");
    ensure!(!is_silent(&lab.outside)?, "still guarded after detach");
    Ok(())
}

#[test]
fn run_detaches_what_it_attached_and_nothing_else() -> Result<()> {
    let lab = Lab::new()?;
    add_interface(&lab.guarded, "eth1")?;
    let guard = Guard::on(&lab.guarded);
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        guard.run("attach eth1")?;
        let mut run = start_run(&guard)?;
        run.signal(signal)?;
        let output = run.wait(LIMIT).with_context(|| signal.to_string())?;
        ensure!(output.status.success(), "{signal}: {}", String::from_utf8_lossy(&output.stderr));
        let status = guard.run("status")?;
        ensure!(!status.contains(INTERFACE) && status.contains("eth1"), "{signal}: {status}");
        guard.run("detach eth1")?;
        ensure!(guard.is_gone()?, "{signal}: something is left");
    }
    Ok(())
}

#[test]
fn run_outlives_its_terminal_where_nohup_wants_it() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    let mut run = await_run(guard.spawn_through(&["nohup"], &format!("run {INTERFACE}"))?)?;
    run.signal(Signal::SIGHUP)?;
    ensure!(run.wait(Duration::from_millis(500)).is_err(), "the signal ended it");
    run.signal(Signal::SIGTERM)?;
    run.wait(LIMIT)?;
    ensure!(guard.is_gone()?, "something is left");
    Ok(())
}

#[test]
fn the_allowlist_and_the_counters_of_others_outlive_a_detach() -> Result<()> {
    let lab = Lab::new()?;
    add_interface(&lab.guarded, "eth1")?;
    let guard = Guard::on(&lab.guarded);
    guard.run(&format!("attach {INTERFACE} eth1 --allow 192.0.2.0/24"))?;
    ensure!(is_silent(&lab.outside)?, "not guarded");
    guard.run("detach eth1")?;
    ensure!(guard.counts()?.dropped() > 0, "counters were lost");
    ensure!(guard.run("allow list")?.contains("192.0.2.0/24"), "the allowlist was lost");
    guard.run("detach --all")?;
    ensure!(guard.is_gone()?, "something is left");
    Ok(())
}

#[test]
fn an_interface_that_was_renamed_is_still_guarded() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    lab.guarded.ip(&format!("link set {INTERFACE} down"))?;
    lab.guarded.ip(&format!("link set {INTERFACE} name wan0"))?;
    lab.guarded.ip("link set wan0 up")?;
    let status = guard.run("status")?;
    ensure!(status.contains("wan0"), "{status}");
    guard.run("detach wan0")?;
    Ok(())
}

#[test]
fn what_is_left_of_a_deleted_interface_is_told_and_cleaned_up() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    add_interface(&lab.guarded, "eth1")?;
    guard.run("attach eth1")?;
    lab.guarded.ip("link del eth1")?;
    let status = guard.run("status")?;
    ensure!(status.contains("gone"), "{status}");
    guard.run(&format!("attach {INTERFACE}"))?;
    let status = guard.run("status")?;
    ensure!(!status.contains("gone"), "{status}");
    guard.run(&format!("detach {INTERFACE}"))?;
    ensure!(guard.is_gone()?, "something is left");
    Ok(())
}

#[test]
fn a_driver_without_xdp_is_guarded_in_generic_mode_and_that_is_said() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    lab.guarded.ip("link add ifb0 type ifb")?;
    let mut attach = guard.spawn("attach ifb0")?;
    let output = attach.wait(LIMIT)?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && words.contains("generic mode"), "{words}");
    ensure!(guard.run("status")?.contains("generic"), "status does not say it");
    guard.run("detach ifb0")?;
    Ok(())
}

/// Starts `scanguard run` and waits until it guards.
pub(crate) fn start_run(guard: &Guard<'_>) -> Result<Process> {
    await_run(guard.spawn(&format!("run {INTERFACE}"))?)
}

pub(crate) fn await_run(run: Process) -> Result<Process> {
    let deadline = Instant::now() + LIMIT;
    while !run.stderr().contains("until Ctrl-C") {
        ensure!(Instant::now() < deadline, "`scanguard run` does not begin: {}", run.stderr());
        sleep(Duration::from_millis(10));
    }
    Ok(run)
}

/// Whether closed ports do not answer.
fn is_silent(outside: &Host) -> Result<bool> {
    let reports = scan(outside, &["-sX"], GUARDED_V4.into())?;
    let states = reports.iter().flat_map(|(_, report)| CLOSED.map(|port| report.port(port)));
    Ok(states.collect::<Result<Vec<_>>>()?.iter().all(|port| port.state.is_silence()))
}

/// One more interface whose driver runs XDP.
pub(crate) fn add_interface(host: &Host, name: &str) -> Result<()> {
    host.ip(&format!("link add {name} type veth peer name peer-{name}"))?;
    host.ip(&format!("link set {name} up"))?;
    Ok(())
}
