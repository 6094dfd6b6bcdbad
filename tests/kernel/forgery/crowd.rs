//! A crowd of forged sources that tries one port.

use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::net::if_::if_nametoindex;
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use scanguard_benches::bare::Numbered;
use scanguard_benches::kernel::send;
use scanguard_common::ban::{Ban, Terms};
use scanguard_common::cause::Cause;
use scanguard_common::classify::signature::Label;
use scanguard_common::evidence::Kind;
use scanguard_common::recent::{Door, Look, glance};
use scanguard_common::schema::{DOOR_PLACES, InterfaceSlot};
use scanguard_harness::{Frame, GUARDED_V4, INTERFACE, Injector, Lab};

use crate::guard::Guard;
use crate::ledger::{Ledger, now};

/// The port that the crowd tries, and a client.
const PORT: u16 = 8080;

/// Longer than a moment is on any kernel.
const MOMENT: Duration = Duration::from_millis(1_400);

/// How many clients come at once.
const CLIENTS: u8 = 20;

/// Longer than a test can take.
const TERMS: Terms = Terms { first: 3_600, ceiling: 3_600, forget: 3_600 };

#[test]
fn amid_a_crowd_that_a_port_is_closed_is_believed_for_a_moment_and_no_longer() -> Result<()> {
    const TRIES: usize = 5;
    let lab = Lab::new()?;
    let guard = Guard::attached_with(&lab.guarded, "--closed-ports ingress")?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    stay()?;
    let counted = || {
        let counts = guard.counts()?;
        Ok::<_, anyhow::Error>([Cause::ClosedPort, Cause::NewConnection].map(|cause| counts.packets(cause)))
    };
    let knock = |network| -> Result<[u64; 2]> {
        let before = counted()?;
        for host in 0..CLIENTS {
            let syn = Frame::ipv4(Ipv4Addr::new(198, 18, network, host), GUARDED_V4).tcp(40_000, PORT);
            injector.send(&syn.flags("S").linux_options().build())?;
        }
        let after = counted()?;
        Ok([0, 1].map(|cause| after[cause] - before[cause]))
    };
    for network in 0..TRIES {
        crowd(&lab)?;
        let listener = lab.guarded.within(|| TcpListener::bind((GUARDED_V4, PORT)))?;
        let network = 2 * u8::try_from(network)?;
        let [closed, accepted] = knock(network)?;
        thread::sleep(MOMENT);
        let later = knock(network + 1)?;
        drop(listener);
        println!("at once {closed} found the port closed, {accepted} open; a moment later {later:?}");
        ensure!(later == [0, CLIENTS.into()], "a moment later {later:?}");
        if closed > 0 {
            return Ok(());
        }
    }
    bail!("it was looked up anew each time")
}

#[test]
fn amid_a_crowd_it_still_counts_who_is_allowed_and_who_is_banned() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached_with(&lab.guarded, "--closed-ports ingress")?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    stay()?;
    let [allowed, banned] = [1, 2].map(|host| Ipv4Addr::new(198, 18, 0, host));
    guard.run("allow add 198.18.0.1")?;
    let ban = Ban::default().again(Kind::Closed, Label::NONE, TERMS, now()?);
    Ledger::of(&lab.guarded).ban_all([banned].into_iter(), ban)?;
    for _ in 0..3 {
        crowd(&lab)?;
        for (source, cause) in [(allowed, Cause::Allowed), (banned, Cause::Banned)] {
            let before = guard.counts()?.packets(cause);
            injector.send(&Frame::ipv4(source, GUARDED_V4).tcp(40_000, PORT).flags("S").build())?;
            let counted = guard.counts()?.packets(cause) - before;
            ensure!(counted == 1, "{counted} counted as {}", cause.name());
        }
    }
    Ok(())
}

#[test]
fn a_crowd_that_tries_other_ports_pushes_nothing_out_that_is_recalled() -> Result<()> {
    const TRIES: usize = 5;
    const OPEN: u16 = 80;
    let lab = Lab::new()?;
    let guard = Guard::attached_with(&lab.guarded, "--closed-ports ingress")?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    stay()?;
    let syn = |network, host, port| {
        let source = Ipv4Addr::new(198, 18, network, host);
        Frame::ipv4(source, GUARDED_V4).tcp(40_000, port).flags("S").linux_options().build()
    };
    let seed = Ledger::of(&lab.guarded).rules()?.seed();
    let place = |port| place_of_greeting(&syn(0, 0, port), seed);
    // Whoever tries all ports tries those too that are kept at the same place.
    let closed =
        (1_024..u16::MAX).find(|port| place(*port) == place(OPEN)).context("no port shares its place")?;
    for network in 0..TRIES {
        let network = u8::try_from(network)?;
        crowd(&lab)?;
        let before = guard.counts()?;
        let listener = lab.guarded.within(|| TcpListener::bind((GUARDED_V4, OPEN)))?;
        injector.send(&syn(network, 0, OPEN))?;
        drop(listener);
        for host in 0..CLIENTS {
            injector.send(&syn(network, host + 1, closed))?;
        }
        injector.send(&syn(network, CLIENTS + 1, OPEN))?;
        let after = guard.counts()?;
        let counted = [Cause::ClosedPort, Cause::NewConnection]
            .map(|cause| after.packets(cause) - before.packets(cause));
        println!("{counted:?} found a port closed, and open");
        // Unless a moment has ended just then.
        if counted == [CLIENTS.into(), 2] {
            return Ok(());
        }
    }
    bail!("that somebody listens was forgotten each time")
}

/// Where it is kept what was decided of SYNs like this one, whoever sends them.
fn place_of_greeting(syn: &[u8], seed: u64) -> Option<u32> {
    let slot = InterfaceSlot::new(0)?;
    Some(glance(syn, Door::Incoming, slot, &Look)?.greeting()?.place(seed))
}

/// Keeps this thread on its processor: what was decided a moment ago each has for itself, and a frame is received where it
/// was sent.
fn stay() -> Result<()> {
    let mut here = CpuSet::new();
    here.set(sched_getcpu()?)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &here)?)
}

/// Fills the door with strangers who try the port, and goes on for a while.
fn crowd(lab: &Lab) -> Result<()> {
    let frame = Frame::ipv4(Ipv4Addr::UNSPECIFIED, GUARDED_V4).tcp(40_000, PORT).flags("S").build();
    lab.outside.within(|| {
        let source = Numbered::sources(if_nametoindex(INTERFACE)?, &frame)?;
        send(source.as_fd(), &frame, 8 * DOOR_PLACES)?;
        Ok(())
    })
}
