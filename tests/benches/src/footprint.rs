//! What scanguard occupies, and how long its commands take.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use aya::Ebpf;
use aya::maps::Map;
use scanguard_harness::{Host, INTERFACE, Lab};

use crate::programs::{Judging, Programs};
use crate::row::{Goal, Row, Section, Unit};

/// How the benchmark is called.
pub const NAME: &str = "footprint";

/// Measures memory once and commands so many times.
///
/// # Errors
///
/// Fails where a command does.
pub fn measure(scanguard: &Path, repetitions: usize) -> Result<Section> {
    let lab = Lab::new()?;
    let host = &lab.guarded;
    let load = || host.within(|| Programs::load(Judging::ByDefault));
    let memory = map_memory(&load()?.ebpf)?;
    let (mut attach, mut stats) = (Vec::new(), Vec::new());
    let (mut maps, mut doors) = (Vec::new(), Vec::new());
    for _ in 0..repetitions {
        let took = load()?.took;
        for (times, time) in [(&mut maps, took.maps), (&mut doors, took.doors)] {
            times.push(time.as_secs_f64() * 1e3);
        }
        attach.push(millis(host, scanguard, ["attach", INTERFACE])?);
        stats.push(millis(host, scanguard, ["stats", INTERFACE])?);
        millis(host, scanguard, ["detach", INTERFACE])?;
    }
    #[expect(clippy::cast_precision_loss, reason = "below 2⁵³ bytes")]
    let mebibytes = memory as f64 / f64::from(1 << 20);
    let rows = vec![
        Row::alone("maps at default size", Unit::Mebibytes, vec![mebibytes], Goal::AtMost(64.0))?,
        Row::alone("`scanguard attach`, until it has ended", Unit::Millis, attach, Goal::AtMost(150.0))?,
        Row::alone("of it: reading the object and making the maps", Unit::Millis, maps, Goal::None)?,
        Row::alone("of it: having both doors verified and translated", Unit::Millis, doors, Goal::None)?,
        Row::alone("`scanguard stats`, until it has ended", Unit::Millis, stats, Goal::AtMost(10.0))?,
    ];
    let about = "Map memory as the kernel accounts it. Commands of a release build, from their start to their end: \
        `attach` makes all maps anew, and protection has begun before it ends; its steps are measured apart from it, and \
        what they leave of it is everything else: asking for interfaces, routes and name servers, pinning, attaching. \
        Each door is verified by a processor of its own where there are two, and the second one is put on meanwhile; the \
        kernel's types, which aya reads in some 20 ms for each new loader, are read while the maps are made, and are no part \
        of either step.";
    Ok(Section { name: NAME, about: about.to_owned(), rows, notes: Vec::new() })
}

fn millis<const N: usize>(host: &Host, program: &Path, words: [&str; N]) -> Result<f64> {
    let mut command = host.command(program);
    command.args(words);
    let start = Instant::now();
    let output = command.output().context("starting scanguard")?;
    let taken = start.elapsed();
    let line = || command.get_args().collect::<Vec<_>>().join(OsStr::new(" "));
    ensure!(output.status.success(), "`scanguard {}` failed: {output:?}", line().display());
    Ok(taken.as_secs_f64() * 1e3)
}

/// The bytes of all maps, as the kernel tells them of each open one.
///
/// # Errors
///
/// Fails where a map is of a kind that is not expected.
pub fn map_memory(ebpf: &Ebpf) -> Result<u64> {
    ebpf.maps().map(|(name, map)| memory(map).with_context(|| format!("the map {name}"))).sum()
}

fn memory(map: &Map) -> Result<u64> {
    let (Map::Array(data)
    | Map::HashMap(data)
    | Map::LpmTrie(data)
    | Map::LruHashMap(data)
    | Map::PerCpuArray(data)
    | Map::RingBuf(data)) = map
    else {
        bail!("of a kind that is not expected: {map:?}");
    };
    memory_of(data.fd().as_fd())
}

/// The bytes of one open map, as the kernel tells them.
///
/// # Errors
///
/// Fails where this is no map.
pub fn memory_of(map: BorrowedFd<'_>) -> Result<u64> {
    let file = format!("/proc/self/fdinfo/{}", map.as_raw_fd());
    let text = fs::read_to_string(&file).with_context(|| format!("reading {file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("memlock:")).context("no memlock line")?;
    Ok(line.trim().parse()?)
}
