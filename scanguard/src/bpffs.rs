//! The BPF file system, in which everything of ours is pinned.

use std::fs;
use std::io;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use nix::sys::statvfs::{FsFlags, statvfs};

use crate::error::Error;
use crate::output::Output;

/// Where every distribution mounts it.
pub(crate) const BPFFS: &str = "/sys/fs/bpf";

/// Whether it is mounted, as this process sees the file system.
pub(crate) fn is_mounted() -> anyhow::Result<bool> {
    match statfs(BPFFS) {
        Ok(answer) => Ok(answer.filesystem_type() == BPF_FS_MAGIC),
        Err(Errno::ENOENT) => Ok(false),
        Err(error) => Err(error).with_context(|| format!("asking what is mounted at {BPFFS}")),
    }
}

/// Mounts it where it is not, and says so.
///
/// # Errors
///
/// [`Error::NoBpffs`] where it cannot be mounted, [`Error::ReadOnlyBpffs`] where nothing can be pinned in it.
pub(crate) fn ensure(output: &mut Output<'_>) -> anyhow::Result<()> {
    if is_mounted()? {
        return require_writable();
    }
    mount_here().map_err(|error| Error::NoBpffs { path: BPFFS, why: error.to_string() })?;
    output.word(format_args!("mounted the BPF file system at {BPFFS}"));
    Ok(())
}

fn require_writable() -> anyhow::Result<()> {
    let answer = statvfs(BPFFS).with_context(|| format!("asking how {BPFFS} is mounted"))?;
    if answer.flags().contains(FsFlags::ST_RDONLY) {
        return Err(Error::ReadOnlyBpffs { path: BPFFS }.into());
    }
    Ok(())
}

fn mount_here() -> io::Result<()> {
    match fs::create_dir(BPFFS) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) | Ok(()) => {}
    }
    mount(Some("bpf"), BPFFS, Some("bpf"), MsFlags::empty(), Some("mode=0700"))?;
    Ok(())
}
