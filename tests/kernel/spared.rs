//! Whom this host depends on is never banned, whenever it comes to depend on them.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};
use scanguard_common::ban::{Ban, Terms};
use scanguard_common::classify::signature::Label;
use scanguard_common::evidence::Kind;
use scanguard_common::time::Seconds;
use scanguard_harness::{Lab, OUTSIDE_V4};

use crate::bans::{bans, scan, the_only};
use crate::guard::Guard;
use crate::ledger::Ledger;

/// The longest that anything may take that happens by itself.
const LIMIT: Duration = Duration::from_secs(60);

const GATEWAY: &str = "default via 10.77.0.2";

#[test]
fn a_new_gateway_is_spared_as_soon_as_anybody_looks_and_its_ban_is_lifted() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    let ledger = Ledger::of(&lab.guarded);
    let gateway = OUTSIDE_V4.into();
    let looks = ["ban list", "sources", "status", "explain 10.77.0.2", "allow add 192.0.2.1"];
    for look in looks {
        lab.guarded.ip(&format!("route add {GATEWAY}"))?;
        scan(&lab)?;
        ledger.ban_comes(gateway).with_context(|| format!("nobody has looked before `{look}`"))?;
        ensure!(!ledger.spares(gateway)?, "it is spared before `{look}`");
        let told = guard.run(look)?;
        ensure!(!told.contains("engine") && !told.contains("banned from"), "`{look}` tells of a ban: {told}");
        ensure!(ledger.spares(gateway)? && ledger.ban(gateway)?.is_none(), "after `{look}`");
        scan(&lab)?;
        ensure!(bans(&guard)?.is_empty(), "the gateway was banned: {:?}", bans(&guard)?);
        ensure!(guard.run("sources --all")?.contains("10.77.0.2 "), "nobody took note of the scan");
        ensure!(
            guard.run("explain 10.77.0.2")?.contains("never banned for scanning, because it is a gateway")
        );

        lab.guarded.ip("route del default")?;
        guard.run("status")?;
        ensure!(!ledger.spares(gateway)?, "it is spared although it is no gateway any more");
    }
    // What it did while it was spared has been judged: it takes as much again.
    scan(&lab)?;
    the_only(bans(&guard)?).map(drop)
}

#[test]
fn whoever_shows_what_happens_notices_a_new_gateway_and_a_new_name_server() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    let ledger = Ledger::of(&lab.guarded);
    let name_servers = Path::new("/run/systemd/resolve/resolv.conf");
    let asks = |text: &str| {
        lab.guarded.within(|| {
            fs::create_dir_all(name_servers.parent().context("a path of several parts")?)?;
            fs::write(name_servers, text).context("writing resolv.conf")
        })
    };
    for command in ["run eth0", "events"] {
        if command == "events" {
            guard.run("attach eth0")?;
        }
        let mut watcher = guard.spawn(command)?;
        let spares = |is_so: bool| {
            let is = || Ok(ledger.spares(OUTSIDE_V4.into()).unwrap_or(!is_so) == is_so);
            await_that(is).with_context(|| format!("`{command}` has not noticed: {}", watcher.stderr()))
        };
        spares(false)?;
        for (change, is_gateway) in [("add", true), ("del", false), ("add", true), ("del", false)] {
            lab.guarded.ip(&format!("route {change} {GATEWAY}"))?;
            spares(is_gateway)?;
        }
        asks("nameserver 10.77.0.2\n")?;
        spares(true)?;
        asks("nameserver 192.0.2.53\n")?;
        spares(false)?;
        watcher.signal(Signal::SIGTERM)?;
        watcher.wait(LIMIT)?;
    }
    Ok(())
}

#[test]
fn bans_of_which_nothing_counts_any_more_make_room() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    let ledger = Ledger::of(&lab.guarded);
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    let now = Seconds(time.tv_sec().try_into()?);
    let terms = Terms { first: 1, ceiling: 1, forget: 86_400 };
    let ban = |since| Ban::default().again(Kind::Closed, Label::NONE, terms, since);
    let [forgotten, remembered, held] = [1, 2, 3].map(|last| std::net::Ipv4Addr::new(192, 0, 2, last));
    // As if this machine ran for longer than a ban is remembered.
    ledger.ban_all([forgotten].into_iter(), Ban::default())?;
    ledger.ban_all([remembered].into_iter(), ban(now))?;
    ledger.ban_all([held].into_iter(), ban(now.after(86_400)))?;
    guard.run("allow add 192.0.2.9")?;
    ensure!(ledger.ban(forgotten.into())?.is_none(), "what is forgotten takes room");
    ensure!(ledger.ban(remembered.into())?.is_some(), "a repeat is forgotten too soon");
    ensure!(ledger.ban(held.into())?.is_some(), "a ban that holds is gone");
    Ok(())
}

fn await_that(mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !is_so()? {
        ensure!(Instant::now() < deadline, "it has not come to pass");
        sleep(Duration::from_millis(20));
    }
    Ok(())
}
