//! One command at a time: advisory locks on directories of the BPF file system, which the kernel lifts when
//! their holder dies.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::stat::{major, minor};

use crate::bpffs::BPFFS;
use crate::error::Error;

/// How long a command waits for another to finish: both take a fraction of it.
const PATIENCE: Duration = Duration::from_secs(3);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// Held by a command while it changes something; given back when dropped.
pub(crate) struct Lock {
    _directory: File,
}

impl Lock {
    /// Waits until no other command changes anything.
    ///
    /// The lock lies on the root of the BPF file system, because our own directory comes and goes.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] where another command takes longer than that.
    pub(crate) async fn take() -> anyhow::Result<Lock> {
        let directory = open(BPFFS.as_ref())?;
        let tries = PATIENCE.as_millis() / BETWEEN_TRIES.as_millis();
        for _ in 0..tries {
            if try_lock(&directory)? {
                return Ok(Lock { _directory: directory });
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        Err(Error::Locked { holder: holder(&directory) }.into())
    }
}

/// Held by the one process that reads the events: two readers of one ring buffer would each see a part, and
/// would set back each other's position.
pub(crate) struct ReaderLock {
    directory: File,
}

impl ReaderLock {
    /// Takes the lock on our own directory, which exists as long as there are events.
    ///
    /// # Errors
    ///
    /// [`Error::EventsTaken`] where another process reads them.
    pub(crate) fn take(directory: &Path) -> anyhow::Result<ReaderLock> {
        let directory = open(directory)?;
        if try_lock(&directory)? {
            return Ok(ReaderLock { directory });
        }
        Err(Error::EventsTaken { holder: holder(&directory) }.into())
    }

    /// Whether the directory was removed since: then everything was detached, and another lock counts now.
    pub(crate) fn is_void(&self) -> anyhow::Result<bool> {
        let metadata = self.directory.metadata().context("looking at the directory of the pins")?;
        Ok(metadata.nlink() == 0)
    }
}

fn open(directory: &Path) -> anyhow::Result<File> {
    File::open(directory).with_context(|| format!("opening {}", directory.display()))
}

fn try_lock(directory: &File) -> anyhow::Result<bool> {
    match directory.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error).context("locking a directory of the BPF file system"),
    }
}

/// Which process holds the lock, if it can be seen from here.
fn holder(directory: &File) -> Option<i32> {
    let metadata = directory.metadata().ok()?;
    let (device, inode) = (metadata.dev(), metadata.ino());
    let place = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
    holder_of(&place, &fs::read_to_string("/proc/locks").ok()?)
}

/// Finds the process in the lines of `/proc/locks`: number, kind, advisory, access, process, place, …
fn holder_of(place: &str, locks: &str) -> Option<i32> {
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (kind, process, at) = (words.nth(1)?, words.nth(2)?, words.next()?);
        (kind == "FLOCK" && at == place).then(|| process.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_found_by_place_and_those_who_wait_are_not() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 00:1b:5 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 22 00:1b:5 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 33 00:1b:5 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 44 00:1b:55 0 EOF\n";
        assert_eq!(holder_of("00:1b:5", locks), Some(22));
        assert_eq!(holder_of("00:1b:55", locks), Some(44));
        assert_eq!(holder_of("00:1c:5", locks), None);
    }

    #[test]
    fn a_lock_that_is_held_names_its_holder() {
        let place = std::env::temp_dir();
        let mine = open(&place).expect("the directory for temporary files exists");
        let other = open(&place).expect("the directory for temporary files exists");
        assert!(try_lock(&mine).expect("locking works"));
        assert!(!try_lock(&other).expect("locking works"));
        let own = i32::try_from(std::process::id()).expect("process numbers are small");
        assert_eq!(holder(&other), Some(own));
    }
}
