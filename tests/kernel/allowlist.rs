//! Allowed sources see everything; removed from the list, they see nothing.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use scanguard_common::cause::Cause;
use scanguard_harness::{GUARDED_V4, GUARDED_V6, Lab, Report};

use crate::guard::Guard;
use crate::nmap::{CLOSED, NEVER_ANSWERED, OPEN, STEALTHY, probes, scan};
use crate::scans::services;

#[test]
fn an_allowed_scanner_sees_everything_and_nothing_once_removed() -> Result<()> {
    let lab = Lab::new()?;
    let _services = services(&lab)?;
    let guard = Guard::attached(&lab.guarded)?;
    let cases: [(IpAddr, &str); 4] = [
        (GUARDED_V4.into(), "10.77.0.2"),
        (GUARDED_V4.into(), "10.77.0.0/24"),
        (GUARDED_V6.into(), "fd77::2"),
        (GUARDED_V6.into(), "fd77::/64"),
    ];
    for (target, prefix) in cases {
        guard.run(&format!("allow add {prefix}"))?;
        let list = guard.run("allow list")?;
        ensure!(
            list.lines().any(|line| line.starts_with(&format!("{prefix} "))),
            "{prefix} is not in {list}"
        );

        let before = guard.counts()?;
        let scans = scan(&lab.outside, &STEALTHY, target)?;
        let after = guard.counts()?;
        ensure!(after.dropped() == before.dropped(), "{prefix}: an allowed packet was dropped");
        let allowed = after.packets(Cause::Allowed) - before.packets(Cause::Allowed);
        ensure!(allowed == probes(&scans), "{prefix}: {allowed} packets allowed of {}", probes(&scans));
        for (technique, report) in &scans {
            ensure!(
                sees_something(report)? != NEVER_ANSWERED.contains(technique),
                "{prefix}: {technique}: {report:?}"
            );
        }

        guard.run(&format!("allow remove {prefix}"))?;
        for (technique, report) in scan(&lab.outside, &STEALTHY, target)? {
            ensure!(!sees_something(&report)?, "{prefix} removed, but {technique} sees {report:?}");
        }
    }
    Ok(())
}

#[test]
fn whom_attach_allows_is_never_dropped() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    guard.run("attach eth0 --allow 10.77.0.2 fd77::/64")?;
    for target in [IpAddr::from(GUARDED_V4), GUARDED_V6.into()] {
        for (technique, report) in scan(&lab.outside, &["-sN", "-sS"], target)? {
            ensure!(sees_something(&report)?, "{technique} of {target}: {report:?}");
        }
    }
    ensure!(guard.counts()?.dropped() == 0, "an allowed packet was dropped: {:?}", guard.counts()?);
    Ok(())
}

fn sees_something(report: &Report) -> Result<bool> {
    let ports = OPEN.into_iter().chain(CLOSED).map(|port| report.port(port)).collect::<Result<Vec<_>>>()?;
    Ok(ports.iter().any(|port| !port.state.is_silence()))
}
