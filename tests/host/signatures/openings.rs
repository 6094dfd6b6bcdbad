//! SYNs, rule by rule: what hits, and what misses by one field.

use scanguard_common::classify::signature::Signature::{
    self, Hping, MasscanIdentification, MasscanNew, MasscanOld, Mirai, NmapEcnProbe, NmapSyn,
    NmapSystemProbe, Sx, SynMssOnly, SynWithAcknowledgement, SynWithoutOptions, Unicornscan,
    UrgentPointerInSyn, WideWindowFragmentable, ZmapOld, ZmapTimestamp, ZmapWindows,
};
use scanguard_common::classify::signature::{Ballot, Confidence, Knowledge};
use scanguard_harness::{GUARDED_V4, Ip, Tcp};

use super::{fragmentable, mark, mark_to, v6, whole};

const MSS: [u8; 4] = [2, 4, 0x05, 0xb4];
pub(super) const LINUX: [u8; 20] = [2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7];
pub(super) const WINDOWS: [u8; 12] = [2, 4, 0x05, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2];
pub(super) const BSD: [u8; 24] =
    [2, 4, 0x05, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 4, 2, 0, 0];
const UNICORNSCAN: [u8; 24] = [2, 4, 0x05, 0x9c, 1, 1, 4, 2, 1, 3, 3, 0, 1, 1, 8, 10, 9, 8, 7, 6, 0, 0, 0, 0];
const SX: [u8; 12] = [2, 4, 0x05, 0xb4, 4, 2, 3, 3, 7, 0, 0, 0];
const ECN_PROBE: [u8; 12] = [3, 3, 10, 1, 2, 4, 0x05, 0xb4, 4, 2, 1, 1];

pub(super) fn syn(ip: Ip, window: u16, options: &[u8]) -> Tcp {
    ip.tcp(40_000, 80).flags("S").window(window).options(options)
}

#[track_caller]
fn expect(tcp: &Tcp, expected: impl Into<Option<Signature>>) {
    assert_eq!(mark(&tcp.build()), expected.into(), "{tcp:?}");
}

#[test]
fn systems_of_today_have_no_mark() {
    for ip in [whole, v6] {
        for window in [64_240, 65_535, 64_800, 29_200, 8_192, 1_152, 1_460, 2_920, 1_024, 1_025] {
            for options in [LINUX.as_slice(), &WINDOWS, &BSD] {
                for flags in ["S", "SEC", "SECN"] {
                    expect(&syn(ip(), window, options).flags(flags), None);
                }
            }
        }
    }
}

#[test]
fn a_syn_of_nmap_is_window_1024_and_mss_1460_alone() {
    for ip in [whole, fragmentable, v6] {
        expect(&syn(ip(), 1024, &MSS), NmapSyn);
        expect(&syn(ip(), 1024, &MSS).flags("SP"), NmapSyn);
        expect(&syn(ip().vlan(7).vlan(8), 1024, &MSS), NmapSyn);
    }
    for ip in [whole, v6] {
        expect(&syn(ip(), 1023, &MSS), None);
        expect(&syn(ip(), 2048, &MSS), None);
        expect(&syn(ip(), 1024, &[2, 4, 0x05, 0xb3]), None);
        expect(&syn(ip(), 1024, &[MSS, [1; 4]].concat()), None);
        expect(&syn(ip(), 1024, &[1; 4]), None);
    }
}

#[test]
fn a_syn_of_masscan_is_window_1024_alone_or_1025_with_mss() {
    for ip in [whole, fragmentable, v6] {
        expect(&syn(ip(), 1024, &[]), MasscanOld);
        expect(&syn(ip(), 1025, &MSS), MasscanNew);
    }
    expect(&syn(whole(), 1023, &[]), SynWithoutOptions);
    expect(&syn(whole(), 1025, &[]), SynWithoutOptions);
    expect(&syn(whole(), 1026, &MSS), None);
    expect(&syn(whole(), 1025, &LINUX), None);
}

#[test]
fn masscans_identification_is_computed_from_the_address_that_it_scans() {
    let low_half = |[.., c, d]: [u8; 4]| u16::from_be_bytes([c, d]);
    let own = low_half(GUARDED_V4.octets());
    let number = |constant: u16| constant ^ 80 ^ 0x5678;
    let packet = |constant| fragmentable().identification(number(constant)).tcp(40_000, 80).seq(0x1234_5678);
    let small = |constant| packet(constant).flags("S").window(1025).options(&LINUX);
    let public = [198, 51, 100, 7];
    let told = Knowledge { public: [0, u32::from_be_bytes(public), 0, 0], ..Knowledge::default() };
    let elected = (0..3).fold(Ballot::default(), |ballot, source| ballot.after(low_half(public), source));
    let learned = Knowledge { learned: elected, ..Knowledge::default() };

    expect(&small(own), MasscanIdentification);
    expect(&small(own ^ 1), None);
    expect(&small(low_half(public)), None);
    // No address is no address, not the address 0.
    expect(&small(0), None);
    for knowledge in [told, learned] {
        assert_eq!(mark_to(&knowledge, &small(low_half(public)).build()), Some(MasscanIdentification));
        assert_eq!(mark_to(&knowledge, &small(low_half(public) ^ 1).build()), None);
    }
    expect(&small(own).window(1026), None);
    expect(&small(own).window(1026).options(&MSS), MasscanIdentification);
    let whole = whole().identification(number(own)).tcp(40_000, 80).seq(0x1234_5678).flags("S");
    expect(&whole.window(1025).options(&LINUX), None);
}

#[test]
fn a_syn_of_old_zmap_has_its_number_and_the_widest_window() {
    let numbered = |number| fragmentable().identification(number);
    for options in [[].as_slice(), &MSS] {
        expect(&syn(numbered(54_321), 65_535, options), ZmapOld);
        assert_ne!(mark(&syn(numbered(54_322), 65_535, options).build()), Some(ZmapOld));
        assert_ne!(mark(&syn(numbered(54_321), 65_534, options).build()), Some(ZmapOld));
        assert_ne!(mark(&syn(whole().identification(54_321), 65_535, options).build()), Some(ZmapOld));
    }
    expect(&syn(numbered(54_321), 65_535, &LINUX), WideWindowFragmentable);
}

#[test]
fn a_syn_of_new_zmap_pretends_to_be_windows_but_may_be_fragmented() {
    expect(&syn(fragmentable().ttl(64), 65_535, &WINDOWS), ZmapWindows);
    expect(&syn(fragmentable().ttl(44), 65_535, &WINDOWS), ZmapWindows);
    expect(&syn(fragmentable().ttl(65), 65_535, &WINDOWS), WideWindowFragmentable);
    expect(&syn(fragmentable(), 65_534, &WINDOWS), None);
    expect(&syn(whole(), 65_535, &WINDOWS), None);
    expect(&syn(v6(), 65_535, &WINDOWS), None);
    let other_scale = [2, 4, 0x05, 0xb4, 1, 3, 3, 9, 1, 1, 4, 2];
    expect(&syn(fragmentable(), 65_535, &other_scale), WideWindowFragmentable);
}

#[test]
fn a_syn_of_new_zmap_has_the_time_of_day_as_its_timestamp() {
    let now = 0x0102_0304;
    let at = |unix_seconds| Knowledge { unix_seconds, ..Knowledge::default() };
    for options in [LINUX.as_slice(), &BSD] {
        let frame = syn(fragmentable(), 65_535, options).build();
        assert_eq!(mark_to(&at(now), &frame), Some(ZmapTimestamp));
        assert_eq!(mark_to(&at(now + 86_000), &frame), Some(ZmapTimestamp));
        assert_eq!(mark_to(&at(now + 87_000), &frame), Some(WideWindowFragmentable));
        assert_eq!(mark_to(&at(0), &frame), Some(WideWindowFragmentable));
        assert_eq!(mark_to(&at(now), &syn(whole(), 65_535, options).build()), None);
        assert_eq!(mark_to(&at(now), &syn(fragmentable(), 65_534, options).build()), None);
    }
    let echoing = [2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 1, 1, 3, 3, 7];
    let frame = syn(fragmentable(), 65_535, &echoing).build();
    assert_eq!(mark_to(&at(now), &frame), Some(WideWindowFragmentable));
}

#[test]
fn an_acknowledgement_number_in_a_syn_was_put_there_by_hand() {
    for ip in [whole, fragmentable, v6] {
        expect(&syn(ip(), 512, &[]), Hping);
        expect(&syn(ip(), 512, &[]).ack(7), Hping);
        expect(&syn(ip(), 513, &[]).ack(7), SynWithAcknowledgement);
        expect(&syn(ip(), 1024, &[]).ack(7), SynWithAcknowledgement);
        expect(&syn(ip(), 64_240, &LINUX).ack(1), SynWithAcknowledgement);
    }
    expect(&syn(whole(), 512, &MSS), None);
    expect(&syn(whole(), 513, &[]), SynWithoutOptions);
}

#[test]
fn system_probes_have_the_last_timestamp_there_is() {
    let probes: [&[u8]; 7] = [
        &[3, 3, 10, 1, 2, 4, 5, 0xb4, 8, 10, 255, 255, 255, 255, 0, 0, 0, 0, 4, 2],
        &[2, 4, 5, 0x78, 3, 3, 0, 4, 2, 8, 10, 255, 255, 255, 255, 0, 0, 0, 0, 0],
        &[8, 10, 255, 255, 255, 255, 0, 0, 0, 0, 1, 1, 3, 3, 5, 1, 2, 4, 2, 0x80],
        &[4, 2, 8, 10, 255, 255, 255, 255, 0, 0, 0, 0, 3, 3, 10, 0],
        &[2, 4, 2, 0x18, 4, 2, 8, 10, 255, 255, 255, 255, 0, 0, 0, 0, 3, 3, 10, 0],
        &[2, 4, 1, 9, 4, 2, 8, 10, 255, 255, 255, 255, 0, 0, 0, 0],
        &[3, 3, 15, 1, 2, 4, 1, 9, 8, 10, 255, 255, 255, 255, 0, 0, 0, 0, 4, 2],
    ];
    for options in probes {
        for ip in [whole, v6] {
            expect(&syn(ip(), 1, options).ack(7), NmapSystemProbe);
        }
        let timestamp = options.windows(2).position(|pair| pair == [8, 10]).expect("a timestamp") + 2;
        for byte in timestamp..timestamp + 8 {
            let mut other = options.to_vec();
            other[byte] ^= 0x10;
            expect(&syn(whole(), 1, &other).ack(7), SynWithAcknowledgement);
        }
    }
}

#[test]
fn the_probe_for_congestion_notification_is_window_3_and_its_options() {
    for ip in [whole, v6] {
        let probe = |window| syn(ip(), window, &ECN_PROBE).flags("SEC").urgent(0xf7f5);
        expect(&probe(3), NmapEcnProbe);
        expect(&probe(3).reserved(4), NmapEcnProbe);
        expect(&probe(4), UrgentPointerInSyn);
        expect(&syn(ip(), 3, &[3, 3, 10, 1, 2, 4, 5, 0xb4, 4, 2, 1, 0]).flags("SEC"), None);
    }
}

#[test]
fn a_syn_of_mirai_has_the_address_that_it_scans_as_its_sequence_number() {
    let own = u32::from(GUARDED_V4);
    let public = 0xc633_6407;
    let probe = |number| syn(fragmentable(), 44_893, &[]).seq(number);
    expect(&probe(own), Mirai);
    expect(&probe(own + 1), SynWithoutOptions);
    expect(&probe(public), SynWithoutOptions);
    let told = Knowledge { public: [0, 0, 0, public], ..Knowledge::default() };
    assert_eq!(mark_to(&told, &probe(public).build()), Some(Mirai));
    assert_eq!(mark_to(&told, &probe(0).build()), Some(SynWithoutOptions));
    expect(&syn(whole(), 64_240, &LINUX).seq(own), None);
}

#[test]
fn unicornscan_and_sx_are_known_by_window_and_options() {
    expect(&syn(whole(), 16_384, &UNICORNSCAN), Unicornscan);
    expect(&syn(whole(), 16_385, &UNICORNSCAN), None);
    for (byte, _) in UNICORNSCAN.iter().enumerate().take(11) {
        let mut other = UNICORNSCAN;
        other[byte] ^= 0x40;
        expect(&syn(whole(), 16_384, &other), None);
    }
    expect(&syn(whole(), 64_240, &SX), Sx);
    expect(&syn(whole(), 64_241, &SX), None);
    for (byte, _) in SX.iter().enumerate() {
        let mut other = SX;
        other[byte] ^= 0x40;
        expect(&syn(whole(), 64_240, &other), None);
    }
}

#[test]
fn what_real_stacks_write_too_kills_nothing() {
    let hints = [
        (syn(whole(), 8_192, &[]), SynWithoutOptions),
        (syn(whole(), 64_240, &LINUX).urgent(7), UrgentPointerInSyn),
        (syn(fragmentable(), 65_535, &LINUX), WideWindowFragmentable),
        (syn(fragmentable(), 5_840, &MSS), SynMssOnly),
        (syn(fragmentable(), 1_024, &[2, 4, 2, 0x18]), SynMssOnly),
    ];
    for (frame, signature) in hints {
        expect(&frame, signature);
        assert_eq!(signature.confidence(), Confidence::Hint, "{}", signature.name());
    }
    expect(&syn(whole(), 64_240, &LINUX).flags("SU").urgent(7), None);
    expect(&syn(whole(), 5_840, &MSS), None);
}
