//! A table of bans that is full.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_common::ban::{Ban, Terms};
use scanguard_common::cause::Cause;
use scanguard_common::classify::signature::Label;
use scanguard_common::evidence::Kind;
use scanguard_common::policy::Preset;
use scanguard_common::schema::MAX_BANS;
use scanguard_harness::{Capture, Frame, GUARDED_V4, INTERFACE, Injector, Lab, OUTSIDE_V4, Service};

use super::UNPUBLISHED;
use super::flood::noted;
use crate::conversation::Conversation;
use crate::guard::Guard;
use crate::ledger::{Ledger, now};

/// Longer than an answer is under way.
const SETTLED: Duration = Duration::from_millis(300);

#[test]
fn where_no_more_can_be_banned_nobody_is_pardoned_and_scans_die_all_the_same() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    let _service = Service::echo(&lab.guarded, UNPUBLISHED)?;
    let ledger = Ledger::of(&lab.guarded);
    let [banned, scanner] = [66, 67].map(|number| Ipv4Addr::new(10, 77, 0, number));
    for source in [banned, scanner] {
        lab.add_source(source.into())?;
    }
    // From now on, for longer than the test can take.
    let terms = Terms { first: 86_400, ceiling: 86_400, forget: 86_400 };
    let ban = Ban::default().again(Kind::Closed, Label::NONE, terms, now()?);
    ensure!(ledger.ban_all([banned].into_iter(), ban)? == 1, "not even one can be banned");
    let others = (0..MAX_BANS).map(|number| Ipv4Addr::from(u32::from(Ipv4Addr::new(100, 64, 0, 0)) + number));
    ensure!(ledger.ban_all(others, ban)? == MAX_BANS - 1, "the table does not hold {MAX_BANS}");
    let before = ledger.bans()?;
    let reader = guard.spawn("events --json")?;

    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let capture = Capture::on(&lab.outside, INTERFACE)?;
    let syn = |source, port| {
        injector.send(&Frame::ipv4(source, GUARDED_V4).tcp(40_000, port).flags("S").linux_options().build())
    };
    let told = u16::try_from(Preset::default().judgement().closed_ports())?;
    (1..1 + told).try_for_each(|port| syn(scanner, port))?;
    let event = reader.wait_for_stdout("bans-full", Duration::from_secs(20)).context("the event");
    event.with_context(|| format!("{:?}", ledger.source(scanner.into())))?;
    let full = noted(&guard, "bans_full")?;
    ensure!(full == 1, "bans that found no room: {full}");
    ensure!(ledger.ban(scanner.into())?.is_none(), "it was banned: there was room");
    ensure!(ledger.bans()? == before, "a ban was given up for another");

    // The scanner hits nothing but silence at closed ports, as before, and whoever is banned nothing at all.
    let counts = guard.counts()?;
    (1..1 + 2 * told).try_for_each(|port| syn(scanner, port))?;
    syn(banned, UNPUBLISHED)?;
    let answers = capture.answers_after(SETTLED)?;
    ensure!(answers.is_empty(), "{} probes were answered", answers.len());
    let refused = guard.counts()?.packets(Cause::Banned) - counts.packets(Cause::Banned);
    ensure!(refused == 1, "{refused} contacts of whoever is banned were refused");
    Conversation::open(&lab.outside, (GUARDED_V4, UNPUBLISHED))?.exchange("a new client")?;
    ensure!(ledger.ban(OUTSIDE_V4.into())?.is_none(), "the client was banned");

    guard.run(&format!("ban remove {banned}"))?;
    (1_000..1_000 + told).try_for_each(|port| syn(scanner, port))?;
    ledger.ban_comes(scanner.into()).context("where there is room again, the scanner is banned")?;
    Ok(())
}
