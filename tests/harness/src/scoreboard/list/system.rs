//! The probes by which nmap recognises operating systems, and what unicornscan sends: frames as these tools make them.

use super::Technique;
use super::crafted::{FROM, v4};

/// The options that stand in most of the probes: window scale, segment size, the largest timestamp, selective
/// acknowledgement.
const COMMON: [u8; 20] = [3, 3, 10, 1, 2, 4, 1, 9, 8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 4, 2];
/// The same with another window scale.
const LAST: [u8; 20] = [3, 3, 15, 1, 2, 4, 1, 9, 8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 4, 2];

/// The probes that are TCP.
pub(super) fn segments() -> Vec<Technique> {
    vec![
        Technique::crafted("T1, SEQ 1: SYN, window 1", |port| {
            let options = [3, 3, 10, 1, 2, 4, 5, 0xb4, 8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 4, 2];
            probe(port, "S", 1, &options)
        }),
        Technique::crafted("SEQ 2: SYN, window 63", |port| {
            let options = [2, 4, 5, 0x78, 3, 3, 0, 4, 2, 8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0];
            probe(port, "S", 63, &options)
        }),
        Technique::crafted("SEQ 3: SYN, window 4", |port| {
            let options = [8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 1, 3, 3, 5, 1, 2, 4, 2, 0x80];
            probe(port, "S", 4, &options)
        }),
        Technique::crafted("SEQ 4: SYN, window 4, no segment size", |port| {
            let options = [4, 2, 8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 3, 3, 10, 0];
            probe(port, "S", 4, &options)
        }),
        Technique::crafted("SEQ 5: SYN, window 16", |port| {
            let options = [2, 4, 2, 0x18, 4, 2, 8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 3, 3, 10, 0];
            probe(port, "S", 16, &options)
        }),
        Technique::crafted("SEQ 6: SYN, window 512", |port| {
            let options = [2, 4, 1, 9, 4, 2, 8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
            probe(port, "S", 512, &options)
        }),
        Technique::crafted("ECN: SYN, ECE, CWR and a reserved bit", |port| {
            let options = [3, 3, 10, 1, 2, 4, 5, 0xb4, 4, 2, 1, 1];
            let syn = v4().tcp(FROM, port).flags("SEC").reserved(4).window(3).urgent(0xf7f5);
            vec![syn.options(&options).build()]
        }),
        Technique::crafted("T2: no flag", |port| probe(port, "", 128, &COMMON)),
        Technique::crafted("T3: SYN, FIN, URG, PSH", |port| probe(port, "SFUP", 256, &COMMON)),
        Technique::crafted("T4, T6: ACK with sequence number 0", |port| {
            vec![v4().tcp(FROM, port).flags("A").seq(0).ack(0x7777).window(1024).options(&COMMON).build()]
        }),
        Technique::crafted("T5: SYN, window 31337", |port| probe(port, "S", 31337, &COMMON)),
        Technique::crafted("T7: FIN, PSH, URG", |port| probe(port, "FPU", 65535, &LAST)),
    ]
}

/// The probes that are not.
pub(super) fn others() -> Vec<Technique> {
    vec![
        Technique::crafted("IE 1: echo request with code 9", |_| {
            vec![v4().icmp(8, 9).rest_of_header([0x12, 0x34, 1, 39]).payload(&[0; 120]).build()]
        }),
        Technique::crafted("IE 2: echo request of another type of service", |_| {
            let echo = v4().traffic_class(4).icmp(8, 0).rest_of_header([0x12, 0x35, 1, 40]);
            vec![echo.payload(&[0; 150]).build()]
        }),
        Technique::crafted("U1: 300 times C to a closed UDP port", |_| {
            vec![v4().identification(0x1042).udp(FROM, 40_125).payload(&[b'C'; 300]).build()]
        }),
    ]
}

/// What unicornscan sends unless told otherwise.
pub(super) fn unicornscan() -> Vec<Technique> {
    const OPTIONS: [u8; 24] =
        [2, 4, 5, 0x9c, 1, 1, 4, 2, 1, 3, 3, 0, 1, 1, 8, 10, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0];
    vec![Technique::crafted("SYN as unicornscan sends it", |port| {
        vec![v4().tcp(FROM, port).flags("S").window(16_384).options(&OPTIONS).build()]
    })]
}

/// A probe with an acknowledgement number, which only hand-made segments without ACK have.
fn probe(port: u16, flags: &str, window: u16, options: &[u8]) -> Vec<Vec<u8>> {
    vec![v4().tcp(FROM, port).flags(flags).ack(0x7777).window(window).options(options).build()]
}
