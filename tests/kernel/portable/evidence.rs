//! The engine keeps the same evidence in the kernel as in user space, and bans the same sources for it.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use scanguard_common::ban::Ban;
use scanguard_common::evidence::{Source, Verdict};
use scanguard_common::key::Address;
use scanguard_common::parse::parse;
use scanguard_common::policy::{ClosedPorts, Policy, Preset};
use scanguard_common::schema::Rules;
use scanguard_common::time::Seconds;
use scanguard_harness::{Books, GUARDED_V4, GUARDED_V6, Lab, Traffic, World};

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

/// Gives both the same frames, and returns how many sources were under observation and banned in the end.
fn agree(seed: u64, preset: Preset) -> Result<[usize; 2]> {
    println!("seed {seed:#x}");
    let lab = Lab::new()?;
    let mut traffic = Traffic::seeded(seed, [9, 80, 443, 3306, 8080]);
    lab.guarded.within(move || {
        let policy = Policy { closed_ports: ClosedPorts::Ingress, ..Policy::default() };
        let mut rules = Rules::new(preset.judgement(), SEED);
        let mut kernel = Kernel::load_as(policy, Some(rules))?;
        let mut world = World::with_addresses([IpAddr::from(GUARDED_V4), GUARDED_V6.into()])
            .with_closed_ports(ClosedPorts::Ingress);
        let mut books = Books::new(preset.judgement(), SEED);
        for number in 0..frames()? / ONE_IN {
            let frame = traffic.frame();
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
        Ok([books.sources().count(), books.bans().count()])
    })
}

/// Demands the model's verdict on a frame, and its record and ban of the source. Returns whom it banned.
fn judge_like(kernel: &mut Kernel, world: &World, books: &mut Books, frame: &[u8]) -> Result<Option<IpAddr>> {
    let cause = world.judge(frame);
    let before = Seconds::of(now()?);
    kernel.judge_like(world, frame)?;
    let after = Seconds::of(now()?);
    let Ok(packet) = parse(frame) else { return Ok(None) };
    let source = packet.sender();
    let (record, ban): (Option<Source>, Option<Ban>) =
        (kernel.record("SOURCES", source)?, kernel.record("BANNED", source)?);
    // Where the second changed meanwhile, nobody knows in which of the two the program judged.
    let mut later = (after != before).then(|| books.clone());
    let mut verdict = books.judge(&packet, cause, before);
    if let Some(later) = later.as_mut() {
        let theirs = later.judge(&packet, cause, after);
        if books.known(source).copied() != record || books.ban(source) != ban {
            (*books, verdict) = (later.clone(), theirs);
        }
    }
    same(record, books.known(source).copied())?;
    same(ban, books.ban(source))?;
    Ok(matches!(verdict, Some(Verdict::Banned(_))).then(|| written(packet.source)))
}

fn same<T: PartialEq + std::fmt::Debug>(kernel: Option<T>, host: Option<T>) -> Result<()> {
    ensure!(kernel == host, "the kernel has {kernel:?}, the host {host:?}");
    Ok(())
}

fn written(address: Address) -> IpAddr {
    IpAddr::from(address.bytes()).to_canonical()
}
