//! Noise, mutilated frames and endless headers get from the program in the kernel the answer that the engine gives on
//! the host: it is counted once, and the program never aborts.

use anyhow::{Context, Result, ensure};
use scanguard_common::cause::{Action, Cause};
use scanguard_harness::{Hostile, Lab, endless_headers};

use super::agreement::{Kernel, Sockets, frames};

const SEED: u64 = 0x5eed_0005;

/// More than any frame, and than an IPv6 packet can say that it has.
const LARGEST: usize = 64 << 10;
/// What every kernel takes, in one part.
const SURELY: usize = 3_000;

#[test]
fn host_and_kernel_agree_on_hostile_frames() -> Result<()> {
    println!("seed {SEED:#x}");
    let lab = Lab::new()?;
    let sockets = Sockets::open(&lab)?;
    let world = sockets.world();
    lab.guarded.within(move || {
        let mut kernel = Kernel::load()?;
        let mut hostile = Hostile::seeded(SEED);
        let recorded = hostile.recorded().to_vec();
        let written = (0..frames()?).map(|_| hostile.frame());
        for (number, frame) in recorded.into_iter().chain(written).enumerate() {
            kernel.judge_like(&world, &frame).with_context(|| format!("frame {number}: {frame:02x?}"))?;
        }
        kernel.counted_nothing_else()
    })
}

#[test]
fn host_and_kernel_agree_on_frames_as_long_as_the_kernel_shows_them() -> Result<()> {
    let lab = Lab::new()?;
    let sockets = Sockets::open(&lab)?;
    let world = sockets.world();
    lab.guarded.within(move || {
        let mut kernel = Kernel::load()?;
        let longest = longest(&kernel, |kernel, length| is_seen_whole(kernel, length).unwrap_or(false))?;
        println!("the program sees frames of {longest} bytes whole");
        let mut asked = 0;
        for headers in endless_headers(longest - HEADERS) {
            for length in [headers.len(), headers.len() - 1, headers.len() / 2] {
                let frame = headers.get(..length).context("a shorter one")?;
                let told = || format!("{length} bytes: {:02x?} …", frame.get(..80));
                kernel.judge_like(&world, frame).with_context(told)?;
                asked += 1;
            }
        }
        ensure!(asked > 100, "only {asked} frames");
        Ok(())
    })
}

/// Newer kernels hand over frames in several parts, of which a program that does not ask for more sees the first.
#[test]
fn frames_in_several_parts_get_an_answer() -> Result<()> {
    let lab = Lab::new()?;
    lab.guarded.within(|| {
        let kernel = Kernel::load()?;
        let longest = longest(&kernel, |kernel, length| kernel.run(&vec![0; length]).is_ok())?;
        println!("the kernel takes frames of {longest} bytes");
        for headers in endless_headers(longest - HEADERS) {
            let action = kernel.run(&headers).with_context(|| format!("{} bytes", headers.len()))?;
            let is_seen_whole = is_seen_whole(&kernel, headers.len())?;
            ensure!(action == Action::Pass || is_seen_whole, "{:02x?} … is dropped", headers.get(..80));
        }
        Ok(())
    })
}

/// Ethernet and IPv6.
const HEADERS: usize = 54;

/// The greatest length for which something holds, from what surely does to what surely does not.
fn longest(kernel: &Kernel, holds: impl Fn(&Kernel, usize) -> bool) -> Result<usize> {
    ensure!(holds(kernel, SURELY), "not even with {SURELY} bytes");
    let (mut good, mut bad) = (SURELY, LARGEST);
    while bad - good > 1 {
        let between = good.midpoint(bad);
        if holds(kernel, between) { good = between } else { bad = between }
    }
    Ok(good)
}

/// Whether the program sees all of a frame of this length, which the kernel may refuse or cut into parts.
fn is_seen_whole(kernel: &Kernel, length: usize) -> Result<bool> {
    let (_, before) = kernel.counted(Cause::NotIp)?;
    kernel.run(&vec![0; length])?;
    let (_, after) = kernel.counted(Cause::NotIp)?;
    Ok(after - before == length as u64)
}
