//! Segments of no connection from more sources than a host can answer.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Instant;

use anyhow::{Result, ensure};
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use scanguard_common::cause::Cause;
use scanguard_common::stray::{BURST_OF_ALL, REFILL_OF_ALL};
use scanguard_common::time::Nanos;
use scanguard_harness::{Frame, GUARDED_V4, INTERFACE, Injector, Lab};

use crate::guard::Guard;

#[test]
fn of_strays_of_any_number_of_sources_no_more_pass_than_a_host_can_answer() -> Result<()> {
    const SOURCES: u16 = 12_000;
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    // Each processor has a budget, and a frame is received where it was sent.
    let mut here = CpuSet::new();
    here.set(sched_getcpu()?)?;
    sched_setaffinity(Pid::from_raw(0), &here)?;
    let before = guard.counts()?;
    let start = Instant::now();
    for number in 0..SOURCES {
        let [high, low] = number.to_be_bytes();
        let source = Ipv4Addr::new(198, 18, high, low);
        injector.send(&Frame::ipv4(source, GUARDED_V4).tcp(40_000, 9).flags("A").seq(1).build())?;
    }
    let seconds = start.elapsed().as_secs() + 1;
    let after = guard.counts()?;
    let passed = after.packets(Cause::Stray) - before.packets(Cause::Stray);
    println!("{passed} of {SOURCES} passed in {seconds} s");
    let came_back = seconds * (Nanos::SECOND / REFILL_OF_ALL);
    ensure!((BURST_OF_ALL..=BURST_OF_ALL + came_back).contains(&passed), "{passed} passed in {seconds} s");
    let dropped = BTreeMap::from([(Cause::StrayFlood, u64::from(SOURCES) - passed)]);
    let drops: BTreeMap<Cause, u64> =
        after.drops_since(&before).into_iter().map(|(cause, (packets, _))| (cause, packets)).collect();
    ensure!(drops == dropped, "{drops:?}, and not {dropped:?}");
    Ok(())
}
