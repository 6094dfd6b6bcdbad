//! Captures that others have made, with what is to be expected of each.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use serde_json::Value;

use super::file::write;
use super::finding::{Finding, Reasons, by_cause, code, found, is_sender, rows};
use super::probes::{places, speakers};
use super::published::{Section, publish};
use super::run::replay;
use super::{folder, stem};
use crate::handmade;

/// Who has spoken and was spoken to, most first: each of them in turn is the guarded host.
const HOSTS_OF_A_CAPTURE: usize = 4;

#[test]
fn legitimate_traffic_of_others_loses_nothing() {
    let Some(files) = folder("pcaps/benign") else { return };
    // Where the host itself refused, or never answered, it is refused by silence.
    const REFUSED_ANYWAY: [&str; 3] = ["closed-port", "reset-silenced", "unreachable-silenced"];
    let (mut runs, mut harmed, mut rows) = (0, Vec::new(), Vec::new());
    for file in &files {
        let hosts = hosts(file);
        let mut refused: BTreeMap<String, u64> = BTreeMap::new();
        for host in &hosts {
            for role in ["", "--gateway"] {
                let run = replay(file, &format!("--local {host} {role}")).succeeded();
                runs += 1;
                let dropped = run.dropped();
                for (cause, packets) in &dropped {
                    *refused.entry((*cause).to_owned()).or_default() += packets;
                }
                let made_by_hand = handmade::is_in(stem(file));
                let is_expected = |cause: &&str| {
                    REFUSED_ANYWAY.contains(cause) || made_by_hand && *cause == "tool-signature"
                };
                let is_strange = !dropped.keys().all(is_expected);
                let is_lost = !run.losses().is_empty() && !made_by_hand;
                if is_strange || is_lost || !run.bans().is_empty() {
                    let harm = (run.losses(), run.bans());
                    harmed.push(format!("{} {host} {role}: {dropped:?} {harm:?}", stem(file)));
                }
            }
        }
        rows.push(vec![code(file), hosts.len().to_string(), by_cause(&refused)]);
    }
    println!("{} captures, {runs} runs", files.len());
    assert!(harmed.is_empty(), "{harmed:#?}");
    publish(Section::PublicLegitimate, &rows);
}

#[test]
fn malformed_and_flooding_captures_are_read_to_their_end() {
    for name in ["pcaps/malformed", "pcaps/flood"] {
        let Some(files) = folder(name) else { return };
        for file in &files {
            for host in hosts(file) {
                replay(file, &format!("--local {host}")).succeeded();
            }
        }
    }
}

/// Why scanners of ten ports or more are not found.
const REASONS: Reasons = Reasons(&[
    (
        "psad__proto_scan",
        "no answer was captured, and nothing but the refusal tells a protocol that is missing",
    ),
    (
        "psad__syn_scan_1000_1500_localhost",
        "nobody has its address, so all of it is dropped and nobody banned",
    ),
    ("psad__syn_scan_1000_1500_zeroip", "nobody has its address, so all of it is dropped and nobody banned"),
]);

/// Something is dropped of every labelled scanner, and whoever probed ten ports of one host is banned, where it is known
/// which ports are closed: the refusals of many of them were not captured, so it is said that whatever has no socket is.
#[test]
fn labelled_scanners_are_found() {
    let Some(files) = folder("pcaps/scan") else { return };
    let manifest = manifest(&files);
    let policy = write(b"closed_ports = \"ingress\"");
    let policy = format!("--policy {}", policy.path().display());
    let (mut findings, mut missed) = (Vec::new(), Vec::new());
    for file in &files {
        let entry = &manifest[stem(file)];
        for scanner in entry["scanners"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let scanner: IpAddr = scanner.parse().expect("an address");
            let victims = victims(file, scanner);
            let run = |(victim, _): &(IpAddr, usize), more: &str| {
                replay(file, &format!("--local {victim} {more}")).succeeded()
            };
            let told = [("capture", ""), ("policy", policy.as_str())];
            let tries = told.into_iter().flat_map(|told| victims.iter().map(move |victim| (told, victim)));
            let finding = |((name, more), victim): ((&'static str, &str), &(IpAddr, usize))| {
                let found = found(&run(victim, more), scanner);
                Finding { file: file.clone(), source: scanner, ports: victim.1, told: Some(name), found }
            };
            let mut tries: Vec<_> = tries.map(finding).collect();
            if tries.is_empty() {
                continue;
            }
            let best = tries.iter().position(|finding| finding.found.is_some()).unwrap_or_default();
            findings.push(tries.swap_remove(best));
            let is_dropped = victims.iter().any(|victim| {
                run(victim, &policy).sources().iter().any(|(source, _)| is_sender(source, scanner))
            });
            if !is_dropped {
                missed.push(format!("{} {scanner}", stem(file)));
            }
        }
    }
    assert!(missed.is_empty(), "of these, nothing is dropped: {missed:#?}");
    REASONS.judge(&findings);
    publish(Section::PublicScans, &rows(&findings, &REASONS));
}

fn manifest(files: &[std::path::PathBuf]) -> BTreeMap<String, Value> {
    let path = files
        .first()
        .and_then(|file| file.ancestors().nth(2))
        .expect("a folder of folders")
        .join("manifest.json");
    let text = std::fs::read_to_string(&path).expect("the captures have a manifest");
    let entries: Vec<Value> = serde_json::from_str(&text).expect("the manifest is JSON");
    let named = |entry: Value| {
        let file = entry.get("file").and_then(Value::as_str).expect("a name");
        (stem(Path::new(file)).to_owned(), entry)
    };
    entries.into_iter().map(named).collect()
}

/// The addresses that have both sent and received, most first.
fn hosts(file: &Path) -> Vec<IpAddr> {
    let mut hosts: Vec<_> = speakers(file)
        .into_iter()
        .filter(|(address, [sent, got])| !is_nobody(*address) && *sent > 0 && *got > 0)
        .collect();
    hosts.sort_by_key(|(_, [sent, got])| u32::MAX - sent - got);
    hosts.into_iter().take(HOSTS_OF_A_CAPTURE).map(|(address, _)| address).collect()
}

/// Whom an address has sent to, and to how many ports: most first.
fn victims(file: &Path, scanner: IpAddr) -> Vec<(IpAddr, usize)> {
    let places = places(file).into_iter().filter(|([from, to], _)| *from == scanner && !is_nobody(*to));
    let mut victims: Vec<_> = places.map(|([_, to], ports)| (to, ports)).collect();
    victims.sort_by_key(|(_, ports)| usize::MAX - ports);
    victims.truncate(HOSTS_OF_A_CAPTURE);
    victims
}

fn is_nobody(address: IpAddr) -> bool {
    address.is_multicast() || address.is_unspecified() || address == IpAddr::V4([255; 4].into())
}
