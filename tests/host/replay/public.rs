//! Captures that others have made, with what is to be expected of each.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use serde_json::Value;

use super::file::write;
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
    let (mut runs, mut harmed) = (0, Vec::new());
    for file in &files {
        for host in hosts(file) {
            for role in ["", "--gateway"] {
                let run = replay(file, &format!("--local {host} {role}")).succeeded();
                runs += 1;
                let dropped = run.dropped();
                if !dropped.is_empty() {
                    println!("{} {host} {role}: {dropped:?}", stem(file));
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
    }
    println!("{} captures, {runs} runs", files.len());
    assert!(harmed.is_empty(), "{harmed:#?}");
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

/// Something is dropped of every labelled scanner whose probes can be told one by one, at one of the hosts that it probed
/// most. The refusals of many of them were not captured, so it is said that whatever has no socket is closed.
#[test]
fn labelled_scanners_are_among_the_sources() {
    let Some(files) = folder("pcaps/scan") else { return };
    let manifest = manifest(&files);
    let policy = write(b"closed_ports = \"ingress\"");
    let policy = format!("--policy {}", policy.path().display());
    let mut missed = Vec::new();
    for file in &files {
        let entry = &manifest[stem(file)];
        for scanner in entry["scanners"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let scanner: IpAddr = scanner.parse().expect("an address");
            let victims = victims(file, scanner);
            let found = victims.iter().any(|victim| {
                let run = replay(file, &format!("--local {victim} {policy}")).succeeded();
                run.sources().iter().any(|(source, _)| is_sender(source, scanner))
            });
            println!("{} {scanner}: {}", stem(file), if found { "dropped" } else { "nothing dropped" });
            if !found {
                missed.push(format!("{} {scanner}", stem(file)));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// Whether drops of this source are those of the scanner: over IPv6 a source is a /64.
fn is_sender(source: &str, scanner: IpAddr) -> bool {
    let source: IpAddr = source.parse().expect("an address");
    match (source, scanner) {
        (IpAddr::V6(source), IpAddr::V6(scanner)) => source.segments()[..4] == scanner.segments()[..4],
        (source, scanner) => source == scanner,
    }
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
    let mut seen: BTreeMap<IpAddr, (u32, u32)> = BTreeMap::new();
    for (source, destination) in ends(file) {
        seen.entry(source).or_default().0 += 1;
        seen.entry(destination).or_default().1 += 1;
    }
    let mut hosts: Vec<_> = seen
        .into_iter()
        .filter(|(address, (sent, got))| !is_nobody(*address) && *sent > 0 && *got > 0)
        .collect();
    hosts.sort_by_key(|(_, (sent, got))| u32::MAX - sent - got);
    hosts.into_iter().take(HOSTS_OF_A_CAPTURE).map(|(address, _)| address).collect()
}

/// Whom an address has sent to, most first.
fn victims(file: &Path, scanner: IpAddr) -> Vec<IpAddr> {
    let mut seen: BTreeMap<IpAddr, u32> = BTreeMap::new();
    for (_, destination) in ends(file).into_iter().filter(|(source, _)| *source == scanner) {
        *seen.entry(destination).or_default() += 1;
    }
    let mut victims: Vec<_> = seen.into_iter().filter(|(address, _)| !is_nobody(*address)).collect();
    victims.sort_by_key(|(_, count)| u32::MAX - count);
    victims.into_iter().take(HOSTS_OF_A_CAPTURE).map(|(address, _)| address).collect()
}

fn is_nobody(address: IpAddr) -> bool {
    address.is_multicast() || address.is_unspecified() || address == IpAddr::V4([255; 4].into())
}

/// Source and destination of every IP packet. All these captures are little-endian pcap files of Ethernet.
fn ends(file: &Path) -> Vec<(IpAddr, IpAddr)> {
    let bytes = std::fs::read(file).expect("it was just listed");
    let (mut rest, mut ends) = (bytes.get(24..).unwrap_or_default(), Vec::new());
    while let Some((header, behind)) = rest.split_first_chunk::<16>() {
        let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let Some((frame, next)) = behind.split_at_checked(length) else { break };
        if let Ok(packet) = scanguard_common::parse::parse(frame) {
            let [source, destination] = [packet.source, packet.destination]
                .map(|address| std::net::Ipv6Addr::from(address.bytes()).to_canonical());
            ends.push((source, destination));
        }
        rest = next;
    }
    ends
}
