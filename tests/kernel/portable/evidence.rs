//! The engine keeps the same evidence in the kernel as in user space, and bans the same sources for it.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, Result, ensure};
use scanguard_common::ban::Ban;
use scanguard_common::evidence::{Source, Verdict};
use scanguard_common::incident::Target;
use scanguard_common::key::Address;
use scanguard_common::parse::{Packet, parse};
use scanguard_common::policy::{ClosedPorts, Judgement, Policy, Preset};
use scanguard_common::schema::Rules;
use scanguard_common::time::Seconds;
use scanguard_harness::{Books, Frame, GUARDED_V4, GUARDED_V6, Lab, Traffic, World};

use super::agreement::{Kernel, SEED, frames, now};

/// Each frame costs several looks into the kernel's tables, so fewer are judged than where only the verdict counts.
const ONE_IN: usize = 4;

#[test]
fn host_and_kernel_keep_the_same_records() -> Result<()> {
    let [records, bans] = agree(0x5eed_0005, Preset::Off)?;
    ensure!(records > 10 && bans == 0, "{records} records and {bans} bans prove little");
    Ok(())
}

#[test]
fn host_and_kernel_ban_the_same_sources() -> Result<()> {
    let [_, bans] = agree(0x5eed_0006, Preset::Balanced)?;
    ensure!(bans > 10, "{bans} bans prove little");
    Ok(())
}

#[test]
fn host_and_kernel_recognise_the_same_shared_scan() -> Result<()> {
    const SOURCES: u16 = 200;
    let frames = (0..3 * SOURCES).map(|number| {
        let source =
            Ipv4Addr::from(0xc633_0001 + 0x100 * u32::from(number % 4) + u32::from(number % SOURCES));
        Frame::ipv4(source, GUARDED_V4).tcp(40_000, 1_000 + number).flags("S").build()
    });
    let books = agree_on(frames, Preset::Balanced)?;
    ensure!(books.told() == 1 && books.bans().count() == 0, "{} incidents, and bans", books.told());
    Ok(())
}

/// Gives both the same frames of every kind, and returns how many sources were under observation and banned in the end.
fn agree(seed: u64, preset: Preset) -> Result<[usize; 2]> {
    println!("seed {seed:#x}");
    let mut traffic = Traffic::seeded(seed, [9, 80, 443, 3306, 8080]);
    let books = agree_on((0..frames()? / ONE_IN).map(move |_| traffic.frame()), preset)?;
    Ok([books.sources().count(), books.bans().count()])
}

/// Gives both the same frames, and returns what is known in the end.
fn agree_on(frames: impl Iterator<Item = Vec<u8>> + Send, preset: Preset) -> Result<Books> {
    let lab = Lab::new()?;
    lab.guarded.within(move || {
        let policy = Policy { closed_ports: ClosedPorts::Ingress, ..Policy::default() };
        // The sources are of few networks, and what these are banned for has tests of its own.
        let judgement = Judgement { network_sources: 0, ..preset.judgement() };
        let mut rules = Rules::new(judgement, SEED);
        let mut kernel = Kernel::load_as(policy, Some(rules))?;
        let mut world = World::with_addresses([IpAddr::from(GUARDED_V4), GUARDED_V6.into()])
            .with_closed_ports(ClosedPorts::Ingress);
        let mut books = Books::new(judgement, SEED);
        for (number, frame) in frames.enumerate() {
            let context = || format!("frame {number}: {frame:02x?}");
            // Each is to be judged by itself, and none recalled: see `host recent`.
            rules = rules.renewed();
            kernel.set_rules(rules)?;
            let banned = judge_like(&mut kernel, &world, &mut books, &frame).with_context(context)?;
            if let Some(source) = banned {
                world = world.banning(source);
            }
        }
        kernel.counted_nothing_else()?;
        for (source, record) in books.sources() {
            same(kernel.record("SOURCES", *source)?, Some(*record)).with_context(|| format!("{source:?}"))?;
        }
        for (destination, record) in books.targets() {
            same(kernel.record("TARGETS", *destination)?, Some(*record))
                .with_context(|| format!("{destination:?}"))?;
        }
        Ok(books)
    })
}

/// Demands the model's verdict on a frame, and its record and ban of the source. Returns whom it banned.
fn judge_like(kernel: &mut Kernel, world: &World, books: &mut Books, frame: &[u8]) -> Result<Option<IpAddr>> {
    let before = Seconds::of(now()?);
    let turns_away = |packet: &Packet, cause| books.turns_away(packet, cause, before);
    let reason = kernel.judge_unless(world, frame, turns_away)?;
    let after = Seconds::of(now()?);
    let Ok(packet) = parse(frame) else { return Ok(None) };
    let source = packet.sender();
    let (record, ban): (Option<Source>, Option<Ban>) =
        (kernel.record("SOURCES", source)?, kernel.record("BANNED", source)?);
    let target: Option<Target> = kernel.record("TARGETS", packet.destination)?;
    // Where the second changed meanwhile, nobody knows in which of the two the program judged.
    let mut later = (after != before).then(|| books.clone());
    let mut verdict = books.judge(&packet, &reason, before);
    if let Some(later) = later.as_mut() {
        let theirs = later.judge(&packet, &reason, after);
        let ours =
            (books.known(source).copied(), books.ban(source), books.target(packet.destination).copied());
        // Also when a stranger knocked, which is in his record later.
        if ours != (record, ban, target) || books.at_the_door(source) != kernel.at_the_door(source)? {
            (*books, verdict) = (later.clone(), theirs);
        }
    }
    same(record, books.known(source).copied())?;
    same(ban, books.ban(source))?;
    same(target, books.target(packet.destination).copied())?;
    Ok(matches!(verdict, Some(Verdict::Banned(_))).then(|| written(packet.source)))
}

fn same<T: PartialEq + std::fmt::Debug>(kernel: Option<T>, host: Option<T>) -> Result<()> {
    ensure!(kernel == host, "the kernel has {kernel:?}, the host {host:?}");
    Ok(())
}

fn written(address: Address) -> IpAddr {
    IpAddr::from(address.bytes()).to_canonical()
}
