//! What was written into a frame is what is read from it, behind whatever stands before it.

use scanguard_common::cause::Cause;
use scanguard_common::parse::network::Family;
use scanguard_common::parse::transport::{Port, Ports};
use scanguard_common::parse::{Packet, parse};
use scanguard_harness::{Extension, Frame, GUARDED_V4, GUARDED_V6, Ip, OUTSIDE_V4, OUTSIDE_V6};

fn v4() -> Ip {
    Frame::ipv4(OUTSIDE_V4, GUARDED_V4)
}

fn v6() -> Ip {
    Frame::ipv6(OUTSIDE_V6, GUARDED_V6)
}

/// What is wrong with how a packet was cut into fragments.
fn fault(frame: &[u8]) -> Option<Cause> {
    parse(frame).unwrap_or_else(|cause| panic!("{}: {frame:02x?}", cause.name())).transport.fault
}

/// Demands that a SYN behind these headers is read as it was written.
fn assert_syn_is_read(ip: Ip) {
    let frame = ip.tcp(1234, 80).flags("S").seq(0x0102_0304).ack(0x0506_0708).window(0x090a).build();
    let packet = parse(frame.as_slice()).unwrap_or_else(|cause| panic!("{}: {frame:02x?}", cause.name()));
    let Packet { family, source, destination, transport, .. } = packet;
    let (from, to) = match family {
        Family::V4 => (OUTSIDE_V4.to_ipv6_mapped(), GUARDED_V4.to_ipv6_mapped()),
        Family::V6 => (OUTSIDE_V6, GUARDED_V6),
    };
    assert_eq!((source.bytes(), destination.bytes()), (from.octets(), to.octets()));
    assert_eq!(transport.ports, Ports { source: Port(1234), destination: Port(80) });
    let segment = transport.segment;
    assert_eq!(segment.flags.bits(), 2);
    assert_eq!((segment.sequence, segment.acknowledgement), (0x0102_0304, 0x0506_0708));
    assert_eq!(segment.window, 0x090a);
}

#[test]
fn behind_no_one_and_two_tags_of_either_kind() {
    for ip in [v4, v6] {
        assert_syn_is_read(ip());
        assert_syn_is_read(ip().vlan(7));
        assert_syn_is_read(ip().service_vlan(7));
        assert_syn_is_read(ip().service_vlan(7).vlan(8));
        assert_syn_is_read(ip().vlan(7).vlan(8));
        let three = ip().vlan(7).vlan(8).vlan(9).tcp(1, 2).flags("S").build();
        assert_eq!(parse(three.as_slice()), Err(Cause::TooManyTags));
    }
}

#[test]
fn behind_ipv4_options_of_every_length() {
    for words in 0..=10 {
        assert_syn_is_read(v4().options(&vec![1; words * 4]));
    }
}

#[test]
fn behind_each_ipv6_extension_header_and_up_to_sixteen_of_them() {
    let kinds = [
        Extension::hop_by_hop(),
        Extension::routing(),
        Extension::destination(),
        Extension::authentication(),
        Extension::fragment(0, false, 1),
    ];
    for kind in &kinds {
        assert_syn_is_read(v6().extension(kind.clone()));
    }
    let chain = |length: usize| {
        (0..length).fold(v6(), |ip, position| ip.extension(kinds[position % kinds.len()].clone()))
    };
    for length in 1..16 {
        assert_syn_is_read(chain(length));
    }
    let seventeen = chain(17).tcp(1, 2).flags("S").build();
    assert_eq!(parse(seventeen.as_slice()), Err(Cause::TooManyExtensions));
}

#[test]
fn a_first_fragment_is_read_and_a_later_one_is_not() {
    assert_syn_is_read(v4().fragment(0, true));
    assert_syn_is_read(v6().extension(Extension::fragment(0, true, 1)));
    for offset in [3, 4, 185, 0x1fff] {
        for more in [false, true] {
            let ipv4 = v4().fragment(offset, more).tcp(1, 2).build();
            let ipv6 = v6().extension(Extension::fragment(offset, more, 1)).tcp(1, 2).build();
            assert_eq!(parse(ipv4.as_slice()), Err(Cause::LaterFragment), "{offset}");
            assert_eq!(parse(ipv6.as_slice()), Err(Cause::LaterFragment), "{offset}");
        }
    }
}

#[test]
fn a_fragment_within_a_tcp_header_is_a_fault_and_one_of_udp_is_not() {
    for offset in [1, 2] {
        let ipv4 = |protocol| v4().fragment(offset, true).build(protocol, &[0; 24]);
        let ipv6 = |protocol| v6().extension(Extension::fragment(offset, true, 1)).build(protocol, &[0; 24]);
        for frame in [ipv4(6), ipv6(6)] {
            assert_eq!(fault(&frame), Some(Cause::OverlappingFragment), "{offset}");
        }
        for frame in [ipv4(17), ipv6(17)] {
            assert_eq!(parse(frame.as_slice()), Err(Cause::LaterFragment), "{offset}");
        }
    }
}

#[test]
fn a_first_fragment_without_its_transport_header_is_tiny() {
    let ipv4 = v4().fragment(0, true).build(6, &[0; 8]);
    let ipv6 = v6().extension(Extension::fragment(0, true, 1)).build(6, &[0; 8]);
    assert_eq!(fault(&ipv4), Some(Cause::TinyFragment));
    assert_eq!(fault(&ipv6), Some(Cause::TinyFragment));
}

#[test]
fn every_ipv4_header_length() {
    for words in 0..16u8 {
        let frame = v4().options(&[1; 40]).header_words(words).build(47, &[0; 8]);
        let expected = if words < 5 { Err(Cause::BadIpHeaderLength) } else { Ok(()) };
        assert_eq!(parse(frame.as_slice()).map(drop), expected, "{words}");
    }
}

#[test]
fn every_ipv4_total_length() {
    let built = v4().tcp(1, 2).flags("S").build();
    let truth = built.len() - 14;
    for length in 0..=u16::MAX {
        let frame = v4().length(length).tcp(1, 2).flags("S").build();
        let expected = match usize::from(length) {
            0 => Ok(()), // segmentation offload
            length if length < 20 || length > truth => Err(Cause::BadIpLength),
            length if length < 40 => Err(Cause::TruncatedTransport),
            length if length < truth => Err(Cause::BadDataOffset), // the options are cut off
            _ => Ok(()),
        };
        assert_eq!(parse(frame.as_slice()).map(drop), expected, "{length}");
    }
}

#[test]
fn every_ipv6_payload_length() {
    let truth = v6().tcp(1, 2).flags("S").build().len() - 54;
    for length in 0..=u16::MAX {
        let frame = v6().length(length).tcp(1, 2).flags("S").build();
        let expected = match usize::from(length) {
            0 => Ok(()), // a jumbogram or segmentation offload
            length if length > truth => Err(Cause::BadIpLength),
            length if length < 20 => Err(Cause::TruncatedTransport),
            length if length < truth => Err(Cause::BadDataOffset),
            _ => Ok(()),
        };
        assert_eq!(parse(frame.as_slice()).map(drop), expected, "{length}");
    }
}

#[test]
fn every_data_offset() {
    for words in 0..16u8 {
        let frame = v4().tcp(1, 2).flags("A").data_offset(words).payload(&[0; 20]).build();
        let expected = if (5..=10).contains(&words) { Ok(()) } else { Err(Cause::BadDataOffset) };
        assert_eq!(parse(frame.as_slice()).map(drop), expected, "{words}");
    }
}

#[test]
fn every_length_of_every_extension_header() {
    for told in 0..=u8::MAX {
        let (eights, fours) = ((usize::from(told) + 1) * 8, (usize::from(told) + 2) * 4);
        for (kind, built, length) in [
            (Extension::hop_by_hop(), 8, eights),
            (Extension::destination(), 8, eights),
            (Extension::routing(), 8, eights),
            (Extension::authentication(), 24, fours),
            (Extension::fragment(0, false, 1), 8, 8), // its second byte is reserved
        ] {
            // A UDP header stands where the extension header says that it ends.
            let Some(rest) = length.checked_sub(built) else { continue };
            let mut payload = vec![0; rest];
            payload.extend([0x12, 0x34, 0x56, 0x78, 0, 8, 0, 0]);
            let frame = v6().extension(kind.clone().length(told)).build(17, &payload);
            let packet = parse(frame.as_slice()).unwrap_or_else(|cause| panic!("{told}: {}", cause.name()));
            assert_eq!(packet.transport.ports, Ports { source: Port(0x1234), destination: Port(0x5678) });
            // One byte less, and the UDP header is cut short.
            let mut cut = frame.clone();
            cut.truncate(frame.len() - 1);
            let payload_length = u16::try_from(cut.len() - 54).expect("short");
            cut[18..20].copy_from_slice(&payload_length.to_be_bytes());
            assert_eq!(parse(cut.as_slice()), Err(Cause::TruncatedTransport), "{told}");
        }
    }
}

#[test]
fn padding_behind_the_packet_is_not_read() {
    let mut frame = v4().build(6, &[0; 8]);
    frame.extend([0; 30]);
    assert_eq!(parse(frame.as_slice()), Err(Cause::TruncatedTransport));
    let mut frame = v6().build(6, &[0; 8]);
    frame.extend([0; 30]);
    assert_eq!(parse(frame.as_slice()), Err(Cause::TruncatedTransport));
}
