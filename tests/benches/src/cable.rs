//! The cable of the lab as a line that can be loaded fully: one processor sends, another receives.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::ops::AddAssign;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::unistd::Pid;
use scanguard_harness::{INTERFACE, Injector, Lab};

use crate::bare::sends_to;
use crate::kernel::send;
use crate::machine;

/// The lab, whose guarded end receives by a thread of its own.
#[derive(Debug)]
pub(crate) struct Cable {
    pub(crate) lab: Lab,
}

impl Cable {
    /// Builds the lab. Receiving by a thread, the guarded end's work is done on its own processor, and not on that of
    /// whoever sends.
    pub(crate) fn lay() -> Result<Cable> {
        let cable = Cable { lab: Lab::new()? };
        // The switch stays as it is set, but can be set only while there is something to switch.
        cable.merge(true)?;
        cable.lab.guarded.within(|| {
            let switch = format!("/sys/class/net/{INTERFACE}/threaded");
            fs::write(&switch, "1").with_context(|| format!("writing 1 to {switch}"))
        })?;
        cable.merge(false)?;
        Ok(cable)
    }

    /// Lets the guarded end receive frames that were redirected, which it does only by this or by an XDP program.
    pub(crate) fn merge(&self, merges: bool) -> Result<()> {
        let switch = if merges { "on" } else { "off" };
        self.lab.guarded.run("ethtool", ["-K", INTERFACE, "gro", switch])?;
        Ok(())
    }

    /// Does what makes the guarded end receive by a thread, and keeps that on its processor.
    pub(crate) fn receive<T>(&self, by: impl FnOnce() -> Result<T>) -> Result<Receiver<T>> {
        let before = receivers()?;
        let attached = by()?;
        let new: Vec<i32> = receivers()?.difference(&before).copied().collect();
        let [thread] = new.as_slice() else { bail!("{} new threads receive, not one", new.len()) };
        machine::keep(Pid::from_raw(*thread), machine::RECEIVER)?;
        Ok(Receiver { _attached: attached, thread: *thread })
    }

    /// How many frames the guarded end has taken from the cable.
    pub(crate) fn received(&self) -> Result<u64> {
        let file = format!("/sys/class/net/{INTERFACE}/statistics/rx_packets");
        let text = self.lab.guarded.within(|| fs::read_to_string(&file));
        Ok(text.with_context(|| format!("reading {file}"))?.trim().parse()?)
    }

    /// What both ends of the cable have counted, for whoever has to find out why nothing arrives.
    fn counts(&self) -> Result<String> {
        let hosts = [("guarded", &self.lab.guarded), ("outside", &self.lab.outside)];
        let counts = hosts.map(|(name, host)| {
            let said = host.run("ethtool", ["--statistics", INTERFACE])?;
            let lines = said.lines().map(str::trim).filter(|line| !line.ends_with(": 0"));
            Ok(format!("{name}: {}", lines.collect::<Vec<_>>().join(", ")))
        });
        Ok(counts.into_iter().collect::<Result<Vec<_>>>()?.join("; "))
    }

    /// How many segments got as far as the guarded host's TCP.
    pub(crate) fn segments(&self) -> Result<u64> {
        let text = self.lab.guarded.within(|| fs::read_to_string("/proc/thread-self/net/snmp"))?;
        counted(&text, "Tcp", "InSegs")
    }
}

/// What the kernel has counted by this name: each group has a line of names and then one of values.
pub(crate) fn counted(text: &str, group: &str, name: &str) -> Result<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(group)?.strip_prefix(": "));
    let (names, values) = lines.next().zip(lines.next()).with_context(|| format!("no {group} is counted"))?;
    let mut fields = names.split(' ').zip(values.split(' '));
    let (_, value) =
        fields.find(|(field, _)| *field == name).with_context(|| format!("no {name} is counted"))?;
    Ok(value.parse()?)
}

/// The threads by which interfaces of this name receive, in any namespace.
fn receivers() -> Result<BTreeSet<i32>> {
    let prefix = format!("napi/{INTERFACE}-");
    let processes = fs::read_dir("/proc").context("listing /proc")?;
    let processes = processes.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let number = |process: PathBuf| {
        let name = fs::read_to_string(process.join("comm")).ok()?;
        name.starts_with(&prefix).then(|| process.file_name()?.to_str()?.parse().ok())?
    };
    Ok(processes.filter_map(number).collect())
}

/// What makes the guarded end receive, and the thread by which it does.
#[derive(Debug)]
pub(crate) struct Receiver<T> {
    _attached: T,
    thread: i32,
}

impl<T> Receiver<T> {
    /// Has the thread go before all processes on its processor, as what an interface has to do goes before them where it
    /// is not done by a thread.
    pub(crate) fn goes_first(&self) -> Result<()> {
        let thread = self.thread.to_string();
        let status = Command::new("chrt").args(["--fifo", "--pid", "1", &thread]).status();
        ensure!(status.context("starting chrt")?.success(), "chrt cannot let thread {thread} go first");
        Ok(())
    }

    /// Waits until frames arrive: what receives was only just set up, in the middle of a flood.
    ///
    /// # Errors
    ///
    /// Fails where none does for a while, with what was seen meanwhile.
    pub(crate) fn await_frames(&self, cable: &Cable, source: &Source) -> Result<()> {
        const LIMIT: Duration = Duration::from_secs(10);
        const PAUSE: Duration = Duration::from_millis(5);
        let (start, received, seen) = (Instant::now(), cable.received()?, source.seen());
        while cable.received()? == received {
            source.check()?;
            let waited = start.elapsed();
            if waited > LIMIT {
                bail!(
                    "no frame arrived within {LIMIT:?}; the source had {seen} and has {}; the receiving thread had {:?} \
                     of its processor; the cable's ends count {}",
                    source.seen(),
                    self.processor_time()?,
                    cable.counts()?,
                );
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// What the guarded end takes from the cable meanwhile; again, and saying so, where nothing arrived.
    ///
    /// # Errors
    ///
    /// Fails where nothing arrives at all.
    pub(crate) fn take(&self, cable: &Cable, source: &Source, span: Duration) -> Result<Taken> {
        loop {
            let (start, before, seen) = (self.processor_time()?, cable.received()?, source.seen());
            thread::sleep(span);
            let (end, after) = (self.processor_time()?, cable.received()?);
            if after > before {
                return Ok(Taken { packets: after - before, time: end.saturating_sub(start) });
            }
            eprintln!("no frame arrived within {span:?}; the source had {seen}, and has {}", source.seen());
            self.await_frames(cable, source)?;
        }
    }

    fn processor_time(&self) -> Result<Duration> {
        let file = format!("/proc/{}/schedstat", self.thread);
        let text = fs::read_to_string(&file).with_context(|| format!("reading {file}"))?;
        let nanos = text.split(' ').next().context("an empty line")?;
        Ok(Duration::from_nanos(nanos.parse()?))
    }
}

/// What was taken from the cable, and how much of the receiving thread's time that took, so that others may be at work.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) packets: u64,
    pub(crate) time: Duration,
}

impl Taken {
    /// Packets in a second of that time.
    pub(crate) fn rate(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a count below 2⁵³")]
        let packets = self.packets as f64;
        packets / self.time.as_secs_f64()
    }
}

impl AddAssign for Taken {
    fn add_assign(&mut self, more: Taken) {
        self.packets += more.packets;
        self.time += more.time;
    }
}

/// Frames that keep coming until this is dropped.
#[derive(Debug)]
pub(crate) struct Source {
    running: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    /// Why it has ended, once it has by itself.
    broken: Arc<OnceLock<String>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Source {
    /// Starts sending one frame from the outside host, as often as the processor can.
    pub(crate) fn flood(cable: &Cable, frame: Vec<u8>) -> Result<Source> {
        /// Enough for a tenth of a second: to begin and to end takes the kernel a while.
        const AT_ONCE: u32 = 1 << 19;
        const PAUSE: Duration = Duration::from_millis(1);
        let program = cable.lab.outside.within(|| sends_to(if_nametoindex(INTERFACE)?))?;
        Source::start(cable, move |_, failed| match send(program.as_fd(), &frame, AT_ONCE) {
            // The kernel takes the frames' memory from what is free at once, of which there may be none for a moment.
            Err(error) if is(&error, &[Errno::ENOMEM, Errno::EAGAIN, Errno::EINTR]) => {
                failed.fetch_add(1, Ordering::Relaxed);
                thread::sleep(PAUSE);
                Ok(0)
            }
            sent => sent.map(|()| AT_ONCE.into()),
        })
    }

    /// Starts sending frames in turn, so many a second, as far as the processor can.
    pub(crate) fn trickle(cable: &Cable, frames: Vec<Vec<u8>>, rate: u32) -> Result<Source> {
        const PAUSE: Duration = Duration::from_micros(50);
        /// No more at once than a quarter of what the cable holds, so that it has room for others.
        const AT_ONCE: u64 = 64;
        let injector = Injector::on(&cable.lab.outside, INTERFACE)?;
        let start = Instant::now();
        let mut next = 0;
        Source::start(cable, move |sent, failed| {
            let due = u64::try_from(start.elapsed().as_nanos() * u128::from(rate) / 1_000_000_000)?;
            let due = due.saturating_sub(sent).min(AT_ONCE);
            if due == 0 {
                thread::sleep(PAUSE);
            }
            for _ in 0..due {
                match injector.send(frames.get(next).context("no frames")?) {
                    // The cable was full, as cables may be.
                    Err(error) if is(&error, &[Errno::ENOBUFS]) => {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                    sent => sent?,
                }
                next = (next + 1) % frames.len();
            }
            Ok(due)
        })
    }

    /// Repeats a step that is told how many frames were sent so far, tells how many it sent, and counts what failed.
    fn start(
        cable: &Cable,
        mut step: impl FnMut(u64, &AtomicU64) -> Result<u64> + Send + 'static,
    ) -> Result<Source> {
        let running = Arc::new(AtomicBool::new(true));
        let (sent, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let host = cable.lab.outside.clone();
        let is_running = Arc::clone(&running);
        let (count, failures) = (Arc::clone(&sent), Arc::clone(&failed));
        let broken = Arc::new(OnceLock::new());
        let breaks = Arc::clone(&broken);
        let thread = thread::spawn(move || {
            let ended = host.within(|| {
                machine::stay_on(machine::SENDER)?;
                while is_running.load(Ordering::Relaxed) {
                    let more = step(count.load(Ordering::Relaxed), &failures)?;
                    count.fetch_add(more, Ordering::Relaxed);
                }
                Ok(())
            });
            if let Err(error) = &ended {
                breaks.get_or_init(|| format!("{error:#}"));
            }
            ended
        });
        Ok(Source { running, sent, failed, broken, thread: Some(thread) })
    }

    /// How many frames were sent so far, those that found the cable full included.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// What it has done so far, in words.
    fn seen(&self) -> String {
        format!("sent {} frames and failed {} times", self.sent(), self.failed.load(Ordering::Relaxed))
    }

    /// Makes sure that it goes on: once it has failed for good, nothing arrives any more.
    fn check(&self) -> Result<()> {
        match self.broken.get() {
            Some(why) => bail!("the source has {} and then ended: {why}", self.seen()),
            None => Ok(()),
        }
    }

    /// Ends it, and tells what went wrong with it.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.running.store(false, Ordering::Relaxed);
        let thread = self.thread.take().context("it is stopped once")?;
        thread.join().map_err(|_| anyhow!("the thread that sends panicked"))?
    }
}

/// Whether an error is one of these.
fn is(error: &anyhow::Error, numbers: &[Errno]) -> bool {
    let found = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
    numbers.iter().any(|number| found == Some(*number as i32))
}

impl Drop for Source {
    fn drop(&mut self) {
        self.running.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
