//! Drops are told of as they happen: a source and cause once a second on each processor, and what cannot be told is counted.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::thread::{available_parallelism, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use scanguard_harness::{Frame, GUARDED_V4, INTERFACE, Injector, Lab, OUTSIDE_V4};
use serde_json::Value;

use crate::guard::Guard;

const LIMIT: Duration = Duration::from_secs(60);
/// Longer than a source waits to be told of again.
const MORE_THAN_A_SECOND: Duration = Duration::from_millis(1200);

#[test]
fn a_drop_is_told_once_a_second_and_the_others_are_folded_into_the_next() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    stay_on_this_processor()?;
    let null = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).tcp(40_000, 81).flags("").seq(7).window(9).build();
    let xmas = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).tcp(40_000, 82).flags("FPU").build();

    let mut reader = guard.spawn("events --json --count 3")?;
    for _ in 0..5 {
        injector.send(&null)?;
    }
    reader.wait_for_stdout("tcp-null", LIMIT)?;
    injector.send(&xmas)?; // another cause has a second of its own
    reader.wait_for_stdout("tcp-xmas", LIMIT)?;
    sleep(MORE_THAN_A_SECOND);
    injector.send(&null)?;

    let output = reader.wait(LIMIT)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let events = parsed(&String::from_utf8_lossy(&output.stdout))?;
    let told: Vec<(&str, u64)> = events
        .iter()
        .map(|event| Some((event["cause"].as_str()?, event["folded"].as_u64()?)))
        .collect::<Option<_>>()
        .context("an event without cause or folded")?;
    ensure!(told == [("tcp-null", 0), ("tcp-xmas", 0), ("tcp-null", 4)], "{told:?}");
    let first = events.first().context("there are three")?;
    let expected = [
        ("interface", INTERFACE.into()),
        ("source", OUTSIDE_V4.to_string().into()),
        ("source_port", 40_000.into()),
        ("destination", GUARDED_V4.to_string().into()),
        ("destination_port", 81.into()),
        ("flags", "".into()),
        ("sequence", 7.into()),
        ("window", 9.into()),
    ];
    for (field, value) in expected {
        let value: Value = value;
        ensure!(first[field] == value, "{field} is {}, not {value}", first[field]);
    }
    Ok(())
}

#[test]
fn what_nobody_reads_is_counted_as_lost_and_counters_stay_exact() -> Result<()> {
    const ROUNDS: u64 = 5;
    const SOURCES: u16 = 8_000;
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let start = Instant::now();
    for _ in 0..ROUNDS {
        for source in 0..SOURCES {
            let [high, low] = source.to_be_bytes();
            let source = Ipv4Addr::new(198, 18, high, low);
            injector.send(&Frame::ipv4(source, GUARDED_V4).tcp(40_000, 81).flags("").build())?;
        }
        sleep(MORE_THAN_A_SECOND);
    }
    let lines = parsed(&guard.run("stats --json")?)?;
    let events = lines.iter().find(|line| line["kind"] == "events").context("no line of events")?;
    let counts: BTreeMap<&str, u64> = ["told", "folded", "lost"]
        .into_iter()
        .filter_map(|name| Some((name, events[name].as_u64()?)))
        .collect();
    let dropped = guard.counts()?.dropped();
    ensure!(dropped == ROUNDS * u64::from(SOURCES), "{dropped} packets were dropped");
    // So many sources are a crowd, which each processor tells of once a second.
    let crowds = counts.values().sum::<u64>().checked_sub(dropped);
    let at_most = (start.elapsed().as_secs() + 1) * available_parallelism()?.get() as u64;
    ensure!(crowds.is_some_and(|crowds| crowds <= at_most), "{counts:?} of {dropped} drops");
    ensure!(counts.get("lost").is_some_and(|lost| *lost > 0), "nothing was lost: {counts:?}");
    Ok(())
}

/// Each processor tells and folds by itself, and a frame is received where it was sent.
fn stay_on_this_processor() -> Result<()> {
    let mut here = CpuSet::new();
    here.set(sched_getcpu()?)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &here)?)
}

fn parsed(lines: &str) -> Result<Vec<Value>> {
    lines.lines().map(|line| serde_json::from_str(line).with_context(|| format!("reading {line}"))).collect()
}
