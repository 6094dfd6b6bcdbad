//! What scanners learn, over both families: nothing but the published services.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use scanguard_harness::{Capture, GUARDED_V4, GUARDED_V6, INTERFACE, Lab, PortState, Report, Service};

use crate::guard::Guard;
use crate::nmap::{CLOSED, NEVER_ANSWERED, OPEN, STEALTHY, scan};
use crate::policy::Policy;

/// Ways of asking for a connection: half a handshake, which nmap writes itself, and a whole one by the system's stack.
const KNOCKING: [&str; 2] = ["-sS", "-sT"];

/// The open ports, published for everybody.
const PUBLISHED: &str = "public = [\"tcp/22\", \"tcp/80\", \"tcp/443\"]\n";

#[test]
fn stealthy_scans_get_no_answer_v4() -> Result<()> {
    stealthy_scans_get_no_answer(GUARDED_V4.into())
}

#[test]
fn stealthy_scans_get_no_answer_v6() -> Result<()> {
    stealthy_scans_get_no_answer(GUARDED_V6.into())
}

#[test]
fn knocking_finds_what_is_published_and_nothing_else_v4() -> Result<()> {
    knocking_finds_what_is_published(GUARDED_V4.into())
}

#[test]
fn knocking_finds_what_is_published_and_nothing_else_v6() -> Result<()> {
    knocking_finds_what_is_published(GUARDED_V6.into())
}

fn stealthy_scans_get_no_answer(target: IpAddr) -> Result<()> {
    let lab = Lab::new()?;
    let _services = services(&lab)?;
    for (technique, report) in scan(&lab.outside, &STEALTHY, target)? {
        let heard = CLOSED.iter().any(|port| report.port(*port).is_ok_and(|port| !port.state.is_silence()));
        ensure!(
            heard != NEVER_ANSWERED.contains(&technique),
            "{technique}: unguarded, it heard {}, so silence proves nothing",
            if heard { "an answer" } else { "nothing" },
        );
    }

    let _guard = Guard::attached(&lab.guarded)?;
    let capture = Capture::on(&lab.outside, INTERFACE)?;
    for (technique, report) in scan(&lab.outside, &STEALTHY, target)? {
        for port in OPEN.into_iter().chain(CLOSED) {
            let state = report.port(port)?.state;
            ensure!(state.is_silence(), "{technique}: port {port} is {state}");
        }
    }
    let answers = capture.answers_after(Duration::from_millis(100))?;
    ensure!(answers.is_empty(), "the guarded host sent {answers:02x?}");
    Ok(())
}

fn knocking_finds_what_is_published(target: IpAddr) -> Result<()> {
    let lab = Lab::new()?;
    let _services = services(&lab)?;
    for (technique, report) in scan(&lab.outside, &KNOCKING, target)? {
        expect(technique, &report, PortState::Open, PortState::Closed)?;
    }
    let policy = Policy::write(PUBLISHED)?;
    let guard = Guard::attached_with(&lab.guarded, &format!("--preset off --policy {}", policy.path()))?;
    for (technique, report) in scan(&lab.outside, &KNOCKING, target)? {
        expect(technique, &report, PortState::Open, PortState::Filtered)?;
    }
    guard.run("detach eth0")?;
    let _guard = Guard::attached(&lab.guarded)?;
    for (technique, report) in scan(&lab.outside, &KNOCKING, target)? {
        // What is not published for everybody answers systems, and not tools.
        let of_open = if technique == "-sT" { PortState::Open } else { PortState::Filtered };
        expect(technique, &report, of_open, PortState::Filtered)?;
    }
    Ok(())
}

/// Demands that open ports were found in the one state, and closed ones in the other.
fn expect(technique: &str, report: &Report, of_open: PortState, of_closed: PortState) -> Result<()> {
    let expected = OPEN.map(|port| (port, of_open)).into_iter().chain(CLOSED.map(|port| (port, of_closed)));
    for (port, expected) in expected {
        let state = report.port(port)?.state;
        ensure!(state == expected, "{technique}: port {port} is {state}, not {expected}");
    }
    Ok(())
}

/// Something to find behind every open port.
pub(crate) fn services(lab: &Lab) -> Result<Vec<Service>> {
    OPEN.into_iter()
        .map(
            |port| {
                if port == 22 { Service::echo(&lab.guarded, port) } else { Service::http(&lab.guarded, port) }
            },
        )
        .collect()
}
