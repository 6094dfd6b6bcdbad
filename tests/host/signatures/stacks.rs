//! SYNs as the stacks of most clients write them: no tool's is among them.

use std::path::Path;

use anyhow::{Result, ensure};
use scanguard_common::recent::{Door, Look, glance};
use scanguard_common::schema::InterfaceSlot;
use scanguard_harness::{Ip, Random};

use super::capture::{captures, frames};
use super::openings::{BSD, LINUX, WINDOWS, syn};
use super::tools::FOLDER;
use super::{fragmentable, mark, v6, whole};

const SEED: u64 = 0x5eed_0017;

/// Whether the frame is taken for one that a stack wrote.
fn is_a_stacks(frame: &[u8]) -> bool {
    let slot = InterfaceSlot::new(0).expect("the first slot");
    let seen = glance(frame, Door::Incoming, slot, &Look);
    seen.is_some_and(|glance| glance.is_as_stacks_write(frame) && glance.greeting().is_some())
}

#[test]
fn linux_windows_and_apple_are_known() {
    for ip in [whole, v6, || whole().vlan(7)] {
        for options in [LINUX.as_slice(), &WINDOWS, &BSD] {
            for window in [8_192, 29_200, 64_240, 65_535] {
                for flags in ["S", "SEC", "SECN"] {
                    let frame = syn(ip(), window, options).flags(flags).build();
                    assert!(is_a_stacks(&frame), "{frame:02x?}");
                }
            }
        }
    }
}

#[test]
fn whoever_deviates_is_not() {
    let linux = |ip: Ip| syn(ip, 64_240, &LINUX);
    for frame in [
        linux(fragmentable()).build(),
        linux(whole()).ack(1).build(),
        linux(whole()).urgent(1).build(),
        syn(whole(), 8_191, &LINUX).build(),
        syn(whole(), 64_240, &[]).build(),
        syn(whole(), 64_240, &LINUX[..4]).build(),
    ] {
        assert!(!is_a_stacks(&frame), "{frame:02x?}");
    }
    // Kinds, lengths, and the time that is echoed; the rest is for each system to choose.
    for (options, fixed) in [
        (LINUX.as_slice(), [0, 1, 4, 5, 6, 7, 12, 13, 14, 15, 16, 17, 18].as_slice()),
        (&WINDOWS, &[0, 1, 4, 5, 6, 8, 9, 10, 11]),
        (&BSD, &[0, 1, 4, 5, 6, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23]),
    ] {
        for at in 0..options.len() {
            let mut other = options.to_vec();
            other[at] ^= 0x10;
            let frame = syn(whole(), 64_240, &other).build();
            assert_eq!(is_a_stacks(&frame), !fixed.contains(&at), "byte {at}: {other:?}");
        }
    }
}

#[test]
fn no_tool_is_taken_for_a_stack() -> Result<()> {
    let mut files = 0;
    for path in captures(Path::new(FOLDER))? {
        files += 1;
        for (_, frame) in frames(&path)? {
            ensure!(!is_a_stacks(&frame), "{}: {frame:02x?}", path.display());
        }
    }
    ensure!(files > 30, "{files} captures prove little");
    Ok(())
}

#[test]
fn who_is_taken_for_a_stack_bears_no_mark() {
    let mut random = Random::seeded(SEED);
    let mut taken = 0;
    for _ in 0..200_000 {
        let mut options = random.pick(&[LINUX.as_slice(), &WINDOWS, &BSD]).to_vec();
        let at = random.below(options.len());
        options[at] = random.byte();
        let ip = [whole, v6, fragmentable][random.below(3)]();
        let window = if random.once_in(2) { random.short() } else { 64_240 };
        let frame = syn(ip, window, &options).seq(u32::from(random.short()) << 16).build();
        if is_a_stacks(&frame) {
            taken += 1;
            assert_eq!(mark(&frame), None, "{frame:02x?}");
        }
    }
    assert!(taken > 10_000, "{taken} frames prove little");
}
