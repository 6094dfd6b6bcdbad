//! A long way to the peer, on which packets are lost, doubled and reordered by the kernel's own emulator.

use anyhow::{Result, ensure};
use scanguard_harness::{GUARDED_V4, GUARDED_V6, INTERFACE, Lab, OUTSIDE_V4, OUTSIDE_V6};

use super::feature::Feature;
use super::talk::all_ways;
use crate::guard::Guard;
use crate::legitimate::happened;

/// Of what the peer sends: one in fifty is lost, one in twenty comes twice, one in four comes early.
const FAULTS: &str = "delay 5ms loss 2% duplicate 5% reorder 25%";

/// How much goes each way over a connection: some hundred frames, so that a few meet with each fault.
const BULK: usize = 400_000;

#[test]
fn a_long_and_bad_way() -> Result<()> {
    if Feature::Netem.is_missing()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let set = format!("qdisc add dev {INTERFACE} root netem {FAULTS}");
    lab.outside.run("tc", set.split_whitespace())?;
    let guard = Guard::attached(&lab.guarded)?;
    all_ways(
        (&lab.guarded, [GUARDED_V4.into(), GUARDED_V6.into()]),
        (&lab.outside, [OUTSIDE_V4.into(), OUTSIDE_V6.into()]),
        BULK,
    )?;
    for (name, fault) in [("TCPOFOQueue", "lost or early"), ("TCPDSACKOldSent", "doubled")] {
        ensure!(happened(&lab.guarded, name)? > 0, "{name}: nothing was {fault}");
    }
    let counts = guard.counts()?;
    ensure!(counts.dropped() == 0, "legitimate packets were dropped: {counts:?}");
    Ok(())
}
