//! Whatever bears the mark of a tool dies by it, is told by the tool's name and weighs much; hints do none of that.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_common::cause::Cause;
use scanguard_common::evidence::Weights;
use scanguard_common::policy::Preset;
use scanguard_harness::{Capture, Frame, GUARDED_V4, INTERFACE, Injector, Ip, Lab, NMAP_OPTIONS, Service};

use crate::bans::{objects, the_only};
use crate::guard::Guard;
use crate::ledger::Ledger;
use crate::policy::Policy;

/// A port where a program listens, which is not published.
const OPEN: u16 = 22;

/// Longer than an answer is under way.
const SETTLED: Duration = Duration::from_millis(200);

/// The longest that an event may take.
const LIMIT: Duration = Duration::from_secs(30);

/// MSS 1460 alone, as nmap and masscan write it.
const MSS: [u8; 4] = [2, 4, 0x05, 0xb4];

/// nmap's SYN.
fn nmaps(source: Ipv4Addr, port: u16) -> Vec<u8> {
    Frame::ipv4(source, GUARDED_V4).tcp(45_400, port).flags("S").window(1024).options(&MSS).build()
}

#[test]
fn a_tool_hears_nothing_and_is_told_by_its_name() -> Result<()> {
    let lab = Lab::new()?;
    let _ssh = Service::echo(&lab.guarded, OPEN)?;
    let guard = Guard::attached_with(&lab.guarded, "--preset off")?;
    let reader = guard.spawn("events --json")?;
    let line = format!("-sS {NMAP_OPTIONS} -p 22,81 {GUARDED_V4}");
    let learned = lab.outside.run("nmap", line.split_whitespace())?;
    ensure!(!learned.contains("22/tcp open"), "it learned of a port that is not published: {learned}");
    reader.wait_for_stdout(r#""cause":"tool-signature","tool":"nmap-syn""#, LIMIT)?;
    let source = the_only(objects(&guard.run("sources --json")?)?)?;
    ensure!(source["tool"] == "nmap-syn" && source["kind"] == "signature", "{source}");
    let told = guard.run("explain 10.77.0.2")?;
    ensure!(told.contains("was written by a tool, nmap-syn: SYN of nmap"), "{told}");

    guard.run("allow add 10.77.0.2")?;
    let learned = lab.outside.run("nmap", line.split_whitespace())?;
    ensure!(learned.contains("22/tcp open"), "it is allowed, and heard nothing: {learned}");
    Ok(())
}

/// The preset chooses how many such packets are enough: one, two, three.
#[test]
fn marks_ban_as_soon_as_the_preset_says() -> Result<()> {
    let lab = Lab::new()?;
    let _guard = Guard::attached(&lab.guarded)?;
    let ledger = Ledger::of(&lab.guarded);
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let mut number = 10;
    for preset in Preset::BANNING {
        let judgement = preset.judgement();
        ledger.judge_by(judgement)?;
        let enough = u16::try_from(judgement.threshold.div_ceil(Weights::SIGNATURE))?;
        println!("{}: {enough}", preset.name());
        for sent in [enough - 1, enough] {
            number += 1;
            let source = Ipv4Addr::new(10, 77, 0, number);
            lab.add_source(source.into())?;
            for port in 1..=sent {
                injector.send(&nmaps(source, port))?;
            }
            arrived(&lab)?;
            let is_banned = ledger.ban(source.into())?.is_some();
            ensure!(is_banned == (sent == enough), "{}: banned is {is_banned} after {sent}", preset.name());
        }
    }
    Ok(())
}

/// What real stacks are known to write, by what it is.
fn hints(ip: &Ip, port: u16) -> [(&'static str, Vec<u8>); 4] {
    let syn = |ip: &Ip| ip.clone().tcp(40_000, port).flags("S");
    let fragmentable = ip.clone().fragment(0, false);
    [
        ("syn-without-options", syn(ip).build()),
        ("urgent-pointer-in-syn", syn(ip).urgent(7).linux_options().build()),
        ("syn-mss-only", syn(&fragmentable).options(&MSS).build()),
        ("wide-window-fragmentable", syn(&fragmentable).window(65_535).linux_options().build()),
    ]
}

#[test]
fn hints_kill_nothing_and_never_ban_by_themselves() -> Result<()> {
    let lab = Lab::new()?;
    let _listener = lab.guarded.within(|| TcpListener::bind((GUARDED_V4, OPEN)))?;
    let guard = Guard::attached_with(&lab.guarded, "--preset sensitive")?;
    let ledger = Ledger::of(&lab.guarded);
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    for (number, place) in (30..).zip(0..4) {
        let source = Ipv4Addr::new(10, 77, 0, number);
        lab.add_source(source.into())?;
        let ip = Frame::ipv4(source, GUARDED_V4);
        let hint = |port| hints(&ip, port).into_iter().nth(place).context("there are four");
        let capture = Capture::on(&lab.outside, INTERFACE)?;
        let (name, syn) = hint(OPEN)?;
        injector.send(&syn)?;
        let accepts = |frame: &Vec<u8>| frame.get(47) == Some(&0x12);
        ensure!(capture.answers_after(SETTLED)?.iter().any(accepts), "{name}: the open port kept silent");
        // Two closed ports are what a benign source touches at most.
        for port in [9_001, 9_002] {
            injector.send(&hint(port)?.1)?;
        }
        arrived(&lab)?;
        ensure!(ledger.ban(source.into())?.is_none(), "{name}: banned for two closed ports");
        let record = ledger.source(source.into())?.context("two contacts make a record")?;
        println!("{name}: {} of {}", record.score(), Preset::Sensitive.threshold());
        ensure!(record.label().signature().map(|mark| mark.name()) == Some(name), "{name}: {record:?}");
    }
    ensure!(guard.counts()?.packets(Cause::ToolSignature) == 0, "something was dropped for a hint");
    Ok(())
}

#[test]
fn two_packets_that_share_what_is_drawn_at_random_are_a_tools() -> Result<()> {
    let lab = Lab::new()?;
    let _listener = lab.guarded.within(|| TcpListener::bind((GUARDED_V4, OPEN)))?;
    let guard = Guard::attached_with(&lab.guarded, "--preset off")?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let syn = |source, port, sequence| {
        let ip = Frame::ipv4(Ipv4Addr::new(10, 77, 0, source), GUARDED_V4);
        injector.send(&ip.tcp(40_000, port).flags("S").seq(sequence).linux_options().build())
    };
    // One sequence number to two ports; the same to one port twice, and another's, are nothing.
    for (source, port, sequence) in [(2, 81, 7), (2, 81, 7), (2, OPEN, 9), (3, OPEN, 9), (2, 82, 9)] {
        syn(source, port, sequence)?;
    }
    arrived(&lab)?;
    let dropped = guard.counts()?.packets(Cause::ToolSignature);
    ensure!(dropped == 1, "{dropped} died, and not the last alone");
    Ok(())
}

/// Behind 1:1 address translation, masscan's mark is made of the address that it scans.
#[test]
fn masscan_is_recognised_by_an_address_that_only_the_operator_knows() -> Result<()> {
    const PUBLIC: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
    let lab = Lab::new()?;
    let policy = Policy::write(&format!("preset = \"off\"\npublic_addresses = [\"{PUBLIC}\"]\n"))?;
    let _guard = Guard::attached_with(&lab.guarded, &format!("--policy {}", policy.path()))?;
    let ledger = Ledger::of(&lab.guarded);
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let recognised = |number: u8, scanned: Ipv4Addr| -> Result<Option<&'static str>> {
        let source = Ipv4Addr::new(10, 77, 0, number);
        lab.add_source(source.into())?;
        for port in [81_u16, 82] {
            let sequence = 0x1234_0000 + u32::from(port) * 77;
            let mark = scanned.to_bits() ^ u32::from(port) ^ sequence;
            let identification = u16::try_from(mark & 0xffff)?;
            let ip = Frame::ipv4(source, GUARDED_V4).fragment(0, false).identification(identification);
            // Options and window are another's.
            injector
                .send(&ip.tcp(40_000, port).flags("S").seq(sequence).window(512).options(&MSS).build())?;
        }
        arrived(&lab)?;
        let record = ledger.source(IpAddr::V4(source))?.context("two contacts make a record")?;
        Ok(record.label().signature().map(|mark| mark.name()))
    };
    ensure!(recognised(40, PUBLIC)? == Some("masscan-identification"), "the address that was told");
    let other = recognised(41, Ipv4Addr::new(198, 51, 100, 9))?;
    ensure!(other != Some("masscan-identification"), "an address of somebody else: {other:?}");
    Ok(())
}

/// Waits until what was sent has been judged: longer than a frame is under way.
fn arrived(lab: &Lab) -> Result<()> {
    Capture::on(&lab.guarded, INTERFACE)?.frames_after(SETTLED).map(drop)
}
