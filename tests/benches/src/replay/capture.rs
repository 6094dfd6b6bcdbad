//! Captures of any length, in which nobody comes twice.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::Ipv4Addr;
use std::path::Path;

use scanguard_harness::{Frame, GUARDED_V4};

use crate::ground::{BOUND, CLOSED, OPEN};

/// How many packets a round has.
pub(super) const ROUND: u64 = 16;
/// How many of them are a scanner's.
pub(super) const PROBES_IN_A_ROUND: u64 = 2;

/// Writes a capture of so many packets, whole rounds of them and a part of one.
pub(super) fn write(file: &Path, packets: u64) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    // pcap 2.4 with microseconds, in this machine's order: draft-ietf-opsawg-pcap §4. The link is Ethernet.
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0xffff, 1_u32] {
        out.write_all(&word.to_ne_bytes())?;
    }
    let frames = (0..).flat_map(round);
    for (frame, number) in frames.zip(0..packets) {
        out.write_all(&record(number, frame.len()))?;
        out.write_all(&frame)?;
    }
    out.flush()
}

/// The header of a packet: one of ten thousand a second.
fn record(number: u64, length: usize) -> [u8; 16] {
    const BEGINNING: u64 = 1_700_000_000;
    const MICROS: u64 = 100;
    let [seconds, micros] = [BEGINNING + number * MICROS / 1_000_000, number * MICROS % 1_000_000];
    let mut header = [0; 16];
    let words = [seconds, micros, length as u64, length as u64];
    for (place, word) in header.chunks_exact_mut(4).zip(words) {
        let [a, b, c, d, ..] = word.to_le_bytes();
        place.copy_from_slice(&u32::from_le_bytes([a, b, c, d]).to_ne_bytes());
    }
    header
}

/// The frames of one round.
fn round(number: u32) -> Vec<Vec<u8>> {
    let [a, b, c, _] = number.to_le_bytes();
    let [client, asker, scanner] = [11, 12, 13].map(|network| Ipv4Addr::new(network, c, b, a));
    let mut frames = connection(client);
    let asks = |from, to| Frame::ipv4(from, to);
    frames.push(asks(asker, GUARDED_V4).udp(40_000, BOUND).payload(&DATA).build());
    frames.push(asks(GUARDED_V4, asker).udp(BOUND, 40_000).payload(&DATA).build());
    for port in [CLOSED, CLOSED + 1] {
        frames.push(asks(scanner, GUARDED_V4).tcp(40_000, port).flags("S").seq(1).build());
        frames.push(asks(GUARDED_V4, scanner).tcp(port, 40_000).flags("RA").seq(0).ack(2).build());
    }
    frames
}

const DATA: [u8; 40] = [b'.'; 40];

/// A client opens a connection, asks twice, and closes it.
fn connection(client: Ipv4Addr) -> Vec<Vec<u8>> {
    let (mut asked, mut answered) = (1_u32, 1_u32);
    let said = |asked, answered, flags, data: &[u8]| {
        let segment = Frame::ipv4(client, GUARDED_V4).tcp(40_000, OPEN).flags(flags);
        segment.seq(asked).ack(answered).payload(data).build()
    };
    let heard = |answered, asked, flags, data: &[u8]| {
        let segment = Frame::ipv4(GUARDED_V4, client).tcp(OPEN, 40_000).flags(flags);
        segment.seq(answered).ack(asked).payload(data).build()
    };
    let syn = Frame::ipv4(client, GUARDED_V4).tcp(40_000, OPEN).flags("S").seq(0).build();
    let mut frames = vec![syn, heard(0, 1, "SA", &[]), said(1, 1, "A", &[])];
    for _ in 0..2 {
        frames.push(said(asked, answered, "PA", &DATA));
        asked += 40;
        frames.push(heard(answered, asked, "PA", &DATA));
        answered += 40;
    }
    frames.push(said(asked, answered, "FA", &[]));
    frames.push(heard(answered, asked + 1, "FA", &[]));
    frames.push(said(asked + 1, answered + 1, "A", &[]));
    frames
}
