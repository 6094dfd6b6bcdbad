//! Several processors judge one source at the same time: what they take from each other is within what is stated.

use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::sync::Barrier;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use nix::net::if_::if_nametoindex;
use scanguard_benches::bare::Numbered;
use scanguard_benches::kernel::send;
use scanguard_benches::machine::stay_on;
use scanguard_common::cause::Cause;
use scanguard_common::evidence::Source;
use scanguard_harness::{Frame, GUARDED_V4, INTERFACE, Lab};

use crate::guard::Guard;
use crate::ledger::Ledger;

/// How many processors receive at the same time.
const PROCESSORS: u16 = 2;
/// To how many ports each of them sees a probe, of each source.
const PORTS: u16 = 32_000;
/// How many sources there are, one after the other.
const SOURCES: u8 = 8;

#[test]
fn of_contacts_that_two_processors_judge_at_once_as_many_are_counted_as_is_stated() -> Result<()> {
    let lab = Lab::with_queues(PROCESSORS.into())?;
    let _guard = Guard::attached(&lab.guarded)?;
    let ledger = Ledger::of(&lab.guarded);
    let (mut judged, mut counted) = ([0; PROCESSORS as usize], 0);
    for number in 0..SOURCES {
        let source = Ipv4Addr::new(10, 77, 0, 100 + number);
        let before = by_each(&ledger)?;
        scan(&lab, source)?;
        for (sum, (now, before)) in judged.iter_mut().zip(by_each(&ledger)?.into_iter().zip(before)) {
            *sum += now - before;
        }
        let record = ledger.source(source.into())?;
        let [_, failed, _] = record.as_ref().map(Source::contacts).context("it has no record")?;
        counted += u64::from(failed);
    }
    let all: u64 = judged.iter().sum();
    let lost = all.saturating_sub(counted) as f64 / all as f64;
    println!("{judged:?} contacts by each processor, {counted} counted: {:.2} % lost", lost * 100.0);
    ensure!(judged.iter().all(|share| share * 4 > all), "one processor did all the work: {judged:?}");
    ensure!(counted <= all, "more were counted than there were");
    ensure!(
        counted * u64::from(PROCESSORS) >= all,
        "{counted} of {all} were counted, by {PROCESSORS} processors"
    );
    Ok(())
}

/// Has every processor send probes to ports of its own at the same time, from one source.
fn scan(lab: &Lab, source: Ipv4Addr) -> Result<()> {
    let frame = Frame::ipv4(source, GUARDED_V4).tcp(40_000, 1).flags("FPU").build();
    let start = Barrier::new(PROCESSORS.into());
    let send_from = &|processor: u16| {
        lab.outside.within(|| {
            let first = 1 + processor;
            let prepared = stay_on(processor.into())
                .and_then(|()| Numbered::ports(if_nametoindex(INTERFACE)?, first, PROCESSORS));
            start.wait();
            send(prepared?.as_fd(), &frame, PORTS.into())
        })
    };
    thread::scope(|scope| {
        let senders: Vec<_> =
            (0..PROCESSORS).map(|processor| scope.spawn(move || send_from(processor))).collect();
        senders.into_iter().try_for_each(|sender| sender.join().map_err(|_| anyhow!("a sender panicked"))?)
    })
}

/// How many probes each of the first processors has judged.
fn by_each(ledger: &Ledger<'_>) -> Result<[u64; PROCESSORS as usize]> {
    let counts = ledger.judged_by_each(Cause::TcpXmas)?;
    counts.first_chunk().copied().context("not as many processors as it takes")
}
