//! What was decided a moment ago counts no longer when the rules have changed, and only for the same frames.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use scanguard_common::cause::Cause;
use scanguard_harness::{
    Frame, GUARDED_V4, GUARDED_V6, INTERFACE, Injector, Lab, Link, OUTSIDE_V4, OUTSIDE_V6,
};

use crate::guard::Guard;

/// How many probes are sent between two looks: fewer than a moment has room for.
const PROBES: u64 = 50;

#[test]
fn who_is_allowed_is_dropped_no_longer_and_who_is_not_is_dropped_again_at_once() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let frames = [
        Frame::ipv4(OUTSIDE_V4, GUARDED_V4).tcp(40_000, 81).flags("FPU").build(),
        Frame::ipv6(OUTSIDE_V6, GUARDED_V6).tcp(40_000, 81).flags("FPU").build(),
    ];
    for round in 1..=3 {
        let before = guard.counts()?;
        flood(&injector, &frames)?;
        let after = guard.counts()?;
        let bytes = frames.iter().map(|frame| frame.len() as u64).sum::<u64>();
        let (expected, dropped) = ((PROBES * 2, PROBES * bytes), after.drops_since(&before));
        ensure!(dropped == [(Cause::TcpXmas, expected)].into(), "round {round}: {dropped:?}");

        guard.run("allow add 10.77.0.2 fd77::2")?;
        flood(&injector, &frames)?;
        let allowed = guard.counts()?.packets(Cause::Allowed) - after.packets(Cause::Allowed);
        ensure!(allowed == PROBES * 2, "round {round}: {allowed} were allowed");
        guard.run("allow remove 10.77.0.2 fd77::2")?;
    }
    Ok(())
}

#[test]
fn what_only_looks_like_what_was_dropped_is_judged_by_itself() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    guard.run("allow add 10.77.0.3")?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let probe = |source| Frame::ipv4(source, GUARDED_V4);
    let elsewhere = Link::default().to_mac([2, 0x77, 0, 0, 0, 9]);
    let cases = [
        (Cause::TcpXmas, probe(OUTSIDE_V4).tcp(40_000, 81).flags("FPU").build()),
        (Cause::TcpNull, probe(OUTSIDE_V4).tcp(40_000, 81).flags("").build()),
        (Cause::Allowed, probe(Ipv4Addr::new(10, 77, 0, 3)).tcp(40_000, 81).flags("FPU").build()),
        (Cause::OtherStation, probe(OUTSIDE_V4).link(elsewhere).tcp(40_000, 81).flags("FPU").build()),
        (Cause::PortZero, probe(OUTSIDE_V4).tcp(0, 81).flags("FPU").build()),
        (Cause::PortZero, probe(OUTSIDE_V4).tcp(40_000, 0).flags("FPU").build()),
        (Cause::IpOptions, probe(OUTSIDE_V4).options(&[1, 1, 1, 1]).tcp(40_000, 81).flags("FPU").build()),
    ];
    for _ in 0..PROBES {
        for (_, frame) in &cases {
            injector.send(frame)?;
        }
    }
    let counts = guard.counts()?;
    for (cause, _) in &cases {
        let expected = PROBES * cases.iter().filter(|(other, _)| other == cause).count() as u64;
        let counted = counts.packets(*cause);
        ensure!(counted == expected, "{}: {counted} of {expected}", cause.name());
    }
    Ok(())
}

fn flood(injector: &Injector, frames: &[Vec<u8>]) -> Result<()> {
    for _ in 0..PROBES {
        for frame in frames {
            injector.send(frame)?;
        }
    }
    Ok(())
}
