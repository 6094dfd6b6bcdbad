//! Every tool is recognised in what was recorded of it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use scanguard_common::classify::flags::TcpFlags;
use scanguard_common::classify::signature::Signature::{self, *};
use scanguard_common::classify::signature::{Ballot, Knowledge, Trace, masscan_constant, recognise};
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::parse::{Packet, parse};

use super::capture::{Recorded, captures, folder, frames, name};
use super::read;

pub(super) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/signatures");

/// How often each mark is seen.
type Marks = BTreeMap<Signature, usize>;

/// A capture, how many probes are in it, which marks single ones have, and which several show together.
///
/// A probe without a mark, or with a hint only, is one that nothing but its company betrays.
type Row = (&'static str, usize, &'static [(Signature, usize)], &'static [(Signature, usize)]);

const EXPECTED: [Row; 32] = [
    ("hping3-syn", 3, &[(Hping, 3)], &[]),
    ("hping3-syn-options", 3, &[(SynWithAcknowledgement, 3)], &[]),
    ("hping3-window", 3, &[(SynWithAcknowledgement, 3)], &[]),
    ("masscan-1.3.2", 4, &[(MasscanOld, 4)], &[(MasscanPair, 1), (MasscanRun, 2)]),
    ("masscan-1.3.9", 3, &[(MasscanNew, 3)], &[(MasscanPair, 1), (MasscanRun, 1)]),
    ("masscan-1.3.9-options", 3, &[(MasscanIdentification, 3)], &[(MasscanPair, 1), (MasscanRun, 1)]),
    ("masscan-1.3.9-ttl", 3, &[(MasscanNew, 3)], &[(MasscanPair, 1), (MasscanRun, 1)]),
    ("masscan6-1.3.2", 3, &[(MasscanOld, 3)], &[]),
    ("masscan6-1.3.9", 2, &[(MasscanNew, 2)], &[]),
    ("mirai-like", 4, &[(Mirai, 4)], &[(RepeatedSequence, 3)]),
    ("nmap-ack", 4, &[(NmapAck, 4)], &[(RepeatedSequence, 3)]),
    ("nmap-decoys", 4, &[(NmapSyn, 4)], &[]),
    ("nmap-maimon", 3, &[(NmapAck, 3)], &[(RepeatedSequence, 2)]),
    ("nmap-retry", 6, &[(NmapSyn, 6)], &[(RepeatedSequence, 4), (NmapRetry, 1)]),
    ("nmap-syn", 4, &[(NmapSyn, 4)], &[(RepeatedSequence, 3)]),
    ("nmap-syn-ack", 4, &[(NmapSynAck, 4)], &[(HopLimitSpread, 1)]),
    ("nmap-syn-psh", 3, &[(NmapSyn, 3)], &[(RepeatedSequence, 2)]),
    (
        "nmap-system",
        14,
        &[(NmapSystemProbe, 12), (NmapEcnProbe, 1), (NmapDatagram, 1)],
        &[(HopLimitSpread, 1)],
    ),
    ("nmap-window", 3, &[(NmapAck, 3)], &[(RepeatedSequence, 2)]),
    ("nmap6-ack", 3, &[(NmapAck, 3)], &[(RepeatedSequence, 2)]),
    ("nmap6-syn", 4, &[(NmapSyn, 4)], &[(RepeatedSequence, 3)]),
    ("nmap6-system", 13, &[(NmapSystemProbe, 11), (NmapEcnProbe, 1), (NmapDatagram, 1)], &[]),
    ("nping-syn", 4, &[(SynWithoutOptions, 4)], &[(RepeatedSequence, 3)]),
    ("unicornscan-ack", 4, &[(Unicornscan, 4)], &[(UnicornscanRun, 3)]),
    ("unicornscan-linux", 3, &[], &[(UnicornscanRun, 2)]),
    ("unicornscan-syn", 4, &[(Unicornscan, 4)], &[(UnicornscanRun, 3)]),
    ("zmap-2.1.1", 3, &[(ZmapOld, 3)], &[]),
    ("zmap-2.1.1-udp", 3, &[(ZmapDatagram, 3)], &[]),
    ("zmap-4.3", 3, &[(ZmapWindows, 3)], &[]),
    ("zmap-4.3-bsd", 3, &[(ZmapTimestamp, 3)], &[]),
    ("zmap-4.3-linux", 3, &[(ZmapTimestamp, 3)], &[]),
    ("zmap-4.3-smallest", 3, &[(WideWindowFragmentable, 3)], &[]),
];

#[test]
fn every_tool_is_recognised_in_its_capture() -> Result<()> {
    let mut expected: HashMap<&str, _> = EXPECTED
        .into_iter()
        .map(|(name, probes, alone, together)| (name, (probes, alone, together)))
        .collect();
    for path in captures(Path::new(FOLDER))? {
        let name = name(&path);
        let (probes, alone, together) = expected.remove(name.as_str()).context(name.clone())?;
        let seen = Seen::of(&frames(&path)?);
        ensure!(seen.probes == probes, "{name}: {} probes", seen.probes);
        ensure!(seen.alone == alone.iter().copied().collect(), "{name}: alone {:?}", seen.alone);
        ensure!(seen.together == together.iter().copied().collect(), "{name}: together {:?}", seen.together);
    }
    ensure!(expected.is_empty(), "no captures for {:?}", expected.keys());
    Ok(())
}

#[test]
fn the_constant_of_masscan_is_learned_from_what_was_recognised_otherwise() -> Result<()> {
    let path = Path::new(FOLDER).join("masscan-1.3.2.pcap");
    let mut ballot = Ballot::default();
    for (source, (_, frame)) in (0..).zip(&frames(&path)?) {
        let (packet, traits) = read(frame);
        // As if each came from a source of its own.
        if recognise(frame.as_slice(), &packet, &traits, &Knowledge::default()) == Some(MasscanOld) {
            let constant = masscan_constant(&packet, &traits).context("IPv4 that may be fragmented")?;
            ballot = ballot.after(constant, source);
        }
    }
    ensure!(ballot.elected() == Some(0x0001), "{ballot:?}: the guarded host was 10.77.0.1");
    Ok(())
}

/// How the names of whole captures begin, and the mark that every single probe in them has; a dot is a name's end.
const WHOLE: [(&str, Signature); 17] = [
    ("nmap-sS.", NmapSyn),
    ("nmap-T", NmapSyn),
    ("nmap-D", NmapSyn),
    ("nmap-g53", NmapSyn),
    ("nmap-ttl", NmapSyn),
    ("nmap-minrate", NmapSyn),
    ("nmap-sI-idle.", NmapSyn),
    ("nmap-sA.", NmapAck),
    ("nmap-sW", NmapAck),
    ("nmap-sM", NmapAck),
    ("nmap6-sS", NmapSyn),
    ("nmap6-sA", NmapAck),
    ("masscan132-s", MasscanOld),
    ("masscan139-s", MasscanNew),
    ("zmap211-default", ZmapOld),
    ("zmap43-default", ZmapWindows),
    ("hping3-flags-S.", Hping),
];

#[test]
fn every_probe_of_whole_captures_has_its_tools_mark() -> Result<()> {
    let Some(folder) = folder("lab-pcaps/scan") else { return Ok(()) };
    let paths = captures(&folder)?;
    for (prefix, signature) in WHOLE {
        let mut files = 0;
        for path in &paths {
            let name = name(path) + ".";
            if !name.starts_with(prefix) || name.contains("sctp") {
                continue;
            }
            files += 1;
            let seen = Seen::of(&frames(path)?);
            println!("{name} {} of {} probes are {}", seen.of_all(signature), seen.probes, signature.name());
            ensure!(seen.probes > 0 && seen.of_all(signature) == seen.probes, "{name}: {:?}", seen.alone);
        }
        ensure!(files > 0, "no capture begins with {prefix}");
    }
    Ok(())
}

/// What was recognised in one capture.
#[derive(Default)]
struct Seen {
    probes: usize,
    alone: Marks,
    together: Marks,
}

impl Seen {
    fn of(frames: &[Recorded]) -> Seen {
        let mut seen = Seen::default();
        let mut traces: HashMap<[u32; 4], Trace> = HashMap::new();
        for (unix_seconds, frame) in frames {
            let Ok(packet) = parse(frame.as_slice()) else { continue };
            if !is_probe(&packet) {
                continue;
            }
            seen.probes += 1;
            let (_, traits) = read(frame);
            let knowledge = Knowledge { unix_seconds: *unix_seconds, ..Knowledge::default() };
            if let Some(signature) = recognise(frame.as_slice(), &packet, &traits, &knowledge) {
                *seen.alone.entry(signature).or_default() += 1;
            }
            let trace = traces.entry(packet.source.words()).or_default();
            let (next, signature) = trace.next(&packet, &traits);
            *trace = next;
            if let Some(signature) = signature {
                *seen.together.entry(signature).or_default() += 1;
            }
        }
        seen
    }

    fn of_all(&self, signature: Signature) -> usize {
        self.alone.get(&signature).copied().unwrap_or_default()
    }
}

/// Whether it was sent by the tool itself, and not by the system below it or by the host that was scanned.
fn is_probe(packet: &Packet) -> bool {
    const GUARDED_V4: u32 = 0x0a4d_0001;
    let [first, .., last] = packet.source.words().map(u32::from_be);
    let is_from_guarded = last == GUARDED_V4 || first >> 16 == 0xfd77 && last == 1;
    let is_reset = packet.transport.segment.flags.has(TcpFlags::RST);
    let is_judged = matches!(packet.transport.protocol, IpProtocol::TCP | IpProtocol::UDP);
    is_judged && !is_reset && !is_from_guarded
}
