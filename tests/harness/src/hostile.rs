//! Input that nobody means well with: noise, real frames mutilated, chains of headers without end.

use crate::{Extension, Frame, GUARDED_V6, OUTSIDE_V6, Random};

/// What real stacks and real scanners sent, as files of tcpdump.
const RECORDED: [&[u8]; 16] = [
    include_bytes!("../../captures/accecn-synthetic.pcap"),
    include_bytes!("../../captures/dhclient.pcap"),
    include_bytes!("../../captures/hping3-frag.pcap"),
    include_bytes!("../../captures/ipv6-ndp-ra-mld.pcap"),
    include_bytes!("../../captures/mcast-bcast.pcap"),
    include_bytes!("../../captures/mptcp-to-plain.pcap"),
    include_bytes!("../../captures/nmap-f.pcap"),
    include_bytes!("../../captures/nmap-ipopt-RR.pcap"),
    include_bytes!("../../captures/nmap-sY.pcap"),
    include_bytes!("../../captures/nmap6-sO.pcap"),
    include_bytes!("../../captures/qinq-tcp.pcap"),
    include_bytes!("../../captures/scapy-exthdr6.pcap"),
    include_bytes!("../../captures/tcp-md5-bgp.pcap"),
    include_bytes!("../../captures/tfo.pcap"),
    include_bytes!("../../captures/udp6-fragments.pcap"),
    include_bytes!("../../captures/vlan100-tcp.pcap"),
];

/// Longer than any frame that the kernel takes for a test run without fragments of its own.
const LONG: usize = 3_000;

/// Ethernet and IPv6 without extension headers.
const HEADERS: usize = 54;

/// An IPv6 packet that says how long it is has at most so much behind its header.
const LONGEST_PAYLOAD: usize = 65_535;

/// Writes such frames from a seed.
#[derive(Debug)]
pub struct Hostile {
    random: Random,
    recorded: Vec<Vec<u8>>,
}

impl Hostile {
    /// Begins with the recorded frames.
    ///
    /// # Panics
    ///
    /// Panics where a recording is none.
    pub fn seeded(seed: u64) -> Self {
        let recorded = RECORDED.into_iter().flat_map(|file| frames_of(file).expect("a file of tcpdump"));
        Self { random: Random::seeded(seed), recorded: recorded.collect() }
    }

    /// Returns the recorded frames as they are.
    pub fn recorded(&self) -> &[Vec<u8>] {
        &self.recorded
    }

    /// Writes one more frame of at least 14 bytes.
    pub fn frame(&mut self) -> Vec<u8> {
        if self.random.once_in(8) { self.noise() } else { self.mutilated() }
    }

    /// Random bytes, mostly behind an Ethernet header that promises IP.
    fn noise(&mut self) -> Vec<u8> {
        let most = if self.random.once_in(10) { LONG } else { 200 };
        let length = self.random.below(most);
        let payload = self.random.bytes(length);
        if self.random.once_in(4) {
            let padding = self.random.bytes(14);
            return [padding, payload].concat();
        }
        let types = [0x0800, 0x86dd, 0x8100, 0x88a8];
        let mut frame = Frame::ethernet(*self.random.pick(&types)).build(&payload);
        // The right version, and then anything.
        let version = if frame.get(12) == Some(&0x86) { 0x60 } else { 0x45 };
        if let Some(first) = frame.get_mut(14).filter(|_| self.random.once_in(2)) {
            *first = version;
        }
        frame
    }

    /// A recorded frame with a few of these injuries: bytes changed, bits flipped, parts lost, doubled, or of another
    /// frame.
    fn mutilated(&mut self) -> Vec<u8> {
        let mut frame = self.one_recorded();
        for _ in 0..=self.random.below(4) {
            let at = self.random.below(frame.len() + 1);
            let length = self.random.below(16);
            let end = (at + length).min(frame.len());
            match self.random.below(7) {
                0 => frame.truncate(at),
                1 => drop(frame.drain(at..end)),
                2 => {
                    let bytes = self.random.bytes(length);
                    frame.splice(at..at, bytes);
                }
                3 => {
                    let other = self.one_recorded();
                    frame.truncate(at);
                    frame.extend(other.get(at..).unwrap_or_default());
                }
                4 => frame.extend(frame.get(at..).unwrap_or_default().to_vec()),
                _ => {
                    let extremes = [0, 1, 0x7f, 0x80, 0xff, self.random.byte()];
                    let byte = *self.random.pick(&extremes);
                    if let Some(place) = frame.get_mut(at) {
                        *place = if self.random.once_in(2) { byte } else { *place ^ 1 << (byte & 7) };
                    }
                }
            }
        }
        let missing = 14_usize.saturating_sub(frame.len());
        frame.extend(self.random.bytes(missing));
        frame.truncate(LONG);
        frame
    }

    fn one_recorded(&mut self) -> Vec<u8> {
        self.random.pick(&self.recorded).clone()
    }
}

/// Packets that are nothing but extension headers of IPv6, as long as `room` allows, of each kind and of all lengths;
/// and the same with a segment at the end that tries to hide there.
pub fn endless_headers(room: usize) -> Vec<Vec<u8>> {
    const TCP: u8 = 6;
    let kinds: [fn() -> Extension; 5] = [
        Extension::hop_by_hop,
        Extension::destination,
        Extension::routing,
        Extension::authentication,
        || Extension::fragment(0, false, 7),
    ];
    let mut packets = Vec::new();
    for kind in kinds {
        for claimed in [None, Some(0), Some(1), Some(127), Some(255)] {
            let header = || claimed.map_or_else(kind, |claimed| kind().filled(claimed));
            let mut two = v6().extension(header()).extension(header()).build(TCP, &[]);
            let protocol = two.get(20).copied().unwrap_or_default();
            let mut inner = two.split_off(HEADERS);
            let last = inner.split_off(inner.len() / 2);
            let segment = v6().tcp(40_000, 22).flags("F").build().split_off(HEADERS);
            let space = room.min(LONGEST_PAYLOAD).saturating_sub(segment.len() + last.len());
            let chain = [inner.repeat(space / inner.len()), last].concat();
            packets.push(v6().build(protocol, &chain));
            packets.push(v6().build(protocol, &[chain, segment].concat()));
        }
    }
    packets
}

fn v6() -> crate::Ip {
    Frame::ipv6(OUTSIDE_V6, GUARDED_V6)
}

/// The frames in a file of tcpdump that was written on a little-endian machine: a header of 24 bytes, and before each
/// frame one of 16, of which the third word tells how much of it follows.
fn frames_of(file: &[u8]) -> Option<Vec<Vec<u8>>> {
    const MAGIC: [u8; 4] = [0xd4, 0xc3, 0xb2, 0xa1];
    let mut rest = file.strip_prefix(&MAGIC)?.get(20..)?;
    let mut frames = Vec::new();
    while let Some((header, behind)) = rest.split_first_chunk::<16>() {
        let length = u32::from_le_bytes(*header.get(8..)?.first_chunk()?);
        let (frame, behind) = behind.split_at_checked(usize::try_from(length).ok()?)?;
        frames.push(frame.to_vec());
        rest = behind;
    }
    rest.is_empty().then_some(frames)
}
