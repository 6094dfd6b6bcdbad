//! A second door that somebody takes away is told.

use std::fs;

use anyhow::{Result, ensure};
use aya::programs::TcAttachType;
use aya::programs::tc::qdisc_detach_program;
use scanguard::program::EGRESS;
use scanguard_harness::{INTERFACE, Lab};

use crate::guard::Guard;

#[test]
fn a_second_door_that_was_taken_away_is_told() -> Result<()> {
    const PIN: &str = "/sys/fs/bpf/scanguard/egress/0";
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
