//! Devices above the guarded interface, whose sockets the socket table does not show, are told by `status`.

use anyhow::{Result, ensure};
use scanguard_harness::Lab;

use super::feature::Feature;
use crate::guard::Guard;
use crate::translation::reasons;

#[test]
fn a_vlan_above_is_told() -> Result<()> {
    is_told(
        Feature::Vlan,
        &["link add link eth0 name eth0.7 type vlan id 7"],
        "the interface carries eth0.7 (vlan)",
    )
}

#[test]
fn a_vrf_above_is_told() -> Result<()> {
    let steps = ["link add blue type vrf table 10", "link set eth0 master blue"];
    is_told(Feature::Vrf, &steps, "the interface carries blue (vrf)")
}

fn is_told(feature: Feature, steps: &[&str], expected: &str) -> Result<()> {
    if feature.is_missing()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    ensure!(reasons(&guard)?.is_empty(), "nothing is there, and told: {:?}", reasons(&guard)?);
    for step in steps {
        lab.guarded.ip(step)?;
    }
    let told = reasons(&guard)?;
    ensure!(told == [expected], "told: {told:?}");
    Ok(())
}
