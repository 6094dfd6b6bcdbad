//! Noise, mutilated frames and endless headers are read within bounds, in a bounded number of reads, and get an answer
//! each: whatever is not understood passes, for a reason that is counted.

use scanguard_common::cause::Action;
use scanguard_common::parse::parse;
use scanguard_harness::{GUARDED_V4, GUARDED_V6, Hostile, World, endless_headers};

use crate::watched::Watched;

const SEED: u64 = 0x5eed_0004;
const FRAMES: usize = 300_000;

#[test]
fn hostile_frames_are_answered_in_a_bounded_number_of_reads() {
    println!("seed {SEED:#x}");
    let world = world();
    let mut hostile = Hostile::seeded(SEED);
    let mut understood = 0;
    for _ in 0..FRAMES {
        let frame = hostile.frame();
        understood += usize::from(is_answered(&world, &frame));
    }
    let expected = FRAMES / 5..FRAMES * 4 / 5;
    assert!(expected.contains(&understood), "{understood} understood: the generator is one-sided");
}

#[test]
fn recorded_frames_are_answered_wherever_they_are_cut() {
    let world = world();
    let hostile = Hostile::seeded(SEED);
    assert!(hostile.recorded().len() > 100, "only {} frames were recorded", hostile.recorded().len());
    for frame in hostile.recorded() {
        for length in 0..=frame.len() {
            is_answered(&world, &frame[..length]);
        }
    }
}

#[test]
fn endless_headers_are_followed_no_further_than_is_sensible() {
    let world = world();
    let packets = endless_headers(usize::MAX);
    assert!(packets.iter().any(|packet| packet.len() > 65_000), "no packet is as long as can be");
    for packet in packets {
        is_answered(&world, &packet);
        for length in (0..packet.len()).step_by(611) {
            is_answered(&world, &packet[..length]);
        }
    }
}

/// Whether a frame was understood; whatever the answer, it is one that may be given.
fn is_answered(world: &World, frame: &[u8]) -> bool {
    let watched = Watched::over(frame);
    let result = parse(&watched);
    assert_eq!(result, parse(frame));
    assert!(watched.reads() < 32, "{} reads of {frame:02x?}", watched.reads());
    let cause = world.judge(frame);
    if let Err(reason) = result {
        assert_eq!(cause, reason, "{frame:02x?}");
        assert_eq!(cause.action(), Action::Pass, "{frame:02x?} is dropped for {}", cause.name());
    }
    result.is_ok()
}

fn world() -> World {
    World::with_addresses([GUARDED_V4.into(), GUARDED_V6.into()]).listening(22).listening(80)
}
