//! However a frame is cut short or garbled, it is read within its bounds and gets an answer.

use scanguard_common::cause::Cause;
use scanguard_common::frame;
use scanguard_common::parse::parse;
use scanguard_harness::{Extension, Frame, GUARDED_V4, GUARDED_V6, OUTSIDE_V4, OUTSIDE_V6, Traffic};

use crate::watched::Watched;

const SEED: u64 = 0x5eed_0001;

/// One frame of each shape: its name, its bytes, where the network header and where the transport header
/// begin, and where the transport header ends.
fn seeds() -> Vec<(&'static str, Vec<u8>, [usize; 3])> {
    let v4 = || Frame::ipv4(OUTSIDE_V4, GUARDED_V4);
    let v6 = || Frame::ipv6(OUTSIDE_V6, GUARDED_V6);
    vec![
        ("TCP over IPv4", v4().tcp(1, 2).flags("A").build(), [14, 34, 54]),
        ("TCP with options", v4().tcp(1, 2).flags("A").options(&[1; 12]).build(), [14, 34, 66]),
        ("IPv4 with options", v4().options(&[1; 8]).tcp(1, 2).flags("A").build(), [14, 42, 62]),
        ("one tag", v4().vlan(7).tcp(1, 2).flags("A").build(), [18, 38, 58]),
        ("two tags", v6().service_vlan(7).vlan(8).tcp(1, 2).flags("A").build(), [22, 62, 82]),
        ("UDP over IPv4", v4().udp(1, 2).build(), [14, 34, 42]),
        ("SCTP over IPv4", v4().sctp(1, 2).build(), [14, 34, 46]),
        ("ICMP", v4().icmp(8, 0).build(), [14, 34, 38]),
        ("TCP over IPv6", v6().tcp(1, 2).flags("A").build(), [14, 54, 74]),
        ("UDP over IPv6", v6().udp(1, 2).build(), [14, 54, 62]),
        ("ICMPv6", v6().icmpv6(128, 0).build(), [14, 54, 58]),
        (
            "IPv6 with extension headers",
            v6().extension(Extension::hop_by_hop())
                .extension(Extension::routing())
                .tcp(1, 2)
                .flags("A")
                .build(),
            [14, 70, 90],
        ),
    ]
}

#[test]
fn every_truncation_says_in_which_layer_it_was_cut() {
    for (name, frame, [network, transport, _]) in seeds() {
        for length in 0..frame.len() {
            let cause = parse(&frame[..length]).expect_err("the IP length is beyond the end");
            let fixed_network_header = if name.contains("v6") || name == "two tags" { 40 } else { 20 };
            let expected = if length < network {
                Cause::TruncatedLink
            } else if length < network + fixed_network_header {
                Cause::TruncatedNetwork
            } else {
                Cause::BadIpLength
            };
            assert_eq!(
                cause,
                expected,
                "{name} cut at {length} of {}, transport at {transport}",
                frame.len()
            );
        }
        assert!(parse(frame.as_slice()).is_ok(), "{name}");
    }
}

/// The same where the IP length agrees with the cut: then the transport header is what is missing.
#[test]
fn every_truncation_with_an_honest_length_too() {
    for (name, frame, [network, transport, transport_end]) in seeds() {
        for length in transport..frame.len() {
            let mut cut = frame[..length].to_vec();
            let is_v4 = cut[network] >> 4 == 4;
            let (at, claimed) = if is_v4 { (2, length - network) } else { (4, length - network - 40) };
            if claimed == 0 {
                continue; // means "as long as the frame", which is tested elsewhere
            }
            let claimed = u16::try_from(claimed).expect("short");
            cut[network + at..network + at + 2].copy_from_slice(&claimed.to_be_bytes());
            let result = parse(cut.as_slice()).map(drop);
            let is_tcp = transport_end - transport >= 20;
            let expected = match length {
                length if length >= transport_end => Ok(()),
                length if is_tcp && length >= transport + 20 => Err(Cause::BadDataOffset),
                _ => Err(Cause::TruncatedTransport),
            };
            assert_eq!(result, expected, "{name} cut at {length}");
        }
    }
}

/// A frame in several pieces, of which the first can be read.
struct FirstPiece<'a> {
    frame: &'a [u8],
    end: usize,
}

impl frame::Frame for FirstPiece<'_> {
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.frame.get(..self.end)?.read(offset)
    }

    fn length(&self) -> usize {
        self.frame.len()
    }
}

/// What cannot be read is no lie of who sent it: a fragment, say, is not too small because its header lies elsewhere.
#[test]
fn headers_in_a_later_piece_are_not_understood_and_nothing_worse() {
    let fragments = [
        Frame::ipv4(OUTSIDE_V4, GUARDED_V4).fragment(0, true).tcp(1, 2).flags("A").build(),
        Frame::ipv4(OUTSIDE_V4, GUARDED_V4).fragment(0, true).udp(1, 2).build(),
        Frame::ipv6(OUTSIDE_V6, GUARDED_V6).fragment(0, true).tcp(1, 2).flags("A").build(),
        Frame::ipv6(OUTSIDE_V6, GUARDED_V6).fragment(0, true).icmpv6(128, 0).build(),
    ];
    for frame in seeds().into_iter().map(|(_, frame, _)| frame).chain(fragments) {
        let whole = parse(frame.as_slice()).expect("whole");
        for end in 0..frame.len() {
            match parse(&FirstPiece { frame: &frame, end }) {
                Ok(packet) => assert_eq!(packet, whole, "the first {end} bytes of {frame:02x?}"),
                Err(Cause::TruncatedLink | Cause::TruncatedNetwork | Cause::TruncatedTransport) => {}
                Err(cause) => panic!("{}: the first {end} bytes of {frame:02x?}", cause.name()),
            }
        }
    }
}

#[test]
fn two_hundred_thousand_garbled_frames_are_answered_in_a_bounded_number_of_reads() {
    println!("seed {SEED:#x}");
    let mut traffic = Traffic::seeded(SEED, [22, 80]);
    let mut understood = 0;
    for _ in 0..200_000 {
        let frame = traffic.frame();
        let watched = Watched::over(&frame);
        let result = parse(&watched);
        assert_eq!(result, parse(frame.as_slice()));
        assert!(watched.reads() < 32, "{} reads", watched.reads());
        understood += usize::from(result.is_ok());
    }
    assert!((50_000..190_000).contains(&understood), "{understood} understood: the generator is one-sided");
}
