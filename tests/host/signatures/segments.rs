//! Segments and datagrams of no connection, rule by rule.

use scanguard_common::classify::signature::Signature::{
    self, AckWithoutSequence, NmapAck, NmapDatagram, NmapSynAck, NmapSystemProbe, SynOptionWithoutSyn,
    Unicornscan, ZmapDatagram,
};
use scanguard_harness::{Ip, Tcp};

use super::{fragmentable, mark, v6, whole};

const MSS: [u8; 4] = [2, 4, 0x05, 0xb4];
const TIMESTAMP: [u8; 12] = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];

fn segment(ip: Ip, flags: &str) -> Tcp {
    ip.tcp(40_000, 80).flags(flags).ack(7)
}

#[track_caller]
fn expect(frame: &[u8], expected: impl Into<Option<Signature>>) {
    assert_eq!(mark(frame), expected.into(), "{frame:02x?}");
}

#[test]
fn an_ack_with_number_0_is_nmaps_if_its_window_is_and_crafted_if_not() {
    for ip in [whole, v6] {
        for flags in ["A", "PA", "FA", "FPA", "UA"] {
            let numbered = |number| segment(ip(), flags).seq(number);
            expect(&numbered(0).window(1024).build(), NmapAck);
            expect(&numbered(0).window(1025).build(), AckWithoutSequence);
            expect(&numbered(0).window(1024).options(&TIMESTAMP).build(), AckWithoutSequence);
            expect(&numbered(1).window(1024).build(), None);
            expect(&numbered(1).options(&TIMESTAMP).build(), None);
        }
        expect(&segment(ip(), "F").seq(0).window(1024).build(), None);
    }
}

#[test]
fn a_reset_has_no_mark_whatever_is_in_it() {
    for flags in ["R", "RA", "RPA"] {
        expect(&segment(whole(), flags).seq(0).window(1024).build(), None);
        expect(&segment(whole(), flags).options(&MSS).build(), None);
    }
}

#[test]
fn a_syn_ack_of_nmap_is_window_1024_and_mss_1460_alone() {
    for ip in [whole, v6] {
        expect(&segment(ip(), "SA").window(1024).options(&MSS).build(), NmapSynAck);
        expect(&segment(ip(), "SA").window(1025).options(&MSS).build(), None);
        expect(&segment(ip(), "SA").window(1024).options(&[2, 4, 5, 0xb5]).build(), None);
        expect(&segment(ip(), "SA").window(1024).build(), None);
        expect(
            &segment(ip(), "SA").window(1024).options(&[MSS.as_slice(), &TIMESTAMP].concat()).build(),
            None,
        );
    }
}

#[test]
fn options_of_system_probes_and_of_unicornscan_are_known_without_syn_too() {
    let probe = [3, 3, 10, 1, 2, 4, 1, 9, 8, 10, 255, 255, 255, 255, 0, 0, 0, 0, 4, 2];
    let unicornscan = [2, 4, 5, 0x9c, 1, 1, 4, 2, 1, 3, 3, 0, 1, 1, 8, 10, 9, 8, 7, 6, 0, 0, 0, 0];
    for ip in [whole, v6] {
        for flags in ["A", "", "FPU", "F"] {
            expect(&segment(ip(), flags).options(&probe).build(), NmapSystemProbe);
            expect(&segment(ip(), flags).options(&unicornscan).build(), Unicornscan);
        }
    }
}

#[test]
fn an_option_that_belongs_into_a_syn_is_a_hint_where_there_is_none() {
    for options in [MSS, [3, 3, 7, 1], [4, 2, 1, 1]] {
        expect(&segment(whole(), "A").options(&options).build(), SynOptionWithoutSyn);
    }
    expect(&segment(whole(), "A").options(&[5, 10, 0, 0, 0, 1, 0, 0, 0, 2]).build(), None);
}

#[test]
fn a_datagram_of_nmap_is_300_times_the_letter_c() {
    for ip in [whole, v6] {
        let datagram = |length: usize| ip().udp(40_000, 31_115).payload(&vec![b'C'; length]);
        expect(&datagram(300).build(), NmapDatagram);
        expect(&datagram(299).build(), None);
        expect(&datagram(301).build(), None);
        let mut other = vec![b'C'; 300];
        other[19] = b'D';
        expect(&ip().udp(40_000, 31_115).payload(&other).build(), None);
    }
}

#[test]
fn a_datagram_with_zmaps_number_is_a_hint() {
    let datagram = |ip: Ip| ip.udp(40_000, 53).payload(b"hello").build();
    expect(&datagram(fragmentable().identification(54_321)), ZmapDatagram);
    expect(&datagram(whole().identification(54_321)), None);
    expect(&datagram(fragmentable().identification(54_322)), None);
    expect(&datagram(v6()), None);
}

#[test]
fn a_frame_that_ends_early_has_no_mark_and_does_no_harm() {
    let whole = whole().udp(40_000, 31_115).length(308).payload(&[b'C'; 19]).build();
    expect(&whole, None);
}
