//! What captures hold, read from their frames: who spoke to whom, and to how many ports.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use scanguard_common::parse::parse;

/// One IP packet: its ends, and the protocol and port that it is for.
struct Packet {
    ends: [IpAddr; 2],
    place: (u8, u16),
}

/// Every address, with how many packets it has sent and got.
pub(super) fn speakers(file: &Path) -> BTreeMap<IpAddr, [u32; 2]> {
    let mut seen: BTreeMap<IpAddr, [u32; 2]> = BTreeMap::new();
    for Packet { ends: [source, destination], .. } in packets(file) {
        let [sent, _] = seen.entry(source).or_default();
        *sent += 1;
        let [_, got] = seen.entry(destination).or_default();
        *got += 1;
    }
    seen
}

/// To how many ports, or IP protocols where there are none, each source has sent something, of each of its targets.
pub(super) fn places(file: &Path) -> BTreeMap<[IpAddr; 2], usize> {
    let mut seen: BTreeMap<[IpAddr; 2], BTreeSet<(u8, u16)>> = BTreeMap::new();
    for packet in packets(file) {
        seen.entry(packet.ends).or_default().insert(packet.place);
    }
    seen.into_iter().map(|(ends, places)| (ends, places.len())).collect()
}

/// All these captures are little-endian pcap files of Ethernet.
fn packets(file: &Path) -> Vec<Packet> {
    let bytes = std::fs::read(file).expect("it was just listed");
    let (mut rest, mut packets) = (bytes.get(24..).unwrap_or_default(), Vec::new());
    while let Some((header, behind)) = rest.split_first_chunk::<16>() {
        let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let Some((frame, next)) = behind.split_at_checked(length) else { break };
        if let Ok(packet) = parse(frame) {
            let ends = [packet.source, packet.destination]
                .map(|address| Ipv6Addr::from(address.bytes()).to_canonical());
            let place = (packet.transport.protocol.0, packet.transport.ports.destination.0);
            packets.push(Packet { ends, place });
        }
        rest = next;
    }
    packets
}
