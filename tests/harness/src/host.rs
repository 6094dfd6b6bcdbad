//! One machine of a laboratory.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::panic::resume_unwind;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::namespaces::Namespaces;
use crate::process::{Process, die_with_the_parent};

/// The longest that [`Host::run`] waits: no test waits forever for a tool that hangs.
const RUN_LIMIT: Duration = Duration::from_secs(60);

/// A machine of its own: a network namespace, and a mount namespace with its own `/sys`, BPF file system and `/run`.
///
/// It has no name outside this process and no process of its own. It is gone when the last program and the last
/// socket in it are, and programs started with [`run`](Self::run) and [`spawn`](Self::spawn) die with this process,
/// even when that is killed. A clone is the same machine.
#[derive(Clone, Debug)]
pub struct Host {
    name: String,
    namespaces: Arc<Namespaces>,
}

impl Host {
    /// Makes a host with nothing but a working loopback interface; `name` is for messages.
    ///
    /// # Errors
    ///
    /// Fails without root's privileges and without iproute2.
    pub fn new(name: &str) -> Result<Self> {
        let namespaces = Namespaces::create().with_context(|| format!("making host {name}"))?;
        let host = Self { name: name.to_owned(), namespaces: Arc::new(namespaces) };
        host.ip("link set lo up")?;
        Ok(host)
    }

    /// Returns a command that will run in this host, in the directory `/`.
    ///
    /// What it starts dies with the *thread* that started it, which is right for a caller that waits. A program that
    /// is to go on belongs to [`spawn`](Self::spawn).
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let namespaces = Arc::clone(&self.namespaces);
        let parent = std::process::id();
        let mut command = Command::new(program);
        // SAFETY: both functions make system calls only and allocate nothing, as is demanded between fork and exec.
        unsafe {
            command.pre_exec(move || {
                die_with_the_parent(parent)?;
                namespaces.enter()
            });
        }
        command
    }

    /// Runs a program to its end and returns what it wrote to its standard output.
    ///
    /// # Errors
    ///
    /// Fails, with the command line, the exit status and the standard error, unless the program succeeds within a
    /// minute.
    pub fn run<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<String> {
        let mut process = self.spawn(program, arguments)?;
        let output = process.wait(RUN_LIMIT)?;
        ensure!(
            output.status.success(),
            "`{}` on {} ended with {}: {}",
            process.command_line(),
            self.name,
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end(),
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs `ip` with the given words, for example `host.ip("addr add 10.0.0.1/24 dev eth0")`.
    ///
    /// # Errors
    ///
    /// Fails as [`run`](Self::run) does.
    pub fn ip(&self, words: &str) -> Result<String> {
        self.run("ip", words.split_whitespace())
    }

    /// Starts a program that goes on while the returned [`Process`] lives.
    ///
    /// # Errors
    ///
    /// Fails when the program cannot be started.
    pub fn spawn<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Process> {
        let mut command = self.command(program);
        command.args(arguments);
        Process::start(command).with_context(|| format!("on host {}", self.name))
    }

    /// Does `work` as a thread of this host: its sockets and BPF system calls belong to this host's network, its paths
    /// to this host's mounts.
    ///
    /// Below `/proc/net` it still sees the process's own network; `/proc/thread-self/net` is this host's.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.namespaces
                    .enter()
                    .expect("entering namespaces takes no more privileges than making them did");
                work()
            });
            inside.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// Returns the name given to [`new`](Self::new).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns a path that `ip` accepts wherever it wants a network namespace.
    pub fn network_path(&self) -> String {
        self.namespaces.network_path()
    }
}
