//! `scanguard replay --kernel`: engine and program judge recorded frames alike, at both doors.

#[path = "../host/replay/file.rs"]
mod file;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use scanguard_harness::{Frame, GUARDED_V4, GUARDED_V6, Lab, OUTSIDE_V4, OUTSIDE_V6};
use serde_json::Value;

use crate::guard::Guard;
use file::{write, written};

/// The variable that names the folder with captures that are too large for the repository.
const CAPTURES: &str = "SCANGUARD_CAPTURES";
const LOCAL: &str = "--local 10.77.0.1 fd77::1 fe80::77:ff:fe00:1";

#[test]
fn the_program_in_the_kernel_agrees_on_the_kept_capture() -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/scans.pcap");
    let policy = format!("--policy {}", file.with_extension("toml").display());
    for choice in ["", "--gateway", &policy] {
        let (_, [alike, unshown, unasked, packets]) = replay(&file, &format!("{LOCAL} {choice}"))?;
        ensure!(
            alike + unasked + unshown == packets,
            "{choice}: {alike} of {packets} alike, {unasked} unasked"
        );
        ensure!(alike > 300 && unshown < 10, "{choice}: {alike} alike, {unshown} not shown");
    }
    Ok(())
}

/// Time is the capture's for the program too, though the kernel's clock goes on as it does: what is remembered for five
/// minutes, for two hours and for a second is, and no longer.
#[test]
fn the_program_in_the_kernel_agrees_on_what_is_remembered_and_for_how_long() -> Result<()> {
    let segment = |from: IpAddr, to: IpAddr, ports: (u16, u16), flags: &str, sequence: u32| {
        Frame::between(from, to).tcp(ports.0, ports.1).flags(flags).seq(sequence).build()
    };
    let mut frames = Vec::new();
    for (out, own) in [(OUTSIDE_V4.into(), GUARDED_V4.into()), (OUTSIDE_V6.into(), GUARDED_V6.into())] {
        let arrives = |port, to, flags, sequence| segment(out, own, (port, to), flags, sequence);
        let leaves = |from, port, flags, sequence| segment(own, out, (from, port), flags, sequence);
        frames.extend([
            (1, arrives(40_000, 80, "S", 7)),
            (1, leaves(80, 40_000, "SA", 9)),
            (1, arrives(40_000, 80, "RA", 8)),
            (1_000, arrives(40_000, 80, "A", 0)), // the connection is gone, but this side spoke in it
            (298_000, arrives(40_001, 80, "S", 7)),
            (1, leaves(80, 40_001, "RA", 0)), // the service too, but not for long
            (2_000, arrives(40_002, 80, "S", 7)),
            (1, leaves(80, 40_002, "RA", 0)),
            (1_000, arrives(40_003, 80, "S", 7)), // it is remembered that it was refused
            (1, leaves(80, 40_003, "RA", 0)),
            (6_000, arrives(40_004, 80, "S", 7)), // and not any more
            (1, leaves(80, 40_004, "RA", 0)),
            (1, Frame::between(out, own).udp(40_000, 53).build()),
            (1, Frame::between(own, out).udp(53, 40_000).build()),
            (7_200_000, arrives(40_000, 80, "A", 0)),
        ]);
        frames.extend((0..50).map(|number| (10, arrives(41_000 + number, 82, "A", 7))));
        frames.extend((0..20).map(|number| (700, arrives(42_000 + number, 82, "A", 7))));
        frames.extend((0..50).map(|number| (10, leaves(83, 43_000 + number, "R", 7))));
    }
    // A scanner is banned, and ten minutes later not any more; what it began before goes on.
    let (out, own) = (IpAddr::from([192, 0, 2, 66]), IpAddr::from(GUARDED_V4));
    frames.extend([(1, segment(out, own, (1, 80), "S", 7)), (1, segment(own, out, (80, 1), "SA", 9))]);
    for port in 100..110 {
        frames.push((1, segment(out, own, (2, port), "S", 7)));
        frames.push((1, segment(own, out, (port, 2), "RA", 0)));
    }
    frames.extend([
        (1, segment(out, own, (1, 80), "A", 8)),
        (1, segment(out, own, (3, 80), "S", 7)),
        (601_000, segment(out, own, (4, 80), "S", 7)),
        (1, segment(own, out, (80, 4), "SA", 9)),
    ]);
    let file = written(&frames);
    let local = format!("--local {GUARDED_V4} {GUARDED_V6}");
    let (told, [alike, unshown, unasked, _]) = replay(file.path(), &local)?;
    ensure!(unshown == 0 && alike + unasked == frames.len() as u64, "{alike} alike, {unshown} not shown");
    for cause in [
        "banned",
        "reset-silenced",
        "unproven-port",
        "udp",
        "in-flow",
        "recent-port",
        "closed-port",
        "ack-probe",
        "stray",
        "stray-flood",
        "stray-silenced",
    ] {
        ensure!(told.contains(&format!("\"{cause}\"")), "there was no {cause} in {told}");
    }
    Ok(())
}

/// All captures of our laboratory, as one: the program is loaded once, and the host has a long day. Once with bans, and
/// once with none, so that what a banned source sent is judged by what it was.
#[test]
fn the_program_in_the_kernel_agrees_on_every_capture_of_the_laboratory() -> Result<()> {
    let folder = env::var_os(CAPTURES).map(|folder| Path::new(&folder).join("lab-pcaps"));
    let Some(folder) = folder.filter(|folder| folder.is_dir()) else {
        println!("skipped: {CAPTURES} names no folder with lab-pcaps");
        return Ok(());
    };
    let mut all = Vec::new();
    for name in ["benign", "scan"] {
        for file in captures(&folder.join(name))? {
            let bytes = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
            let header = if all.is_empty() { 0 } else { 24 };
            all.extend(bytes.get(header..).context("a capture has a header")?);
        }
    }
    let merged = env::temp_dir().join(format!("scanguard-kernel-replay-{}.pcap", std::process::id()));
    fs::write(&merged, all)?;
    let off = write(b"preset = \"off\"");
    let bans_off = format!("{LOCAL} --policy {}", off.path().display());
    let results = [LOCAL, &bans_off].map(|arguments| replay(&merged, arguments));
    fs::remove_file(&merged)?;
    for (result, choice) in results.into_iter().zip(["with bans", "without"]) {
        let (_, [alike, unshown, ..]) = result?;
        println!("{choice}: {alike} frames judged alike, {unshown} not shown");
        ensure!(alike > 10_000 && unshown * 20 < alike, "{alike} alike, {unshown} not shown");
    }
    Ok(())
}

/// What a replay told, with how many frames were judged alike, how many could not be shown to the program, how many would
/// not have been sent, and how many there were.
///
/// Who is banned when the program is told: its own evidence is by the kernel's clock, on which hours pass in seconds.
fn replay(file: &Path, arguments: &str) -> Result<(String, [u64; 4])> {
    let lab = Lab::new()?;
    let line = format!("replay {} {arguments} --kernel --json", file.display());
    let told = Guard::on(&lab.guarded).run(&line)?;
    let capture: Value = serde_json::from_str(told.lines().last().context("nothing was told")?)?;
    let number = |name: &str| {
        capture.get(name).and_then(Value::as_u64).with_context(|| format!("{name} in {capture}"))
    };
    let numbers =
        [number("kernel_alike")?, number("kernel_unshown")?, number("unasked")?, number("packets")?];
    Ok((told, numbers))
}

fn captures(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "pcap"));
    files.sort();
    Ok(files)
}
