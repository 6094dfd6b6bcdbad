//! Interfaces, queues and protocols that come as modules.

use std::time::Duration;

use anyhow::{Result, ensure};
use scanguard_common::classify::flags::TcpFlags;
use scanguard_common::parse::parse;
use scanguard_harness::{Capture, GUARDED_V4, GUARDED_V6, INTERFACE, Lab, OUTSIDE_V4, OUTSIDE_V6};

use crate::legitimate::{Scene, Socket, accept, exchange, happened, pour, set};
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
fn associations_of_sctp() -> Result<()> {
    if Feature::Sctp.is_missing()? {
        return Ok(());
    }
    Scene::play(|stage| {
        for _ in 0..5 {
            let listener =
                Socket::sctp(stage.server, stage.server_is)?.bound_to((stage.server_is, 0))?.listen()?;
            let to = listener.local_addr()?;
            let (client, server) = stage.scene.tries(|| {
                let client = Socket::sctp(stage.client, stage.client_is)?.connect(to)?;
                Ok((client, accept(&listener)?))
            })?;
            exchange(&client, &server)?;
            pour(&client, &server, 100_000)?;
            pour(&server, &client, 100_000)?;
        }
        Ok(())
    })
}

#[test]
fn accurate_congestion_notification_of_this_kernel() -> Result<()> {
    /// AE, ECE and CWR in a SYN ask for it.
    const ASKED_FOR: u16 = TcpFlags::SYN | TcpFlags::AE | TcpFlags::ECE | TcpFlags::CWR;
    if Feature::AccurateEcn.is_missing()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    for host in [&lab.guarded, &lab.outside] {
        set(host, "ipv4/tcp_ecn", "3")?;
    }
    Scene::play_in(&lab, |stage| {
        let capture = Capture::on(stage.server, INTERFACE)?;
        let (client, server) = stage.connected()?;
        let is_syn =
            |frame: &[u8]| parse(frame).is_ok_and(|packet| packet.transport.segment.flags.has(ASKED_FOR));
        ensure!(capture.wait_for(Duration::from_secs(2), is_syn)?.is_some(), "it was not asked for");
        pour(&client, &server, 500_000)?;
        pour(&server, &client, 500_000)
    })
}

#[test]
fn a_service_in_a_vrf() -> Result<()> {
    in_a_vrf("")
}

#[test]
fn a_service_in_a_vrf_whose_closed_ports_are_silenced_at_egress() -> Result<()> {
    in_a_vrf(vrf::WHERE)
}

fn in_a_vrf(options: &str) -> Result<()> {
    if Feature::Vrf.is_missing()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    vrf::enslave(&lab.guarded)?;
    let scene = Scene::before(&lab.guarded)?;
    scene.guard(&format!("{INTERFACE} {options}"))?;
    vrf::converse(&lab, |talk| scene.tries(talk))?;
    scene.end()
}
