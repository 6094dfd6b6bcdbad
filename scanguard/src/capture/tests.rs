//! Files written byte by byte, and read.

mod write;

use std::io::Cursor;
use std::path::Path;

use scanguard_common::cause::Cause;
use scanguard_common::frame::Frame as _;
use scanguard_common::parse::link::destination;
use scanguard_common::parse::transport::Port;
use scanguard_common::parse::{Packet, parse};

use super::source::Source;
use super::*;
use write::{ETHERNET, MICROSECONDS, NANOSECONDS, ORDERS, ethernet, ipv4, ipv6};

fn open(bytes: Vec<u8>) -> Result<Capture, Error> {
    let (source, failure) = Source::of(Cursor::new(bytes));
    Capture::of(source, failure, Path::new("x.pcap"))
}

/// The time of one frame, its length, what it was parsed to, and which way it went.
type Seen = (u64, usize, Result<Packet, Cause>, Option<Way>);

/// What was read, and how it ended.
struct Read {
    frames: Vec<Seen>,
    end: Result<(), Damage>,
}

fn read(bytes: Vec<u8>) -> Read {
    let mut capture = open(bytes).expect("a capture");
    let mut frames = Vec::new();
    loop {
        match capture.next() {
            Ok(Some(Record { time, frame })) => {
                frames.push((time.0, frame.length(), parse(&frame), frame.way()));
            }
            Ok(None) => return Read { frames, end: Ok(()) },
            Err(damage) => return Read { frames, end: Err(damage) },
        }
    }
}

/// The one frame of a capture.
fn only(bytes: Vec<u8>) -> Seen {
    let mut read = read(bytes);
    assert_eq!(read.end, Ok(()));
    assert_eq!(read.frames.len(), 1);
    read.frames.remove(0)
}

fn is_the_syn(packet: Result<Packet, Cause>) -> bool {
    packet.is_ok_and(|packet| {
        packet.transport.ports.source == Port(40_000) && packet.transport.ports.destination == Port(80)
    })
}

#[test]
fn pcap_of_both_orders_and_resolutions() {
    let frame = ethernet([8, 0], &ipv4());
    for order in ORDERS {
        for (magic, fraction) in [(MICROSECONDS, 250_000), (NANOSECONDS, 250_000_000)] {
            let file = [order.pcap(magic, ETHERNET), order.record(5, fraction, &frame, frame.len())].concat();
            let (time, length, packet, way) = only(file);
            assert_eq!((time, length, way), (5_250_000_000, 54, None), "{magic:#x} {}", order.big);
            assert!(is_the_syn(packet));
        }
    }
}

#[test]
fn pcapng_of_both_orders_and_any_resolution_and_offset() {
    let frame = ethernet([8, 0], &ipv4());
    for order in ORDERS {
        for (options, units, nanos) in [
            (vec![], 5_250_000, 5_250_000_000),
            (order.option(9, &[9]), 5_250_000_000, 5_250_000_000),
            (order.option(9, &[0x8a]), 5 * 1024 + 256, 5_250_000_000),
            (order.option(14, &order.eight(100)), 5_250_000, 105_250_000_000),
            ([order.option(9, &[0]), order.option(14, &order.eight(-2))].concat(), 5, 3_000_000_000),
        ] {
            let packet = order.enhanced(0, units, &frame, 54, &[]);
            let (time, length, packet, _) =
                only([order.section(), order.interface(1, 0, &options), packet].concat());
            assert_eq!((time, length), (nanos, 54), "{options:?} {}", order.big);
            assert!(is_the_syn(packet));
        }
    }
}

#[test]
fn pcapng_says_which_way_a_frame_went() {
    let frame = ethernet([8, 0], &ipv4());
    for order in ORDERS {
        for (flags, way) in [(0, None), (1, Some(Way::In)), (2, Some(Way::Out)), (0x101, Some(Way::In))] {
            let options = order.option(2, &order.four(flags));
            let packet = order.enhanced(0, 1, &frame, 54, &options);
            let file = [order.section(), order.interface(1, 0, &[]), packet].concat();
            assert_eq!(only(file).3, way, "{flags:#x}");
        }
    }
}

#[test]
fn pcapng_sections_have_interfaces_and_orders_of_their_own() {
    let frame = ethernet([8, 0], &ipv4());
    let [little, big] = ORDERS;
    let statistics = little.block(5, &[0; 12]);
    let unknown = little.block(0x0bad, &[7; 30]);
    let file = [
        little.section(),
        little.interface(101, 0, &[]),
        little.interface(1, 0, &[]),
        statistics,
        little.enhanced(1, 1_000_000, &frame, 54, &[]),
        little.enhanced(0, 2_000_000, &ipv6(), 60, &[]),
        unknown,
        little.simple(&ipv4(), 40),
        big.section(),
        big.interface(1, 0, &[]),
        big.enhanced(0, 4_000_000, &frame, 54, &[]),
    ]
    .concat();
    let read = read(file);
    assert_eq!(read.end, Ok(()));
    let seen: Vec<_> = read.frames.iter().map(|(time, length, ..)| (time / 1_000_000_000, *length)).collect();
    // A simple packet has no time of its own.
    assert_eq!(seen, [(1, 54), (2, 74), (2, 54), (4, 54)]);
    assert!(read.frames.into_iter().all(|(_, _, packet, _)| is_the_syn(packet)));
}

#[test]
fn simple_packets_are_as_long_as_their_interface_kept() {
    for order in ORDERS {
        let frame = ethernet([8, 0], &ipv4());
        let kept = &frame[..18];
        let file = [order.section(), order.interface(1, 18, &[]), order.simple(kept, 54)].concat();
        let (_, length, packet, _) = only(file);
        assert_eq!((length, packet), (54, Err(Cause::TruncatedNetwork)));
    }
}

#[test]
fn frames_of_networks_that_are_not_understood_are_counted_and_left_out() {
    let [order, _] = ORDERS;
    let file = [
        order.section(),
        order.interface(189, 0, &[]),
        order.interface(101, 0, &[]),
        order.enhanced(0, 1, &[1; 30], 30, &[]),
        order.enhanced(1, 2, &ipv4(), 40, &[]),
    ]
    .concat();
    let mut capture = open(file).expect("a capture");
    assert!(capture.next().expect("undamaged").is_some());
    assert!(capture.next().expect("undamaged").is_none());
    assert_eq!(capture.unsupported(), 1);
}

/// Every link type, with what goes before the packet.
fn links() -> Vec<(u32, Vec<u8>, Vec<u8>)> {
    let mut links = Vec::new();
    for (payload, ether_type, families) in
        [(ipv4(), [8, 0], &[2][..]), (ipv6(), [0x86, 0xdd], &[10, 24, 28, 30][..])]
    {
        links.push((1, ethernet(ether_type, &[]), payload.clone()));
        let tagged = [&[0x00, 7][..], &ether_type].concat();
        links.push((1, ethernet([0x81, 0], &tagged), payload.clone()));
        links.push((1, ethernet([0x88, 0xa8], &[&[0, 5, 0x81, 0][..], &tagged].concat()), payload.clone()));
        for raw in [12, 14, 101, if payload[0] >> 4 == 4 { 228 } else { 229 }] {
            links.push((raw, vec![], payload.clone()));
        }
        for family in families {
            links.push((0, vec![*family, 0, 0, 0], payload.clone()));
            links.push((0, vec![0, 0, 0, *family], payload.clone()));
            links.push((108, vec![0, 0, 0, *family], payload.clone()));
        }
        let cooked = [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 8, 0, 0][..], &ether_type].concat();
        links.push((113, cooked, payload.clone()));
        let cooked_tag = [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 8, 0, 0, 0x81, 0][..], &tagged].concat();
        links.push((113, cooked_tag, payload.clone()));
        let cooked2 = [&ether_type[..], &[0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 8, 0, 0]].concat();
        links.push((276, cooked2, payload));
    }
    links
}

#[test]
fn every_link_type_is_read_as_ethernet() {
    for (link, before, payload) in links() {
        for order in ORDERS {
            let data = [&before[..], &payload].concat();
            let record = order.record(1, 0, &data, data.len());
            let (_, length, packet, _) = only([order.pcap(MICROSECONDS, link), record].concat());
            assert!(is_the_syn(packet), "link type {link}: {packet:?}");
            let tags = if link == 1 {
                before.len() - 14
            } else if before.len() == 20 && link == 113 {
                4
            } else {
                0
            };
            assert_eq!(length, 14 + tags + payload.len(), "link type {link}");
        }
    }
}

#[test]
fn the_length_on_the_wire_counts_and_not_that_of_the_snapshot() {
    for (link, before, payload) in links() {
        let [order, _] = ORDERS;
        let mut payload = payload;
        let long = 1_400u16;
        let (at, told) = if payload[0] >> 4 == 4 { (2, long) } else { (4, long - 40) };
        payload[at..at + 2].copy_from_slice(&told.to_be_bytes());
        let data = [&before[..], &payload].concat();
        let wire = before.len() + usize::from(long);
        let header = order.pcap(MICROSECONDS, link);
        let (_, length, packet, _) = only([header.clone(), order.record(1, 0, &data, wire)].concat());
        assert!(is_the_syn(packet), "link type {link}: {packet:?}");
        assert!(length >= 14 + usize::from(long), "link type {link}");
        // Were the frame no longer than its snapshot, its IP header would lie.
        let (_, _, packet, _) = only([header, order.record(1, 0, &data, data.len())].concat());
        assert_eq!(packet, Err(Cause::BadIpLength), "link type {link}");
    }
}

#[test]
fn cooked_captures_say_which_way_and_for_whom() {
    let [order, _] = ORDERS;
    for (kind, way, group, overheard) in [
        (0, Way::In, false, false),
        (1, Way::In, true, false),
        (2, Way::In, true, false),
        (3, Way::In, false, true),
        (4, Way::Out, false, false),
    ] {
        let cooked = [&[0, kind, 0, 1, 0, 6, 2, 0, 0, 0, 0, 8, 0, 0, 8, 0][..], &ipv4()].concat();
        let cooked2 =
            [&[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, kind, 6, 2, 0, 0, 0, 0, 8, 0, 0][..], &ipv4()].concat();
        for (link, data) in [(113, cooked), (276, cooked2)] {
            let record = order.record(1, 0, &data, data.len());
            let mut capture = open([order.pcap(MICROSECONDS, link), record].concat()).expect("a capture");
            let record = capture.next().expect("undamaged").expect("a frame");
            assert_eq!(record.frame.way(), Some(way), "{link} {kind}");
            assert_eq!(record.frame.is_overheard(), overheard, "{link} {kind}");
            assert_eq!(destination(&record.frame).expect("a header").is_group(), group, "{link} {kind}");
        }
    }
}

#[test]
fn a_frame_in_one_piece_reads_the_same() {
    for (link, before, payload) in links() {
        let [order, _] = ORDERS;
        let data = [&before[..], &payload].concat();
        let file = [order.pcap(MICROSECONDS, link), order.record(1, 0, &data, data.len() + 50)].concat();
        let mut capture = open(file).expect("a capture");
        let frame = capture.next().expect("undamaged").expect("a frame").frame;
        let whole = frame.to_vec();
        assert_eq!(whole.len(), frame.length());
        assert!(frame.is_cut_short());
        assert_eq!(parse(whole.as_slice()), parse(&frame), "link type {link}");
        for offset in 0..whole.len() - 50 {
            assert_eq!(
                frame.read::<1>(offset),
                whole.as_slice().read::<1>(offset),
                "link type {link} at {offset}"
            );
        }
        assert_eq!(frame.read::<2>(whole.len() - 51), None, "what was not captured cannot be read");
    }
}

#[test]
fn headers_that_the_snapshot_cut_are_truncated() {
    for (link, before, payload) in links() {
        let [order, _] = ORDERS;
        let data = [&before[..], &payload].concat();
        for cut in 0..data.len() {
            let record = order.record(1, 0, &data[..cut], data.len());
            let (_, _, packet, _) = only([order.pcap(MICROSECONDS, link), record].concat());
            let truncated = [Cause::TruncatedLink, Cause::TruncatedNetwork, Cause::TruncatedTransport]
                .contains(&packet.expect_err("it is cut"));
            assert!(truncated, "link type {link} cut at {cut}: {packet:?}");
        }
    }
}

#[test]
fn time_never_goes_back_and_is_never_zero() {
    let [order, _] = ORDERS;
    let frame = ethernet([8, 0], &ipv4());
    let record = |seconds| order.record(seconds, 0, &frame, frame.len());
    let file = [order.pcap(MICROSECONDS, ETHERNET), record(0), record(9), record(3), record(10)].concat();
    let times: Vec<u64> = read(file).frames.iter().map(|(time, ..)| *time).collect();
    assert_eq!(times, [1, 9_000_000_000, 9_000_000_000, 10_000_000_000]);
}

/// A file of three frames, as pcap and as pcapng in both orders, with the ends of its frames.
fn three_frames() -> Vec<(Vec<u8>, Vec<usize>, usize)> {
    let frame = ethernet([8, 0], &ipv4());
    let mut files = Vec::new();
    for order in ORDERS {
        for ng in [false, true] {
            let header = if ng {
                [order.section(), order.interface(1, 0, &order.option(9, &[9]))].concat()
            } else {
                order.pcap(MICROSECONDS, ETHERNET)
            };
            let first_header = if ng { order.section().len() } else { header.len() };
            let (mut file, mut ends) = (header, Vec::new());
            for number in 1..=3 {
                file.extend(if ng {
                    order.enhanced(0, u64::from(number), &frame, 54, &order.option(2, &order.four(1)))
                } else {
                    order.record(number, 0, &frame, 54)
                });
                ends.push(file.len());
            }
            files.push((file, ends, first_header));
        }
    }
    files
}

#[test]
fn a_file_cut_anywhere_gives_all_that_is_whole_and_then_an_error() {
    for (file, ends, first_header) in three_frames() {
        for cut in 0..file.len() {
            let part = file[..cut].to_vec();
            if cut < first_header {
                assert!(matches!(open(part), Err(Error::UnsupportedCapture { .. })), "cut at {cut}");
                continue;
            }
            let read = read(part);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(read.frames.len(), whole, "cut at {cut}");
            // pcapng has one header more: that of its interface.
            let between = cut == first_header || ends.contains(&cut) || cut + (ends[1] - ends[0]) == ends[0];
            match read.end {
                Ok(()) => assert!(between, "cut at {cut} went unnoticed"),
                Err(Damage { at, .. }) => {
                    assert!(!between, "cut at {cut}");
                    assert!(at <= cut as u64, "cut at {cut}, damaged at {at}");
                }
            }
        }
    }
}

#[test]
fn no_single_wrong_byte_makes_it_fail_otherwise_than_by_an_error() {
    for (file, ..) in three_frames() {
        for at in 0..file.len() {
            for wrong in [0x01, 0x80, 0xff] {
                let mut bytes = file.clone();
                bytes[at] ^= wrong;
                if let Ok(mut capture) = open(bytes) {
                    while let Ok(Some(record)) = capture.next() {
                        let _ = parse(&record.frame);
                    }
                }
            }
        }
    }
}

#[test]
fn a_length_out_of_nowhere_ends_the_reading() {
    let [order, _] = ORDERS;
    let frame = ethernet([8, 0], &ipv4());
    let mut wrong = order.record(2, 0, &frame, 54);
    wrong[8..12].copy_from_slice(&order.four(0x7fff_ffff));
    // Long enough that it is the length that is wrong, and not the end of the file that comes too soon.
    let rest = vec![0; 2 * LARGEST_BLOCK];
    let file = [order.pcap(MICROSECONDS, ETHERNET), order.record(1, 0, &frame, 54), wrong, rest].concat();
    let read = read(file);
    assert_eq!(read.frames.len(), 1);
    let damage = read.end.expect_err("no frame is that long");
    assert_eq!((damage.at, damage.why.as_str()), (94, "the length of a record cannot be true"));
}

#[test]
fn a_frame_larger_than_the_buffer_is_read() {
    let [order, _] = ORDERS;
    let data = ethernet([8, 0], &[&ipv4()[..], &vec![0; 3 * BUFFER]].concat());
    let (_, length, packet, _) =
        only([order.pcap(MICROSECONDS, ETHERNET), order.record(1, 0, &data, data.len())].concat());
    assert_eq!(length, data.len());
    assert!(is_the_syn(packet));
}

#[test]
fn what_is_no_capture_is_said_to_be_none() {
    let [order, _] = ORDERS;
    for (bytes, what) in [
        (vec![], "is empty"),
        (b"#!/bin/sh\nexit 0\n# this is no capture at all".to_vec(), "is neither pcap nor pcapng"),
        (order.pcap(MICROSECONDS, 127), "is of link type 127"),
        (order.pcap(MICROSECONDS, ETHERNET)[..10].to_vec(), "ends within its first header"),
    ] {
        let Err(error) = open(bytes) else { panic!("{what}: it was opened") };
        assert!(error.to_string().starts_with(&format!("x.pcap: {what}; ")), "{error}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let Err(error) = Capture::open(Path::new("no-such-file.pcap")) else { panic!("it was opened") };
    assert!(error.to_string().starts_with("no-such-file.pcap: cannot be read (No such file"), "{error}");
    let Err(error) = Capture::open(Path::new(".")) else { panic!("a folder was opened") };
    assert!(matches!(error, Error::UnreadableCapture { .. }), "{error}");
}
