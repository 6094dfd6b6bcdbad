//! Programs that cannot outlive their owner.

use std::fs;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, parent_id};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

/// How often a waiting caller looks again.
const POLL: Duration = Duration::from_millis(5);

/// A running program whose output is captured; killed and reaped on drop, with its children.
#[derive(Debug)]
pub struct Process {
    child: Child,
    command_line: String,
    stdout: Captured,
    stderr: Captured,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let command_line = command_line(&command);
        // A group of its own, so that the children of a shell are ended together with it.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            spawn_from_a_lasting_thread(command).with_context(|| format!("starting `{command_line}`"))?;
        let stdout = Captured::from(child.stdout.take().context("standard output is no pipe")?);
        let stderr = Captured::from(child.stderr.take().context("standard error is no pipe")?);
        Ok(Self { child, command_line, stdout, stderr })
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the program and its arguments, for messages.
    pub fn command_line(&self) -> &str {
        &self.command_line
    }

    /// Sends a signal to the program, not to its children.
    ///
    /// # Errors
    ///
    /// Fails when the program has already been waited for.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.nix_pid()?, signal).with_context(|| format!("sending {signal} to `{}`", self.command_line))
    }

    /// Waits until the program ends by itself, and ends what children it left; the whole output is returned.
    ///
    /// # Errors
    ///
    /// Fails when the program is still running after `limit`; it then goes on.
    pub fn wait(&mut self, limit: Duration) -> Result<Output> {
        let deadline = Instant::now() + limit;
        while !self.has_ended()? {
            if Instant::now() > deadline {
                bail!("`{}` has not ended after {limit:?}: {}", self.command_line, self.whereabouts());
            }
            sleep(POLL);
        }
        let status = self.reap()?;
        Ok(Output { status, stdout: self.stdout.finish(), stderr: self.stderr.finish() })
    }

    /// Waits until the standard output contains `text`.
    ///
    /// # Errors
    ///
    /// Fails, with all output so far, when that has not happened after `limit` or the program ended before.
    pub fn wait_for_stdout(&self, text: &str, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            // The question comes before the look, so that a program's last words count.
            let last_look = self.has_ended()? || Instant::now() > deadline;
            if self.stdout().contains(text) {
                return Ok(());
            }
            if last_look {
                bail!(
                    "`{}` did not print {text:?} within {limit:?}; it printed {:?} and {:?}",
                    self.command_line,
                    self.stdout(),
                    self.stderr(),
                );
            }
            sleep(POLL);
        }
    }

    /// Waits until it has written this to its standard error, and then nothing for a while.
    ///
    /// # Errors
    ///
    /// Fails after so long a time.
    pub fn wait_for_silence(&self, after: &str, silent: Duration, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        let (mut said, mut since) = (self.stderr(), Instant::now());
        while !said.contains(after) || since.elapsed() < silent {
            if Instant::now() > deadline {
                bail!("`{}` is not done after {limit:?}: {said}", self.command_line);
            }
            sleep(POLL);
            let now = self.stderr();
            if now != said {
                (said, since) = (now, Instant::now());
            }
        }
        Ok(())
    }

    /// Returns what the program has written to its standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    /// Returns what the program has written to its standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// Looks without reaping, so that the process id stays ours until [`reap`](Self::reap).
    fn has_ended(&self) -> Result<bool> {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        let status = waitid(Id::Pid(self.nix_pid()?), look)
            .with_context(|| format!("waiting for `{}`", self.command_line))?;
        Ok(status != WaitStatus::StillAlive)
    }

    /// What it has said, and where the kernel has each of its threads, for who wonders why it goes on.
    fn whereabouts(&self) -> String {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid())).into_iter().flatten().flatten();
        let stacks = threads.map(|thread| {
            let said =
                |file| fs::read_to_string(thread.path().join(file)).unwrap_or_else(|error| error.to_string());
            format!("{} {}\n{}", said("comm").trim(), said("syscall").trim(), said("stack"))
        });
        let stacks: Vec<_> = stacks.collect();
        format!("it printed {:?} and {:?}; its threads:\n{}", self.stdout(), self.stderr(), stacks.join("\n"))
    }

    fn reap(&mut self) -> Result<std::process::ExitStatus> {
        // An empty group is the usual case and no error. The id is still ours: nobody has been reaped yet.
        let _ = killpg(self.nix_pid()?, Signal::SIGKILL);
        self.child.wait().with_context(|| format!("reaping `{}`", self.command_line))
    }

    fn nix_pid(&self) -> Result<Pid> {
        Ok(Pid::from_raw(i32::try_from(self.child.id()).context("a process id beyond i32")?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only for a program that was waited for already; there is nothing left to end then.
        if self.has_ended().is_ok() {
            let _ = self.reap();
        }
    }
}

/// Asks the kernel to kill the calling child when the thread that started it ends.
pub(crate) fn die_with_the_parent(parent: u32) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    // The parent may have died before the kernel was asked.
    if parent_id() == parent { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Closes a socket for good, before it returns.
///
/// A program that is just being started holds a copy of every open descriptor until it executes; a listener that was
/// merely dropped may go on accepting meanwhile. Programs are started one after the other, and this between two.
///
/// # Errors
///
/// Fails when no program can be started any more.
pub fn close<T: Send + 'static>(socket: T) -> Result<()> {
    in_a_lasting_thread(move || drop(socket))
}

/// Starts a command from a thread that lives as long as this process.
///
/// The kernel kills a child when the *thread* that started it ends, and the threads of tests end early.
fn spawn_from_a_lasting_thread(mut command: Command) -> Result<Child> {
    Ok(in_a_lasting_thread(move || Spawned(Some(command.spawn())))?.into_inner()?)
}

/// What was started, until somebody takes it: a caller that panicked meanwhile never does, and dropping the child's
/// handle would leave it running.
struct Spawned(Option<io::Result<Child>>);

impl Spawned {
    fn into_inner(mut self) -> io::Result<Child> {
        self.0.take().expect("it is taken once")
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        if let Some(Ok(child)) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Does something in the thread that starts programs: after whatever was ordered before, and never during it.
fn in_a_lasting_thread<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    type Order = Box<dyn FnOnce() + Send>;
    static ORDERS: OnceLock<Sender<Order>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (sender, receiver) = channel::<Order>();
        thread::spawn(move || receiver.into_iter().for_each(|order| order()));
        sender
    });
    let (reply, answer) = channel();
    let order = Box::new(move || drop(reply.send(job())));
    orders.send(order).ok().context("the thread that starts programs has ended")?;
    answer.recv().context("the thread that starts programs has ended")
}

/// Quotes nothing: it is for people.
fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The output of a program, read as it comes so that the pipe never fills.
#[derive(Debug)]
struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Captured {
    fn from(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            // A read error of a pipe means the same as its end: there is no more to be had.
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                lock(&sink).extend(buffer.iter().take(length));
            }
        });
        Self { bytes, reader: Some(reader) }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&lock(&self.bytes)).into_owned()
    }

    fn finish(&mut self) -> Vec<u8> {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        lock(&self.bytes).clone()
    }
}

/// A poisoned lock still holds the bytes that came before the panic.
fn lock(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}
