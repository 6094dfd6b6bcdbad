//! The cable of the lab as a line that can be loaded fully: one processor sends, another receives.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::unistd::Pid;
use scanguard_harness::{INTERFACE, Injector, Lab};

use crate::bare::sends_to;
use crate::kernel::{Program, send};
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

    /// Attaches a bare program.
    pub(crate) fn receive_by(&self, program: &Program) -> Result<Receiver<OwnedFd>> {
        self.receive(|| self.lab.guarded.within(|| program.attach(if_nametoindex(INTERFACE)?)))
    }

    /// How many frames the guarded end has taken from the cable.
    pub(crate) fn received(&self) -> Result<u64> {
        let file = format!("/sys/class/net/{INTERFACE}/statistics/rx_packets");
        let text = self.lab.guarded.within(|| fs::read_to_string(&file));
        Ok(text.with_context(|| format!("reading {file}"))?.trim().parse()?)
    }

    /// How many segments got as far as the guarded host's TCP.
    pub(crate) fn segments(&self) -> Result<u64> {
        let text = self.lab.guarded.within(|| fs::read_to_string("/proc/thread-self/net/snmp"))?;
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
        let (names, values) = lines.next().zip(lines.next()).context("the kernel counts no segments")?;
        let mut fields = names.split(' ').zip(values.split(' '));
        let (_, segments) = fields.find(|(name, _)| *name == "InSegs").context("no InSegs")?;
        Ok(segments.parse()?)
    }
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
    /// Packets that the guarded end takes from the cable in a second of the receiving thread's time, so that others may
    /// be at work, measured over a span of time.
    pub(crate) fn rate(&self, cable: &Cable, span: Duration) -> Result<f64> {
        let (start, before) = (self.processor_time()?, cable.received()?);
        thread::sleep(span);
        let (end, after) = (self.processor_time()?, cable.received()?);
        ensure!(after > before, "no frame arrived");
        #[expect(clippy::cast_precision_loss, reason = "a count below 2⁵³")]
        let packets = (after - before) as f64;
        Ok(packets / end.saturating_sub(start).as_secs_f64())
    }

    fn processor_time(&self) -> Result<Duration> {
        let file = format!("/proc/{}/schedstat", self.thread);
        let text = fs::read_to_string(&file).with_context(|| format!("reading {file}"))?;
        let nanos = text.split(' ').next().context("an empty line")?;
        Ok(Duration::from_nanos(nanos.parse()?))
    }
}

/// Frames that keep coming until this is dropped.
#[derive(Debug)]
pub(crate) struct Source {
    running: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Source {
    /// Starts sending one frame from the outside host, as often as the processor can.
    pub(crate) fn flood(cable: &Cable, frame: Vec<u8>) -> Result<Source> {
        /// Enough for a tenth of a second: to begin and to end takes the kernel a while.
        const AT_ONCE: u32 = 1 << 19;
        let program = cable.lab.outside.within(|| sends_to(if_nametoindex(INTERFACE)?))?;
        Source::start(cable, move |_| {
            send(program.as_fd(), &frame, AT_ONCE)?;
            Ok(AT_ONCE.into())
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
        Source::start(cable, move |sent| {
            let due = u64::try_from(start.elapsed().as_nanos() * u128::from(rate) / 1_000_000_000)?;
            let due = due.saturating_sub(sent).min(AT_ONCE);
            if due == 0 {
                thread::sleep(PAUSE);
            }
            for _ in 0..due {
                match injector.send(frames.get(next).context("no frames")?) {
                    // The cable was full, as cables may be.
                    Err(error) if is_full(&error) => {}
                    sent => sent?,
                }
                next = (next + 1) % frames.len();
            }
            Ok(due)
        })
    }

    /// Repeats a step that is told how many frames were sent so far, and tells how many it sent.
    fn start(cable: &Cable, mut step: impl FnMut(u64) -> Result<u64> + Send + 'static) -> Result<Source> {
        let running = Arc::new(AtomicBool::new(true));
        let sent = Arc::new(AtomicU64::new(0));
        let host = cable.lab.outside.clone();
        let (is_running, count) = (Arc::clone(&running), Arc::clone(&sent));
        let thread = thread::spawn(move || {
            host.within(|| {
                machine::stay_on(machine::SENDER)?;
                while is_running.load(Ordering::Relaxed) {
                    let more = step(count.load(Ordering::Relaxed))?;
                    count.fetch_add(more, Ordering::Relaxed);
                }
                Ok(())
            })
        });
        Ok(Source { running, sent, thread: Some(thread) })
    }

    /// How many frames were sent so far, those that found the cable full included.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends it, and tells what went wrong with it.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.running.store(false, Ordering::Relaxed);
        let thread = self.thread.take().context("it is stopped once")?;
        thread.join().map_err(|_| anyhow!("the thread that sends panicked"))?
    }
}

fn is_full(error: &anyhow::Error) -> bool {
    let number = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
    number == Some(Errno::ENOBUFS as i32)
}

impl Drop for Source {
    fn drop(&mut self) {
        self.running.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
