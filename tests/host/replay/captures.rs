//! Recorded in our own laboratory: what is legitimate loses nothing, and of every scan something is dropped.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use super::finding::{Finding, Reasons, by_cause, code, found, rows};
use super::probes::places;
use super::published::{Section, publish};
use super::run::{Run, replay};
use super::{folder, kept, stem};
use crate::handmade;

/// The guarded host of the laboratory.
const LOCAL: &str = "--local 10.77.0.1 fd77::1 fe80::77:ff:fe00:1";

#[test]
fn the_kept_capture_shows_the_main_job() {
    let policy = kept().with_extension("toml");
    let run = replay(&kept(), &format!("{LOCAL} --policy {}", policy.display())).succeeded();
    let expected = [
        ("tcp-null", 30),
        ("tcp-xmas", 30),
        ("ack-probe", 52),
        ("maimon-probe", 26),
        ("fin-probe", 30),
        ("tool-signature", 3),
        ("banned", 45),
    ];
    assert_eq!(run.dropped(), expected.into());
    assert_eq!(run.sources(), [("10.77.0.2", 192), ("fd77::", 24)]);
    assert!(run.losses().is_empty(), "{:?}", run.losses());
    let banned: Vec<_> = run.bans().iter().map(|ban| ban["source"].clone()).collect();
    assert_eq!(banned, ["10.77.0.2", "fd77::"]);
    assert_eq!(run.capture("packets"), 634);
}

/// Whatever legitimate traffic was refused by the host itself is refused by silence instead: SYNs to ports that are
/// closed, and answers about ports that are. Nothing else may be dropped.
#[test]
fn legitimate_traffic_of_the_laboratory_loses_nothing() {
    const REFUSED_ANYWAY: [&str; 3] = ["closed-port", "reset-silenced", "unreachable-silenced"];
    let Some(files) = folder("lab-pcaps/benign") else { return };
    let (mut harmed, mut rows) = (Vec::new(), Vec::new());
    for file in &files {
        let run = replay(file, LOCAL).succeeded();
        let dropped = run.dropped();
        rows.push(vec![code(file), by_cause(&dropped)]);
        let is_made_by_hand = |cause: &str| cause == "tool-signature" && handmade::is_in(stem(file));
        let is_strange =
            dropped.keys().any(|cause| !REFUSED_ANYWAY.contains(cause) && !is_made_by_hand(cause));
        if is_strange || !run.losses().is_empty() || !run.bans().is_empty() {
            harmed.push(format!("{}: {dropped:?} {:?} {:?}", stem(file), run.losses(), run.bans()));
        }
    }
    assert!(harmed.is_empty(), "{harmed:#?}");
    publish(Section::OurLegitimate, &rows);
}

/// What is dropped of a scan, by the name of its capture.
fn expected_of(scan: &str) -> Option<&'static [&'static str]> {
    Some(match scan {
        "nmap-sT" | "nmap6-sT" | "nc-openbsd-z" | "bash-devtcp" | "curl-portscan" => &["reset-silenced"],
        "nmap-sS" | "nmap6-sS" | "nmap-default-full" | "nmap-T5" | "masscan132-spareip"
        | "masscan139-spareip" | "hping3-scan-S" => &["tool-signature"],
        "nmap-sN" | "nmap6-sN" | "nmap-scanflags-NONE" | "hping3-flags-none" => &["tcp-null"],
        "nmap-sF" | "nmap6-sF" | "hping3-flags-F" | "hping3-scan-F" => &["fin-probe"],
        "nmap-sX" | "nmap6-sX" | "hping3-flags-FPU" => &["tcp-xmas"],
        "nmap-sM" | "nmap6-sM" | "nmap-scanflags-FINACK" => &["maimon-probe"],
        "nmap-sA" | "nmap6-sA" | "nmap-sW" | "nmap6-sW" | "nmap-scanflags-PSHACK" => &["ack-probe"],
        "nmap-sU" | "nmap6-sU" | "nmap-sO" | "nmap-sY" | "nmap-sZ" | "hping3-udp" => {
            &["unreachable-silenced"]
        }
        "nmap-O" => &["tcp-reserved", "tcp-null", "tcp-syn-fin", "icmp-probe"],
        "nmap-f" | "nmap-mtu8" => &["tiny-fragment"],
        "nmap-ipopt-RR" => &["ip-options"],
        "nmap-scanflags-SYNFIN" | "hping3-flags-SF" => &["tcp-syn-fin"],
        "nmap-scanflags-SYNRST" | "hping3-flags-SR" => &["tcp-syn-rst"],
        "nmap-scanflags-FINRST" => &["tcp-fin-rst"],
        "nmap-scanflags-URG" | "nmap-scanflags-PSH" | "hping3-flags-U" => &["tcp-no-ack"],
        "hping3-icmp-ts" | "hping3-icmp-addr" | "nmap-ping-PP" => &["icmp-probe"],
        _ => return None,
    })
}

#[test]
fn of_every_scan_of_the_laboratory_the_right_things_are_dropped() {
    let Some(files) = folder("lab-pcaps/scan") else { return };
    let mut failures = Vec::new();
    let (mut known, mut banned, mut quiet) = (0, 0, Vec::new());
    for file in &files {
        let run = replay(file, LOCAL).succeeded();
        known += u32::from(expected_of(stem(file)).is_some());
        banned += u32::from(!run.bans().is_empty());
        failures.extend(failure(file, &run));
        if run.dropped().is_empty() {
            quiet.push(stem(file).to_owned());
        }
    }
    println!("{} scans, {known} of them with a cause that is demanded", files.len());
    println!("{banned} of them end in a ban");
    println!("of these nothing is dropped: {}", quiet.join(", "));
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Why scanners of ten ports or more are not found.
const REASONS: Reasons =
    Reasons(&[("bash-devtcp", "four of its twelve ports answered, each of which makes up for one")]);

#[test]
fn whoever_probes_ten_ports_is_found() {
    let Some(files) = folder("lab-pcaps/scan") else { return };
    let mut findings = Vec::new();
    for file in &files {
        let run = replay(file, LOCAL).succeeded();
        let is_local = |address: &IpAddr| LOCAL.split(' ').any(|local| local == address.to_string());
        let probes = places(file).into_iter().filter(|([_, to], _)| is_local(to));
        let Some(([source, _], ports)) = probes.max_by_key(|(_, ports)| *ports) else { continue };
        findings.push(Finding { file: file.clone(), source, ports, told: None, found: found(&run, source) });
    }
    REASONS.judge(&findings);
    publish(Section::OurScans, &rows(&findings, &REASONS));
}

/// What is missing, or what a conversation lost.
fn failure(file: &Path, run: &Run) -> Option<String> {
    let dropped: BTreeMap<&str, u64> = run.dropped();
    let missing =
        expected_of(stem(file)).unwrap_or_default().iter().find(|cause| !dropped.contains_key(*cause));
    let missing = missing.map(|cause| format!("{}: no {cause} in {dropped:?}", stem(file)));
    // What the scanner itself would have begun is no harm.
    let is_the_scanners = |loss: &String| {
        ["banned", "tool-signature"].iter().any(|cause| loss.contains(&format!("\"causes\":{{\"{cause}\":")))
    };
    let lost = run.losses().into_iter().find(|loss| !is_the_scanners(loss));
    missing.or_else(|| lost.map(|loss| format!("{}: {loss}", stem(file))))
}
