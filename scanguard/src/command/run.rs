//! `scanguard run`: protection as long as the command lasts, and what it does.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;
use aya_log::EbpfLogger;
use scanguard_common::cause::Action;
use tokio::io::unix::AsyncFd;
use tokio::time::{Interval, interval};

use super::attach;
use super::events::Names;
use crate::error::Error;
use crate::events::Events;
use crate::guard::{self, Attached};
use crate::guarded::{Guarded, survey};
use crate::health::warning;
use crate::interface::Interfaces;
use crate::log;
use crate::maps::Maps;
use crate::output::{Output, Printable};
use crate::peers;
use crate::pin::Pins;
use crate::redirected;
use crate::spared;
use crate::stats::Stats;
use crate::stop::Stop;

/// Guard interfaces until Ctrl-C, and show what is dropped
///
/// Each event is one line, and the counters follow once a second where something was dropped. At the end exactly
/// those interfaces are detached that this command attached. If the process is killed (kill -9), protection stays:
/// `scanguard detach` ends it. With -v the program's own messages are shown too.
#[derive(Debug, clap::Args)]
#[group(skip)] // clap names a group after the type, and that of the arguments below has the same name
pub(crate) struct Args {
    #[command(flatten)]
    attach: attach::Args,
}

impl Args {
    pub(crate) async fn run(
        &self,
        verbose: u8,
        output: &mut Output<'_>,
        stop: &mut Stop,
    ) -> anyhow::Result<()> {
        let chosen = self.attach.chosen().await?;
        let request = self.attach.request(&chosen, log::kernel_level(verbose));
        let mut attached = guard::attach(&request, output).await?;
        // At whatever point of a question to the kernel the wish comes, it counts: nothing is half done there.
        let watched = tokio::select! {
            () = stop.asked() => Ok(()),
            ended = watch(&mut attached, verbose, output) => ended,
        };
        let detached = guard::detach_own(&attached).await;
        watched.and(detached)
    }
}

/// Shows what happens as long as anything is left of what this command guards.
async fn watch(attached: &mut [Attached], verbose: u8, output: &mut Output<'_>) -> anyhow::Result<()> {
    for own in attached.iter_mut() {
        output.word(format_args!("{}: guarded, in {} mode, until Ctrl-C", own.name, own.mode.name()));
        if verbose > 0 {
            show_messages(own)?;
        }
    }
    let pins = Pins::ours();
    let mut events = events(&pins, output)?;
    let mut names = Names::read(&pins).await?;
    let mut warnings = Warnings::default();
    let mut summary = Summary::default();
    let mut dependence = spared::Watch::begin()?;
    let mut passed: u32 = 0;
    let mut ticks: Interval = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                tell_of_redirections(&pins, output).await?;
                let guarded = own_of(&pins, attached).await?;
                if guarded.iter().all(Guarded::is_stale) {
                    output.word("nothing is left of what this command guarded: it was detached or deleted");
                    return Ok(());
                }
                names = Names::read(&pins).await?;
                let maps = Maps::open(&pins)?;
                dependence.follow(&pins).await?;
                if passed.is_multiple_of(PEERS_EACH) {
                    peers::refresh(&mut Maps::open(&pins)?)?;
                }
                passed = passed.wrapping_add(1);
                warnings.tell(&guarded, &maps, &pins, output).await?;
                summary.tell(&Stats::read(&maps, &guarded)?, output)?;
            }
            event = next(&mut events) => names.tell(&event?, false, output)?,
        }
    }
}

/// How often the kernel is asked for connections that are idle, in seconds: more often than the programs forget them.
const PEERS_EACH: u32 = 3_600;

/// The events, unless another process reads them already.
fn events(pins: &Pins, output: &mut Output<'_>) -> anyhow::Result<Option<Events>> {
    match Events::open(pins) {
        Ok(events) => Ok(Some(events)),
        Err(error) if matches!(error.downcast_ref(), Some(Error::EventsTaken { .. })) => {
            output.word(format_args!("only counters are shown: {error:#}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn next(events: &mut Option<Events>) -> std::io::Result<scanguard_common::event::Event> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

/// Keeps it current whether ports may be redirected, and says so where it has changed.
async fn tell_of_redirections(pins: &Pins, output: &mut Output<'_>) -> anyhow::Result<()> {
    if !pins.exist()? {
        return Ok(());
    }
    for (name, redirected) in redirected::renew(pins).await? {
        let found =
            if redirected { "ports may be redirected from now on" } else { "no port is redirected any more" };
        output.word(format_args!("{name}: {found}: see `scanguard status`"));
    }
    Ok(())
}

/// What is left of what this process guarded.
async fn own_of(pins: &Pins, attached: &[Attached]) -> anyhow::Result<Vec<Guarded>> {
    if !pins.exist()? {
        return Ok(Vec::new());
    }
    let guarded = survey(pins, &Interfaces::read().await?)?;
    Ok(guarded.into_iter().filter(|entry| attached.iter().any(|own| own.is(entry))).collect())
}

/// Passes the program's own messages on to the log.
fn show_messages(own: &mut Attached) -> anyhow::Result<()> {
    let logger = EbpfLogger::init(&mut own.ebpf).context("opening the program's own messages")?;
    // SAFETY: the logger owns its descriptor: one and the same, open as long as the logger is there.
    let mut logger = unsafe { AsyncFd::register(logger) }.context("watching the program's own messages")?;
    tokio::spawn(async move {
        while let Ok(mut ready) = logger.readable_mut().await {
            ready.get_inner_mut().flush();
            ready.clear_ready();
        }
    });
    Ok(())
}

/// What is wrong with what is guarded, told when it begins.
#[derive(Default)]
struct Warnings(HashMap<u32, Option<String>>);

impl Warnings {
    async fn tell(
        &mut self,
        guarded: &[Guarded],
        maps: &Maps,
        pins: &Pins,
        output: &mut Output<'_>,
    ) -> anyhow::Result<()> {
        for entry in guarded {
            let now = warning(entry, maps, pins).await?;
            if let (Some(warning), true) = (&now, self.0.get(&entry.slot.number()) != Some(&now)) {
                output.word(format_args!("{}: {warning}", entry.label()));
            }
            self.0.insert(entry.slot.number(), now);
        }
        Ok(())
    }
}

/// The line that tells of the counters.
///
/// It is written where something was dropped, not where something passed: over ssh, each line is a packet that
/// passes, and would make the next.
#[derive(Default)]
struct Summary {
    dropped: HashMap<String, u64>,
}

impl Summary {
    fn tell(&mut self, stats: &Stats, output: &mut Output<'_>) -> anyhow::Result<()> {
        for interface in &stats.interfaces {
            let (dropped, passed) = (interface.total(Action::Drop), interface.total(Action::Pass));
            let before = self.dropped.insert(interface.name.clone(), dropped.packets()).unwrap_or_default();
            let new = dropped.packets().saturating_sub(before);
            if new > 0 {
                let name = Printable(&interface.name);
                let (dropped, passed) = (dropped.packets(), passed.packets());
                writeln!(output.data, "{name}: dropped {dropped} (+{new}), passed {passed}")?;
            }
        }
        Ok(output.data.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use scanguard_common::cause::Cause;
    use scanguard_common::count::{Notes, Tally};

    use super::*;
    use crate::stats::InterfaceStats;

    #[test]
    fn a_line_is_written_only_where_something_was_dropped_since() {
        let stats = |dropped: u64, passed: u64| {
            let tally = |packets| (0..packets).fold(Tally::default(), |sum, _| sum.plus(60));
            let tallies = vec![(Cause::TcpNull, tally(dropped)), (Cause::InConnection, tally(passed))];
            let interfaces = vec![InterfaceStats { name: "eth0".into(), tallies, told_of: 0 }];
            Stats { interfaces, notes: Notes::default() }
        };
        let (mut data, mut words) = (Vec::new(), Vec::new());
        let mut output = Output { data: &mut data, words: &mut words, is_terminal: false };
        let mut summary = Summary::default();
        for counted in [stats(0, 5), stats(3, 6), stats(3, 9), stats(4, 9)] {
            summary.tell(&counted, &mut output).expect("memory takes everything");
        }
        let expected = "eth0: dropped 3 (+3), passed 6\neth0: dropped 4 (+1), passed 9\n";
        assert_eq!(String::from_utf8_lossy(&data), expected);
    }
}
