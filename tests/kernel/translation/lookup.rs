//! A program that may choose the socket of every packet of its network namespace, and chooses none.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;

/// Attached to the network namespace of the thread that made it, until it is dropped.
pub(super) struct SocketLookup {
    _link: OwnedFd,
}

// Numbers of `linux/bpf.h`.
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_PROG_TYPE_SK_LOOKUP: u32 = 30;
const BPF_SK_LOOKUP: u32 = 36;

/// `r0 = SK_PASS; exit`.
const PROGRAM: [u64; 2] = [0x0000_0001_0000_00b7, 0x0000_0000_0000_0095];

/// What the kernel wants to know of a program.
#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    length: u32,
    program: u64,
    licence: u64,
    log: [u64; 2],
    version_and_flags: u64,
    name: [u8; 16],
    interface: u32,
    way: u32,
}

/// And of a link.
#[repr(C)]
struct Link {
    program: u32,
    target: u32,
    way: u32,
    flags: u32,
}

impl SocketLookup {
    pub(super) fn attach() -> Result<SocketLookup> {
        let load = Load {
            kind: BPF_PROG_TYPE_SK_LOOKUP,
            length: PROGRAM.len().try_into()?,
            program: PROGRAM.as_ptr().addr().try_into()?,
            licence: c"GPL".as_ptr().addr().try_into()?,
            way: BPF_SK_LOOKUP,
            ..Load::default()
        };
        let program = bpf(BPF_PROG_LOAD, &load).context("loading a program that looks up sockets")?;
        let namespace = File::open("/proc/thread-self/ns/net")?;
        let link = Link {
            program: program.as_raw_fd().try_into()?,
            target: namespace.as_raw_fd().try_into()?,
            way: BPF_SK_LOOKUP,
            flags: 0,
        };
        Ok(SocketLookup { _link: bpf(BPF_LINK_CREATE, &link).context("attaching it")? })
    }
}

fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads as many bytes there as it is told, and what their pointers are to lives on: it is
    // constant.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw const *attributes, size_of::<T>()) };
    let descriptor = i32::try_from(Errno::result(result)?).map_err(io::Error::other)?;
    // SAFETY: both commands return a new descriptor, which nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
