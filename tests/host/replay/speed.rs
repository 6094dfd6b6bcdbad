//! How fast it is. `cargo test --release --test host -- --ignored --nocapture packets_a_second` tells.

use std::time::Instant;

use scanguard_harness::{Frame, GUARDED_V4};

use super::file::{header, record, write};
use super::run::replay;

/// How many conversations of how many segments each way.
const CONVERSATIONS: u32 = 200_000;
const SEGMENTS: u32 = 4;

#[test]
#[ignore = "it measures, and fails at nothing"]
fn packets_a_second() {
    let mut bytes = header();
    let mut packets = 0u64;
    for number in 0..CONVERSATIONS {
        let [_, a, b, c] = number.to_be_bytes();
        let remote = [11, a, b, c].into();
        let mut push = |frame: Vec<u8>| {
            packets += 1;
            bytes.extend(record(1_000_000 + packets / 100, &frame));
        };
        push(Frame::ipv4(remote, GUARDED_V4).tcp(40_000, 80).flags("S").build());
        push(Frame::ipv4(GUARDED_V4, remote).tcp(80, 40_000).flags("SA").build());
        for _ in 0..SEGMENTS {
            push(Frame::ipv4(remote, GUARDED_V4).tcp(40_000, 80).flags("PA").seq(8).build());
            push(Frame::ipv4(GUARDED_V4, remote).tcp(80, 40_000).flags("A").build());
        }
        push(Frame::ipv4(remote, GUARDED_V4).tcp(40_001, 81).flags("S").build());
    }
    let file = write(&bytes);
    drop(bytes);
    let start = Instant::now();
    let run = replay(file.path(), &format!("--local {GUARDED_V4}")).succeeded();
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(run.capture("packets"), packets);
    #[expect(clippy::cast_precision_loss, reason = "a few millions")]
    let rate = packets as f64 / seconds;
    println!("{packets} packets in {seconds:.2} s: {rate:.0} a second");
}
