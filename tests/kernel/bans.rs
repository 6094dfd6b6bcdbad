//! Bans: those of sources that scan, those of the operator, and how they end.

use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use scanguard_common::cause::Cause;
use scanguard_harness::{GUARDED_V4, GUARDED_V6, Lab, NMAP_OPTIONS, OUTSIDE_V4, Service};
use serde_json::Value;

use crate::conversation::Conversation;
use crate::guard::Guard;

/// How long a client waits that is refused: a second SYN follows the first after one second.
const REFUSED: Duration = Duration::from_millis(1_500);

/// The longest that anything may take that happens by itself.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) const SSH: u16 = 22;

/// Ten ports behind which nothing listens.
const CLOSED: &str = "1001-1010";

#[test]
fn a_scanner_is_banned_and_what_it_did_can_be_told() -> Result<()> {
    let lab = Lab::new()?;
    let _ssh = Service::echo(&lab.guarded, SSH)?;
    let guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    let mut session = Conversation::open(&lab.outside, (GUARDED_V4, SSH))?;
    scan(&lab)?;

    let banned = the_only(bans(&guard)?)?;
    ensure!(banned["source"] == "10.77.0.2" && banned["by"] == "engine", "{banned}");
    ensure!(banned["why"] == "closed" && banned["repeats"] == 1, "{banned}");
    ensure!(banned["until"].as_str() > Some(date(&lab, "+1min")?.as_str()), "not for ten minutes: {banned}");
    let source = the_only(objects(&guard.run("sources --json")?)?)?;
    ensure!(source["source"] == "10.77.0.2" && source["banned_until"] == banned["until"], "{source}");
    ensure!(source["kind"] == "closed" && source["threshold"] == 4.97, "{source}");

    refuses_new_connections(&lab, &guard, Cause::Banned, SSH)?;
    session.exchange("older than the ban")?;

    let told = guard.run("explain 10.77.0.2")?;
    ensure!(told.contains("10.77.0.2: banned from "), "{told}");
    let threshold = 4.97;
    let scores = scores(&told)?;
    ensure!(scores.len() >= 5, "no whole story: {told}");
    for (earlier, later) in scores.iter().zip(scores.iter().skip(1)) {
        let expected = if earlier.1 >= threshold { 0.0 } else { earlier.1 };
        ensure!((later.0 - expected).abs() < 0.01, "{expected} became {}: {told}", later.0);
    }
    ensure!(scores.iter().any(|(before, after)| *before < threshold && *after >= threshold), "{told}");

    guard.run("ban remove 10.77.0.2")?;
    ensure!(bans(&guard)?.is_empty(), "still banned: {:?}", bans(&guard)?);
    Conversation::open(&lab.outside, (GUARDED_V4, SSH))?.exchange("free again")?;
    ensure!(guard.run("explain 10.77.0.2")?.contains("10.77.0.2: not banned"), "it is told to be banned");
    let all = guard.run("sources --all --json")?;
    ensure!(the_only(objects(&all)?)?["banned_until"].is_null(), "{all}");
    Ok(())
}

#[test]
fn a_gateway_is_never_banned_whenever_it_becomes_one() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    lab.guarded.ip("route add default via 10.77.0.2")?;
    guard.run("allow list")?;
    let spared = |told: String| told.contains("It is never banned for scanning, because it is a gateway");
    ensure!(!spared(guard.run("explain 10.77.0.2")?), "a command that only reads has changed something");
    guard.run("allow add 192.0.2.1")?;
    ensure!(spared(guard.run("explain 10.77.0.2")?), "{}", guard.run("explain 10.77.0.2")?);
    scan(&lab)?;
    ensure!(bans(&guard)?.is_empty(), "the gateway was banned: {:?}", bans(&guard)?);
    ensure!(guard.run("sources --all")?.contains("10.77.0.2 "), "nobody took note of the scan");

    lab.guarded.ip("route del default")?;
    guard.run("allow remove 192.0.2.1")?;
    ensure!(!spared(guard.run("explain 10.77.0.2")?), "it is spared although it is no gateway any more");
    // What it did while it was spared has been judged: it takes as much again.
    scan(&lab)?;
    the_only(bans(&guard)?).map(drop)
}

#[test]
fn run_notices_a_new_gateway() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::on(&lab.guarded);
    let run = guard.spawn("run eth0")?;
    await_that(|| Ok(run.stderr().contains("until Ctrl-C"))).context("run has not begun")?;
    for (change, is_gateway) in [("add", true), ("del", false), ("add", true)] {
        lab.guarded.ip(&format!("route {change} default via 10.77.0.2"))?;
        await_that(|| Ok(guard.run("explain 10.77.0.2")?.contains("because it is a gateway") == is_gateway))
            .with_context(|| format!("run has not noticed `{change}`: {}", run.stderr()))?;
    }
    Ok(())
}

#[test]
fn over_ipv6_a_network_is_banned_and_the_one_of_this_host_is_not() -> Result<()> {
    let lab = Lab::new()?;
    lab.add_source("fd78::2".parse()?)?;
    lab.guarded.ip("route add fd78::/64 dev eth0")?;
    let guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    let scan_from = |source: &str| {
        let line = format!("-6 -sS {NMAP_OPTIONS} -e eth0 -S {source} -p {CLOSED} {GUARDED_V6}");
        lab.outside.run("nmap", line.split_whitespace()).map(drop)
    };
    scan_from("fd77::2")?;
    ensure!(bans(&guard)?.is_empty(), "this host has banned its own network: {:?}", bans(&guard)?);
    let told = guard.run("explain fd77::2")?;
    ensure!(told.contains("never banned for scanning, because it is an address of this host"), "{told}");

    scan_from("fd78::2")?;
    let banned = the_only(bans(&guard)?)?;
    ensure!(banned["source"] == "fd78::/64" && banned["by"] == "engine", "{banned}");
    let told = guard.run("explain fd78::2")?;
    ensure!(told.starts_with("fd78::/64: banned from "), "{told}");
    guard.run("ban remove fd78::2")?;
    ensure!(bans(&guard)?.is_empty(), "still banned: {:?}", bans(&guard)?);
    Ok(())
}

#[test]
fn the_operator_bans_and_lifts() -> Result<()> {
    let lab = Lab::new()?;
    let _ssh = Service::echo(&lab.guarded, SSH)?;
    let guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    let mut session = Conversation::open(&lab.outside, (GUARDED_V4, SSH))?;
    for (banned, lasting) in [("10.77.0.2", ""), ("10.77.0.2/31", "--for 2h"), ("10.77.0.2", "--for 2h")] {
        guard.run(&format!("ban add {banned} {lasting} --reason nightly-scans"))?;
        let entry = the_only(bans(&guard)?)?;
        ensure!(entry["source"] == banned && entry["by"] == "operator", "{entry}");
        ensure!(entry["why"] == "nightly-scans" && entry["until"].is_null() == lasting.is_empty(), "{entry}");

        refuses_new_connections(&lab, &guard, Cause::Denied, SSH)?;
        session.exchange("older than the ban")?;

        guard.run(&format!("ban remove {banned}"))?;
        ensure!(bans(&guard)?.is_empty(), "still banned: {:?}", bans(&guard)?);
        Conversation::open(&lab.outside, (GUARDED_V4, SSH))?.exchange("free again")?;
    }
    Ok(())
}

#[test]
fn a_ban_for_a_while_ends_by_itself() -> Result<()> {
    let lab = Lab::new()?;
    let _ssh = Service::echo(&lab.guarded, SSH)?;
    let guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    guard.run("ban add 10.77.0.2 --for 3s")?;
    // The client goes on trying for longer than that.
    Conversation::open(&lab.outside, (GUARDED_V4, SSH))?.exchange("after the ban")?;
    ensure!(bans(&guard)?.is_empty(), "what has ended is listed: {:?}", bans(&guard)?);
    Ok(())
}

#[test]
fn what_is_removed_is_removed_whole_or_not_at_all() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    guard.run("ban add 192.0.2.7 2001:db8::/32")?;
    let (code, words) = guard.fail_through(&[], "ban remove 192.0.2.7 192.0.2.8")?;
    ensure!(code == 21 && words.contains("192.0.2.8: is not banned; "), "{code}: {words}");
    ensure!(bans(&guard)?.len() == 2, "something was removed: {:?}", bans(&guard)?);
    guard.run("ban remove 192.0.2.7 2001:db8::/32")?;
    ensure!(bans(&guard)?.is_empty(), "something is left: {:?}", bans(&guard)?);
    Ok(())
}

#[test]
fn nobody_bans_himself_or_whom_the_host_depends_on_by_mistake() -> Result<()> {
    let lab = Lab::new()?;
    lab.guarded.ip("route add default via 10.77.0.254")?;
    let guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    let session = ["env", "SSH_CONNECTION=192.0.2.7 50000 10.77.0.1 22"];
    for (line, whose) in [
        ("ban add 10.77.0.0/30", "10.77.0.1, an address of this host"),
        ("ban add fd77::1", "fd77::1, an address of this host"),
        ("ban add 198.51.100.7 10.77.0.254", "10.77.0.254, a gateway of this host"),
        ("ban add 192.0.2.0/24", "192.0.2.7, the address of your ssh session"),
    ] {
        let (code, words) = guard.fail_through(&session, line)?;
        ensure!(
            code == 22 && words.contains(whose) && words.contains("--force"),
            "`{line}`: {code}: {words}"
        );
        ensure!(bans(&guard)?.is_empty(), "`{line}`: {:?}", bans(&guard)?);
    }
    guard.run("ban add 10.77.0.254 --force")?;
    ensure!(the_only(bans(&guard)?)?["source"] == "10.77.0.254");
    Ok(())
}

fn await_that(is_so: impl Fn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !is_so()? {
        ensure!(Instant::now() < deadline, "not within {LIMIT:?}");
        sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Asks for ten closed ports, as any client would.
pub(crate) fn scan(lab: &Lab) -> Result<()> {
    let line = format!("-sT {NMAP_OPTIONS} -p {CLOSED} {GUARDED_V4}");
    lab.outside.run("nmap", line.split_whitespace()).map(drop)
}

/// The time of day, so much later.
fn date(lab: &Lab, later: &str) -> Result<String> {
    Ok(lab.guarded.run("date", ["-u", "-d", later, "+%Y-%m-%dT%H:%M:%SZ"])?.trim().to_owned())
}

/// The scores before and after each contact that `explain ADDRESS` tells of.
pub(crate) fn scores(told: &str) -> Result<Vec<(f64, f64)>> {
    let rows = told.lines().filter(|line| line.starts_with("20") && line.contains("Z  "));
    rows.map(|row| {
        let mut scores = row.split_whitespace().filter(|word| word.contains('.')).map(str::parse);
        let before = scores.next().with_context(|| format!("no score in {row}"))??;
        Ok((before, scores.next().with_context(|| format!("one score in {row}"))??))
    })
    .collect()
}

/// Demands that a client finds nobody at a port, and for this reason.
pub(crate) fn refuses_new_connections(lab: &Lab, guard: &Guard<'_>, cause: Cause, port: u16) -> Result<()> {
    let before = guard.counts()?.packets(cause);
    let published = SocketAddr::from((GUARDED_V4, port));
    let refused = lab.outside.within(|| TcpStream::connect_timeout(&published, REFUSED));
    ensure!(refused.is_err(), "{OUTSIDE_V4} is banned and reached port {port}");
    ensure!(guard.counts()?.packets(cause) > before, "nothing was dropped as {}", cause.name());
    Ok(())
}

pub(crate) fn bans(guard: &Guard<'_>) -> Result<Vec<Value>> {
    objects(&guard.run("ban list --json")?)
}

/// JSON, one object a line.
pub(crate) fn objects(text: &str) -> Result<Vec<Value>> {
    text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("reading {line}"))).collect()
}

pub(crate) fn the_only(mut objects: Vec<Value>) -> Result<Value> {
    ensure!(objects.len() == 1, "{} objects and not one: {objects:?}", objects.len());
    objects.pop().context("there is one")
}
