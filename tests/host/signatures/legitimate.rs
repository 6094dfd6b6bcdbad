//! Nobody else is recognised: over all recorded legitimate traffic, no certain mark, and few hints.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Result, ensure};
use scanguard_common::classify::flags::TcpFlags;
use scanguard_common::classify::signature::{Confidence, Knowledge, Signature, Trace, Traits, recognise};
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::parse::{Packet, parse};

use super::capture::{captures, folder, frames, name};
use crate::handmade::MARKS;

#[test]
fn nothing_legitimate_from_the_laboratory_has_a_certain_mark() -> Result<()> {
    nothing_has_a_certain_mark("lab-pcaps/benign")
}

#[test]
fn nothing_legitimate_from_elsewhere_has_a_certain_mark() -> Result<()> {
    nothing_has_a_certain_mark("pcaps/benign")
}

/// Asks of every packet, even of those in connections, where a caller would not: the harder test.
fn nothing_has_a_certain_mark(below: &str) -> Result<()> {
    let Some(folder) = folder(below) else { return Ok(()) };
    let mut asked = Asked::default();
    for path in captures(&folder)? {
        asked.about(&name(&path), &frames(&path)?);
    }
    let Asked { packets, openings, hits } = asked;
    println!("{below}: {packets} packets, of which {openings} are SYNs");
    for (signature, files) in &hits {
        println!("{:?} {}: {files:?}", signature.confidence(), signature.name());
    }
    let mut found: Vec<_> = hits
        .iter()
        .filter(|(signature, _)| signature.confidence() == Confidence::Certain)
        .flat_map(|(signature, files)| files.iter().map(|(file, hits)| (file.clone(), *signature, *hits)))
        .collect();
    for (file, signature, hits, why) in MARKS {
        if let Some(place) = found.iter().position(|hit| *hit == (file.to_owned(), signature, hits)) {
            println!("{file}: {hits} of {} excepted, because {why}", signature.name());
            found.swap_remove(place);
        }
    }
    ensure!(packets > 0 && found.is_empty(), "certain signatures hit legitimate traffic: {found:?}");
    Ok(())
}

#[derive(Default)]
struct Asked {
    packets: usize,
    openings: usize,
    /// How often a mark was seen in which file.
    hits: BTreeMap<Signature, BTreeMap<String, usize>>,
}

impl Asked {
    fn about(&mut self, file: &str, frames: &[(u32, Vec<u8>)]) {
        let mut traces: HashMap<[u32; 4], Trace> = HashMap::new();
        for (unix_seconds, frame) in frames {
            let Ok(packet) = parse(frame.as_slice()) else { continue };
            if !matches!(packet.transport.protocol, IpProtocol::TCP | IpProtocol::UDP) {
                continue;
            }
            self.packets += 1;
            let traits = Traits::read(frame.as_slice(), &packet);
            let knowledge = Knowledge { unix_seconds: *unix_seconds, ..Knowledge::default() };
            self.hit(file, recognise(frame.as_slice(), &packet, &traits, &knowledge));
            if opens(&packet) {
                self.openings += 1;
                let trace = traces.entry(packet.source.words()).or_default();
                let (next, signature) = trace.next(&packet, &traits);
                *trace = next;
                self.hit(file, signature);
            }
        }
    }

    fn hit(&mut self, file: &str, signature: Option<Signature>) {
        if let Some(signature) = signature {
            *self.hits.entry(signature).or_default().entry(file.to_owned()).or_default() += 1;
        }
    }
}

fn opens(packet: &Packet) -> bool {
    let flags = packet.transport.segment.flags;
    flags.has(TcpFlags::SYN) && !flags.has(TcpFlags::ACK)
}
