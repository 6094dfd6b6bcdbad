//! What two packets of one source show together.

use scanguard_common::classify::signature::Signature::{
    self, HopLimitSpread, MasscanPair, MasscanRun, NmapRetry, RepeatedSequence, UnicornscanRun,
};
use scanguard_harness::{GUARDED_V4, Ip, Random};

use super::{fragmentable, trace, v6, whole};

/// Options of today's Linux, which no rule for small SYNs looks at.
const LINUX: [u8; 20] = [2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7];

fn syn(ip: Ip, from: u16, to: u16, sequence: u32) -> Vec<u8> {
    ip.tcp(from, to).flags("S").seq(sequence).options(&LINUX).build()
}

#[track_caller]
fn expect<const N: usize>(frames: [Vec<u8>; N], expected: [Option<Signature>; N]) {
    assert_eq!(trace(frames.iter().map(Vec::as_slice)), expected);
}

#[test]
fn one_number_from_one_port_to_two_ports() {
    for ip in [whole, v6] {
        let first = || syn(ip(), 40_000, 80, 0x1234_5678);
        expect([first(), syn(ip(), 40_000, 81, 0x1234_5678)], [None, Some(RepeatedSequence)]);
        expect([first(), first(), first()], [None; 3]);
        expect([first(), syn(ip(), 40_000, 81, 0x1234_5679)], [None; 2]);
        expect([first(), syn(ip(), 40_001, 81, 0x1234_5678)], [None; 2]);
    }
}

#[test]
fn nmaps_tries_differ_by_one_number_in_port_and_sequence() {
    for ip in [whole, v6] {
        let first = || syn(ip(), 45_400, 80, 0x9f9a_99fb);
        expect([first(), syn(ip(), 45_402, 80, 0x9f98_99f9)], [None, Some(NmapRetry)]);
        expect([first(), syn(ip(), 45_402, 81, 0x9f98_99f9)], [None, Some(NmapRetry)]);
        expect([first(), syn(ip(), 45_402, 80, 0x9f98_99f8)], [None; 2]);
        expect([first(), syn(ip(), 45_411, 80, 0x9f98_99f9)], [None; 2]);
        expect([first(), syn(ip(), 45_400, 80, 0x9f98_99f9)], [None; 2]);
        expect([first(), syn(ip(), 45_402, 80, 0x9f8a_99eb)], [None; 2]);
    }
}

#[test]
fn masscans_constant_is_a_hint_the_second_time_and_certain_the_third() {
    let packet = |ip: Ip, port: u16, sequence: u32, constant: u16| {
        let low_half = u16::try_from(sequence & 0xffff).expect("sixteen bits");
        ip.identification(constant ^ port ^ low_half).tcp(40_000, port).flags("S").seq(sequence).build()
    };
    let masscan = |port, sequence| packet(fragmentable(), port, sequence, 0x4016);
    expect(
        [
            masscan(80, 0x1111_2222),
            masscan(81, 0x3333_4444),
            masscan(82, 0x5555_6666),
            masscan(83, 0x7777_8888),
        ],
        [None, Some(MasscanPair), Some(MasscanRun), Some(MasscanRun)],
    );
    let other = packet(fragmentable(), 81, 0x3333_4444, 0x4017);
    expect([masscan(80, 0x1111_2222), other, masscan(82, 0x5555_6666)], [None; 3]);
    // The same SYN again is no second one.
    expect(
        [masscan(80, 1), masscan(80, 1), masscan(81, 2), masscan(81, 2), masscan(82, 3)],
        [None, None, Some(MasscanPair), None, Some(MasscanRun)],
    );
    expect([packet(whole(), 80, 1, 7), packet(whole(), 81, 2, 7), packet(whole(), 82, 3, 7)], [None; 3]);
}

#[test]
fn a_device_that_begins_every_connection_alike_is_no_masscan() {
    let syn = |from| fragmentable().identification(0).tcp(from, 1883).flags("S").seq(6509).build();
    expect([syn(4097), syn(4098), syn(4099), syn(4100)], [None; 4]);
}

#[test]
fn unicornscans_numbers_hide_one_constant() {
    let constant = 0x0bad_cafe_u32;
    let address = u32::from_le_bytes(GUARDED_V4.octets());
    let numbered = |from: u16, to: u16, hidden: u32| {
        let ports = u32::from(to) << 16 | u32::from(from);
        syn(whole(), from, to, hidden ^ address ^ ports)
    };
    let first = || numbered(15_792, 80, constant);
    expect([first(), numbered(58_918, 23, constant)], [None, Some(UnicornscanRun)]);
    expect([first(), numbered(58_918, 23, constant ^ 1)], [None; 2]);
    expect([first(), first()], [None; 2]);
}

#[test]
fn nmaps_hop_limits_lie_apart_but_not_too_far() {
    let at = |hops: u8, sequence| syn(fragmentable().ttl(hops).identification(9), 40_000, 80, sequence);
    let small = |hops: u8, sequence: u32| {
        fragmentable().ttl(hops).identification(9).tcp(40_000, 80).flags("S").seq(sequence).build()
    };
    for (first, second, expected) in [
        (37, 59, Some(HopLimitSpread)),
        (50, 44, Some(HopLimitSpread)),
        (50, 45, None),
        (37, 60, None),
        (64, 128, None),
    ] {
        expect([small(first, 0x1111_2222), small(second, 0x3333_4445)], [None, expected]);
    }
    // Only what may be fragmented and is small, as nmap's are.
    expect([at(37, 0x1111_2222), at(50, 0x3333_4445)], [None; 2]);
}

#[test]
fn numbers_drawn_at_random_show_nothing_certain() {
    const SEED: u64 = 0x5eed_0005;
    println!("seed {SEED:#x}");
    let mut random = Random::seeded(SEED);
    let frames: Vec<Vec<u8>> = (0..200_000_u32)
        .map(|count| {
            let sequence = u32::from(random.short()) << 16 | u32::from(random.short());
            let port = 32_768 + u16::try_from(count % 28_000).expect("a port");
            // Ports one after the other, as systems draw them for one destination.
            syn(whole(), port, if count % 2 == 0 { 80 } else { 443 }, sequence)
        })
        .collect();
    assert_eq!(trace(frames.iter().map(Vec::as_slice)).into_iter().flatten().count(), 0);
}

#[test]
fn what_is_no_tcp_leaves_no_trace() {
    let datagram = || v6().udp(40_000, 53).payload(b"hello").build();
    let first = || syn(whole(), 40_000, 80, 7);
    expect([first(), datagram(), syn(whole(), 40_000, 81, 7)], [None, None, Some(RepeatedSequence)]);
}
