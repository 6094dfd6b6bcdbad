//! What was decided a moment ago counts no longer when the rules have changed, and only for the same frames.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail, ensure};
use scanguard_common::ban::{Ban, Terms};
use scanguard_common::cause::Cause;
use scanguard_common::classify::signature::Label;
use scanguard_common::evidence::Kind;
use scanguard_harness::{
    Frame, GUARDED_V4, GUARDED_V6, INTERFACE, Injector, Lab, Link, OUTSIDE_V4, OUTSIDE_V6,
};

use crate::guard::Guard;
use crate::ledger::{Ledger, now};

const OPEN: u16 = 80;
const STRANGER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// Longer than a test can take.
const TERMS: Terms = Terms { first: 3_600, ceiling: 3_600, forget: 3_600 };

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

#[test]
fn who_is_banned_no_longer_is_let_in_at_once() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    let ledger = Ledger::of(&lab.guarded);
    let _listener = lab.guarded.within(|| TcpListener::bind((GUARDED_V4, OPEN)))?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let syn = Frame::ipv4(STRANGER, GUARDED_V4).tcp(40_000, OPEN).flags("S").linux_options().build();
    for round in 1..=3 {
        let before = guard.counts()?;
        ledger.ban_all(
            [STRANGER].into_iter(),
            Ban::default().again(Kind::Closed, Label::NONE, TERMS, now()?),
        )?;
        flood(&injector, std::slice::from_ref(&syn))?;
        let banned = guard.counts()?;
        ensure!(banned.drops_since(&before) == [(Cause::Banned, (PROBES, PROBES * syn.len() as u64))].into());
        guard.run("ban remove 198.18.0.1")?;
        flood(&injector, std::slice::from_ref(&syn))?;
        let dropped = guard.counts()?.drops_since(&banned);
        ensure!(dropped.is_empty(), "round {round}: {dropped:?}");
    }
    Ok(())
}

#[test]
fn that_somebody_listens_is_recalled_for_another_source() -> Result<()> {
    const TRIES: usize = 5;
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let syn = |source| Frame::ipv4(source, GUARDED_V4).tcp(40_000, OPEN).flags("S").linux_options().build();
    for _ in 0..TRIES {
        let before = guard.counts()?.packets(Cause::NewConnection);
        let listener = lab.guarded.within(|| TcpListener::bind((GUARDED_V4, OPEN)))?;
        injector.send(&syn(STRANGER))?;
        drop(listener);
        injector.send(&syn(OUTSIDE_V4))?;
        // Unless a moment has ended just then.
        if guard.counts()?.packets(Cause::NewConnection) == before + 2 {
            return Ok(());
        }
    }
    bail!("it was looked up anew each time")
}

fn flood(injector: &Injector, frames: &[Vec<u8>]) -> Result<()> {
    for _ in 0..PROBES {
        for frame in frames {
            injector.send(frame)?;
        }
    }
    Ok(())
}
