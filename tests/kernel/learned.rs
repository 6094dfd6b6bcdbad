//! What real scanners truly learn before they are cut off, by preset; and whoever works from the same address works on.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_common::evidence::Weights;
use scanguard_common::policy::Preset;
use scanguard_harness::{GUARDED_MAC, GUARDED_V4, INTERFACE, Lab, OUTSIDE_V4, Service};

use crate::conversation::Conversation;
use crate::guard::Guard;
use crate::ledger::Ledger;
use crate::masscan::masscan;

/// Services to be found, all of them among the thousand ports that nmap tries first.
const SERVICES: [u16; 8] = [22, 25, 80, 443, 3306, 5900, 8080, 8443];

/// How long a tool may take.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn the_tolerant_preset() -> Result<()> {
    nobody_finds_what_the_first_contacts_did_not_reach(Preset::Tolerant)
}

#[test]
fn the_balanced_preset() -> Result<()> {
    nobody_finds_what_the_first_contacts_did_not_reach(Preset::Balanced)
}

#[test]
fn the_sensitive_preset() -> Result<()> {
    nobody_finds_what_the_first_contacts_did_not_reach(Preset::Sensitive)
}

/// A scanner, and by what it knocks.
struct Scanner {
    line: String,
    /// What its packets are by themselves.
    by: By,
}

#[derive(Clone, Copy, PartialEq)]
enum By {
    /// The system's own stack.
    TheSystem,
    /// Packets with a mark, which die.
    Marks,
    /// Datagrams and protocols that nothing marks, for which there is no service here.
    Unmarked,
}

fn scanners() -> Vec<Scanner> {
    let mac = GUARDED_MAC.map(|byte| format!("{byte:02x}")).join(":");
    let nmap = |technique: &str, by| {
        let line = format!(
            "nmap -n -Pn -T4 --max-retries 0 --max-rtt-timeout 100ms --min-parallelism 100 {technique} {GUARDED_V4}"
        );
        Scanner { line, by }
    };
    let masscan = format!(
        "masscan --interface {INTERFACE} --router-mac {mac} --source-ip {OUTSIDE_V4} --rate 1000 --wait 1 \
         -p1-10000 {GUARDED_V4}"
    );
    let zmap = format!(
        "zmap --blacklist-file=/dev/null -i {INTERFACE} -G {mac} -S {OUTSIDE_V4} -c 1 -r 1000 -q -v 0 -p 80 {GUARDED_V4}/32"
    );
    vec![
        nmap("-sS --top-ports 1000", By::Marks),
        nmap("-sT --top-ports 1000", By::TheSystem),
        nmap("-sU --top-ports 60 --scan-delay 200ms", By::Unmarked),
        nmap("-sO -p 100-140 --scan-delay 200ms", By::Unmarked),
        Scanner { line: masscan, by: By::Marks },
        Scanner { line: zmap, by: By::Marks },
    ]
}

fn nobody_finds_what_the_first_contacts_did_not_reach(preset: Preset) -> Result<()> {
    for Scanner { line, by } in scanners() {
        let lab = Lab::new()?;
        let _services =
            SERVICES.iter().map(|port| Service::echo(&lab.guarded, *port)).collect::<Result<Vec<_>>>()?;
        let _guard = Guard::attached_with(&lab.guarded, &format!("--preset {}", preset.name()))?;
        let mut session = Conversation::open(&lab.outside, (GUARDED_V4, 22))?;
        session.exchange("before the scan")?;
        let said = run(&lab, &line)?;
        session.exchange("after the scan").with_context(|| format!("{line}: the session was cut"))?;
        let learned = SERVICES.iter().filter(|port| is_told(&said, **port)).count();
        let ledger = Ledger::of(&lab.guarded);
        let banned = ledger.ban(OUTSIDE_V4.into())?.is_some();
        println!("{}: {line}: {learned} of {} services, banned: {banned}", preset.name(), SERVICES.len());
        ensure!(!said.contains(" closed "), "{line}: it learned of closed ports: {said}");
        match by {
            By::TheSystem => ensure!(learned < SERVICES.len() && banned, "{line}: it learned all: {said}"),
            By::Marks => ensure!(learned == 0, "{line}: {said}"),
            By::Unmarked => ensure!(learned == 0 && banned, "{line}: {said}"),
        }
        // One port is one contact, which is enough for one preset alone.
        let once = line.starts_with("zmap");
        let enough = !once || preset.threshold() <= Weights::SIGNATURE;
        ensure!(banned == enough, "{line}: banned is {banned}");
    }
    Ok(())
}

/// Whether a tool says that a TCP port is open.
fn is_told(said: &str, port: u16) -> bool {
    let nmaps = format!("{port}/tcp ");
    said.lines().any(|line| {
        line.starts_with(&nmaps) && line.contains(" open ")
            || line.contains(&format!("Discovered open port {port}/tcp "))
            || line.trim() == GUARDED_V4.to_string()
    })
}

/// Runs a tool to its end, and returns what it found.
fn run(lab: &Lab, line: &str) -> Result<String> {
    let (program, arguments) = line.split_once(' ').context("a program and what it is to do")?;
    if program == "masscan" {
        return masscan(lab, arguments);
    }
    let mut process = lab.outside.spawn(program, arguments.split_whitespace())?;
    let output = process.wait(LIMIT)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
