//! An array read whole: by one call, and not by one for each entry.

use std::os::fd::{AsFd as _, AsRawFd as _};

use anyhow::{Context as _, ensure};
use aya::Pod;
use aya::maps::MapData;
use nix::errno::Errno;
use nix::libc;

/// All values of an array, in order.
pub(super) fn values<V: Pod + Default>(array: &MapData) -> anyhow::Result<Vec<V>> {
    /// `BPF_MAP_LOOKUP_BATCH` of `enum bpf_cmd`.
    const LOOKUP_BATCH: libc::c_long = 24;
    let info = array.info().context("asking what the array is")?;
    ensure!(info.value_size() as usize == size_of::<V>(), "its values have {} bytes", info.value_size());
    let entries = info.max_entries();
    let mut keys = vec![0_u32; entries as usize];
    let mut values = vec![V::default(); entries as usize];
    let mut next = 0_u32;
    let mut batch = Batch {
        next: &raw mut next as u64,
        keys: keys.as_mut_ptr() as u64,
        values: values.as_mut_ptr() as u64,
        count: entries,
        map: array.fd().as_fd().as_raw_fd().try_into().context("an open descriptor is not negative")?,
        ..Batch::default()
    };
    // SAFETY: the kernel writes a key to `next`, and at most `entries` keys of four bytes and values of the size that was
    // just compared, for all of which there is room.
    let result = unsafe { libc::syscall(libc::SYS_bpf, LOOKUP_BATCH, &raw mut batch, size_of::<Batch>()) };
    match Errno::result(result) {
        // The latter where it has come to the end.
        Ok(_) | Err(Errno::ENOENT) => {}
        Err(error) => return Err(error).context("reading an array whole"),
    }
    ensure!(batch.count == entries, "of {entries} entries the kernel told {}", batch.count);
    Ok(values)
}

/// The part of `union bpf_attr` that the command is about.
#[repr(C)]
#[derive(Default)]
struct Batch {
    first: u64,
    next: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}
