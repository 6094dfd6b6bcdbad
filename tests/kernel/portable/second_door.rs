//! A second door that somebody takes away is told.

use std::fs;

use anyhow::{Result, ensure};
use aya::programs::TcAttachType;
use aya::programs::tc::qdisc_detach_program;
use scanguard::program::EGRESS;
use scanguard_harness::{INTERFACE, Lab};

use crate::guard::Guard;

/// Where the link is pinned, on kernels that have such links.
const PIN: &str = "/sys/fs/bpf/scanguard/egress/0";

#[test]
fn a_second_door_that_was_taken_away_is_told() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    let status = guard.run("status")?;
    ensure!(!status.contains("taken away"), "nobody has taken it yet: {status}");

    let is_link = lab.guarded.within(|| fs::exists(PIN))?;
    ensure!(status.contains(if is_link { "tcx" } else { "clsact" }), "{status}");
    if is_link {
        lab.guarded.within(|| fs::remove_file(PIN))?;
    } else {
        lab.guarded.within(|| qdisc_detach_program(INTERFACE, TcAttachType::Egress, EGRESS))?;
    }
    let status = guard.run("status")?;
    ensure!(
        status.contains("second door was taken away") && status.contains("`scanguard detach eth0`"),
        "{status}"
    );
    guard.run("detach eth0")?;
    ensure!(guard.is_gone()?, "something is left");
    Ok(())
}

#[test]
fn detach_closes_the_second_door() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    let is_link = lab.guarded.within(|| fs::exists(PIN))?;
    let filters = || lab.guarded.run("tc", ["filter", "show", "dev", INTERFACE, "egress"]);
    ensure!(filters()?.contains(EGRESS) != is_link, "it is attached as {}", filters()?);
    guard.run("detach eth0")?;
    ensure!(!filters()?.contains(EGRESS), "a filter is left: {}", filters()?);
    Ok(())
}
