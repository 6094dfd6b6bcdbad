//! Interfaces, queues and protocols that come as modules.

use anyhow::{Result, ensure};
use scanguard_harness::{GUARDED_V4, GUARDED_V6, INTERFACE, Lab, OUTSIDE_V4, OUTSIDE_V6};

use crate::legitimate::{Scene, happened};
use crate::portable::feature::Feature;
use crate::portable::talk::{CONVERSATIONS, all_ways};
use crate::portable::{vlan, vrf};

/// Of what the peer sends: one in fifty is lost, one in twenty comes twice, one in four comes early.
const FAULTS: &str = "delay 5ms loss 2% duplicate 5% reorder 25%";

/// How much goes each way over a connection: some hundred frames, so that a few meet with each fault.
const BULK: usize = 400_000;

#[test]
fn a_long_way_on_which_frames_are_lost_doubled_and_reordered() -> Result<()> {
    if Feature::Netem.is_missing()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let set = format!("qdisc add dev {INTERFACE} root netem {FAULTS}");
    lab.outside.run("tc", set.split_whitespace())?;
    let scene = Scene::guarding(&lab.guarded)?;
    all_ways(
        (&lab.guarded, [GUARDED_V4.into(), GUARDED_V6.into()]),
        (&lab.outside, [OUTSIDE_V4.into(), OUTSIDE_V6.into()]),
        BULK,
    )?;
    scene.made(CONVERSATIONS);
    for (name, fault) in [("TCPOFOQueue", "lost or early"), ("TCPDSACKOldSent", "doubled")] {
        ensure!(happened(&lab.guarded, name)? > 0, "{name}: nothing was {fault}");
    }
    scene.end()
}

#[test]
fn services_of_vlans_with_one_tag_and_with_two() -> Result<()> {
    if Feature::Vlan.is_missing()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    for (host, last) in [(&lab.guarded, 1), (&lab.outside, 2)] {
        vlan::add_vlans(host, last)?;
    }
    let scene = Scene::guarding(&lab.guarded)?;
    for vlan in &vlan::VLANS {
        all_ways((&lab.guarded, vlan.addresses(1)), (&lab.outside, vlan.addresses(2)), vlan::BULK)?;
        scene.made(CONVERSATIONS);
    }
    scene.end()
}

#[test]
fn a_service_in_a_vrf() -> Result<()> {
    if Feature::Vrf.is_missing()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    vrf::enslave(&lab.guarded)?;
    let scene = Scene::before(&lab.guarded)?;
    scene.guard(&format!("{INTERFACE} {}", vrf::WHERE))?;
    vrf::converse(&lab, |talk| scene.tries(talk))?;
    scene.end()
}
