//! A network namespace and a mount namespace that no process needs to live in: open file descriptors hold them, and
//! the kernel takes both away when the last descriptor is closed, however the process ended.

use std::fs::File;
use std::io;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::geteuid;

/// Holds the two namespaces of a host.
#[derive(Debug)]
pub(crate) struct Namespaces {
    network: File,
    mounts: File,
}

impl Namespaces {
    /// Makes a network namespace, and a mount namespace with its own `/sys`, `/sys/fs/bpf` and `/run`.
    pub(crate) fn create() -> Result<Self> {
        ensure!(geteuid().is_root(), "network namespaces need root: run this with sudo");
        // A thread that moved to other namespaces is good for nothing else, so it ends here.
        thread::spawn(Self::create_on_this_thread)
            .join()
            .map_err(|_| anyhow!("the thread that makes the namespaces panicked"))?
    }

    /// Moves the calling thread, or the calling child between fork and exec, into the namespaces.
    ///
    /// Makes system calls only, as a child between fork and exec must. The working directory becomes `/`.
    pub(crate) fn enter(&self) -> io::Result<()> {
        // Threads share their working directory and root; one that changes its mount namespace may not.
        unshare(CloneFlags::CLONE_FS)?;
        setns(&self.network, CloneFlags::CLONE_NEWNET)?;
        setns(&self.mounts, CloneFlags::CLONE_NEWNS)?;
        Ok(())
    }

    /// Opens to `ip` and its like as a path that names the network namespace while `self` lives.
    pub(crate) fn network_path(&self) -> String {
        use std::os::fd::AsRawFd;
        format!("/proc/{}/fd/{}", std::process::id(), self.network.as_raw_fd())
    }

    fn create_on_this_thread() -> Result<Self> {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).context(
            "making namespaces: root needs CAP_SYS_ADMIN here; a container must be a privileged one",
        )?;
        let nothing: Option<&str> = None;
        mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)
            .context("making mounts private")?;
        // sysfs shows the interfaces of the namespace it was mounted in.
        for (kind, place) in [("sysfs", "/sys"), ("bpf", "/sys/fs/bpf"), ("tmpfs", "/run")] {
            mount(Some(kind), place, Some(kind), MsFlags::empty(), nothing)
                .with_context(|| format!("mounting {kind} on {place}"))?;
        }
        let open = |path| File::open(path).with_context(|| format!("opening {path}"));
        Ok(Self { network: open("/proc/thread-self/ns/net")?, mounts: open("/proc/thread-self/ns/mnt")? })
    }
}
