//! The main job in short: attached, probes die, traffic goes on; detached, nothing is left.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use scanguard_harness::{GUARDED_V4, GUARDED_V6, Lab, PortState};

use crate::conversation::Conversation;
use crate::guard::Guard;
use crate::nmap::{CLOSED, OPEN, probes, scan};
use crate::scans::services;

#[test]
fn probes_die_and_traffic_goes_on() -> Result<()> {
    let lab = Lab::new()?;
    let _services = services(&lab)?;
    for target in [IpAddr::from(GUARDED_V4), GUARDED_V6.into()] {
        let mut earlier = Conversation::open(&lab.outside, (target, 22))?;
        earlier.exchange("before")?;
        let guard = Guard::attached(&lab.guarded)?;

        let scans = scan(&lab.outside, &["-sN", "-sX", "-sA", "-sM"], target)?;
        for port in scans.iter().flat_map(|(_, report)| report.ports()) {
            ensure!(port.state.is_silence(), "{target}: port {} is {}", port.number, port.state);
        }
        earlier.exchange("after")?;
        Conversation::open(&lab.outside, (target, 22))?.exchange("hello")?;
        let (dropped, probes) = (guard.counts()?.dropped(), probes(&scans));
        ensure!(dropped == probes, "{target}: {dropped} packets were dropped, but {probes} probes were sent");

        for (_, report) in scan(&lab.outside, &["-sT"], target)? {
            for (ports, expected) in [(OPEN, PortState::Open), (CLOSED, PortState::Filtered)] {
                for port in ports {
                    let state = report.port(port)?.state;
                    ensure!(state == expected, "{target}: port {port} is {state}, not {expected}");
                }
            }
        }
        guard.run("detach eth0")?;
        ensure!(guard.is_gone()?, "something is left");
    }
    Ok(())
}
