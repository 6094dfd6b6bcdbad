//! Ten million forged sources with one packet each.

use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use nix::net::if_::if_nametoindex;
use nix::sys::signal::Signal;
use scanguard_benches::bare::Numbered;
use scanguard_benches::kernel::send;
use scanguard_common::cause::Cause;
use scanguard_common::evidence::{ONE_IN, Source};
use scanguard_common::policy::Preset;
use scanguard_harness::{Frame, GUARDED_V4, INTERFACE, Injector, Lab, OUTSIDE_V4, Service};
use serde_json::Value;

use super::PUBLISHED;
use crate::guard::{Counts, Guard};
use crate::ledger::Ledger;

/// How many sources are forged.
const FLOOD: u64 = 10_000_000;

/// What all maps together may take.
const STATED: u64 = 64 << 20;

#[test]
fn a_flood_of_ten_million_forged_sources_is_told_and_harms_nobody() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    let _service = Service::http(&lab.guarded, PUBLISHED)?;
    // So that the refusals that leave have somewhere to go, and the kernel asks nobody for millions of neighbours.
    lab.guarded.ip(&format!("route add default via {OUTSIDE_V4}"))?;
    let ledger = Ledger::of(&lab.guarded);
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let [banned, scanner] = [66, 67].map(|number| Ipv4Addr::new(10, 77, 0, number));
    let told = u16::try_from(Preset::default().judgement().closed_ports())?;
    let knock = |source, ports: std::ops::Range<u16>| {
        ports.into_iter().try_for_each(|port| {
            injector
                .send(&Frame::ipv4(source, GUARDED_V4).tcp(40_000, port).flags("S").linux_options().build())
        })
    };
    for source in [banned, scanner] {
        lab.add_source(source.into())?;
    }
    knock(banned, 1..1 + told)?;
    knock(scanner, 1..told)?;
    ledger.ban_comes(banned.into())?;
    let known = || Ok::<_, anyhow::Error>((ledger.bans()?, contacts(&ledger, scanner)?, ledger.memory()?));
    let (before, [records, _]) = (known()?, ledger.sizes()?);
    let reader = guard.spawn("events --json")?;

    let began = Instant::now();
    let pages = flood(&lab, &guard)?;
    let seconds = began.elapsed().as_secs_f64();
    reader.wait_for_stdout("\"crowded\"", Duration::from_secs(20)).context("the event of a crowd")?;
    reader.signal(Signal::SIGTERM)?;
    drop(reader);

    let (after, [now, bans], crowded) = (known()?, ledger.sizes()?, noted(&guard, "crowded")?);
    let memory: u64 = after.2.values().sum();
    println!(
        "{FLOOD} forged sources in {seconds:.1} s, and {pages} pages meanwhile: {crowded} pushed out others, {now} records, \
         {bans} bans, {memory} bytes of maps"
    );
    ensure!(crowded > FLOOD / 2, "only {crowded} were pushed out");
    // Who is turned away counts in no incident either.
    let [attempts, _] = ledger.attempts_at(GUARDED_V4)?;
    println!("{attempts} attempts were looked at");
    let one_in = FLOOD / u64::from(ONE_IN);
    ensure!((one_in / 2..one_in * 2).contains(&attempts.into()), "{attempts} attempts were looked at");
    ensure!(before == after, "{before:?} became {after:?}");
    ensure!(memory <= STATED, "the maps take {memory} bytes: {:?}", after.2);
    // The doorkeeper tells one from another by 31 bits: of ten million, some few may be taken for their predecessors.
    ensure!(now <= records + 3, "{records} records became {now}");
    knock(scanner, told..1 + told)?;
    ledger.ban_comes(scanner.into()).context("the scan in progress is cut off as always")?;
    Ok(())
}

/// Sends SYNs until ten million of them were judged, and gets pages over new connections all the while: how many.
fn flood(lab: &Lab, guard: &Guard<'_>) -> Result<u32> {
    /// A closed port.
    const PORT: u16 = 7;
    const AT_ONCE: u32 = 1 << 18;
    let frame = Frame::ipv4(Ipv4Addr::UNSPECIFIED, GUARDED_V4).tcp(40_000, PORT).flags("S").build();
    let before = judged(&guard.counts()?);
    let is_over = AtomicBool::new(false);
    let send_all = || {
        let source = lab.outside.within(|| Numbered::sources(if_nametoindex(INTERFACE)?, &frame))?;
        let mut sent = 0;
        // What finds the cable full is lost, and does not count.
        while sent < FLOOD || judged(&guard.counts()?) - before < FLOOD {
            ensure!(sent < Numbered::SOURCES.into(), "{sent} were sent and no ten million of them arrived");
            lab.outside.within(|| send(source.as_fd(), &frame, AT_ONCE))?;
            sent += u64::from(AT_ONCE);
        }
        Ok(sent)
    };
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let sent = send_all();
            is_over.store(true, Ordering::Relaxed);
            sent
        });
        let (mut pages, mut failure) = (0, None);
        while !is_over.load(Ordering::Relaxed) && failure.is_none() {
            let page = format!("http://{GUARDED_V4}:{PUBLISHED}/1000");
            match lab.outside.run("curl", ["-sS", "-m", "30", &page]) {
                Ok(_) => pages += 1,
                Err(error) => failure = Some(error.context("a new connection amid the flood")),
            }
        }
        let sent = sender.join().map_err(|_| anyhow!("the thread that sends panicked"))??;
        println!("{sent} were sent");
        failure.map_or(Ok(pages), Err)
    })
}

/// How many SYNs to closed ports were judged.
fn judged(counts: &Counts) -> u64 {
    counts.packets(Cause::UnprovenPort) + counts.packets(Cause::ClosedPort)
}

fn contacts(ledger: &Ledger<'_>, source: Ipv4Addr) -> Result<[u16; 3]> {
    ledger.source(source.into())?.as_ref().map(Source::contacts).context("it has no record")
}

/// How often something happened to sources, as the statistics tell.
pub(super) fn noted(guard: &Guard<'_>, what: &str) -> Result<u64> {
    let lines = guard.run("stats --json")?;
    let lines = lines.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    lines.iter().find_map(|line| line[what].as_u64()).with_context(|| format!("no line tells of {what}"))
}
