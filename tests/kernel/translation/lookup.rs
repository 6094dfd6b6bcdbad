//! A program that may choose the socket of every packet of its network namespace.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;

/// Attached to the network namespace of the thread that made it, until it is dropped.
pub(crate) struct SocketLookup {
    _link: OwnedFd,
}

// Numbers of `linux/bpf.h`.
const BPF_MAP_CREATE: libc::c_long = 0;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_PROG_TYPE_SK_LOOKUP: u32 = 30;
const BPF_SK_LOOKUP: u32 = 36;
const BPF_MAP_TYPE_SOCKMAP: u32 = 15;

/// `r0 = SK_PASS; exit`.
const CHOOSES_NONE: [u64; 2] = [0x0000_0001_0000_00b7, 0x0000_0000_0000_0095];

/// Chooses the only socket of a map for every packet to a port.
fn chooses(port: u16, map: &OwnedFd) -> Result<[u64; 20]> {
    let map = u64::try_from(map.as_raw_fd())?;
    Ok([
        0x0000_0000_0000_16bf,                         // r6 = r1
        0x0000_0000_003c_6161,                         // r1 = r6->local_port
        0x0000_0000_000f_0155 | u64::from(port) << 32, // if r1 != port, go to the end
        0x0000_0000_0000_1118 | map << 32,             // r1 = the map
        0,
        0x0000_0000_0000_a2bf, // r2 = r10
        0xffff_fffc_0000_0207, // r2 += -4
        0x0000_0000_0000_0262, // *r2 = 0
        0x0000_0001_0000_0085, // bpf_map_lookup_elem
        0x0000_0000_0008_0015, // if r0 == 0, go to the end
        0x0000_0000_0000_07bf, // r7 = r0
        0x0000_0000_0000_61bf, // r1 = r6
        0x0000_0000_0000_72bf, // r2 = r7
        0x0000_0000_0000_03b7, // r3 = 0
        0x0000_007c_0000_0085, // bpf_sk_assign
        0x0000_0000_0000_71bf, // r1 = r7
        0x0000_0056_0000_0085, // bpf_sk_release
        0x0000_0000_0000_00b7, // r0 = 0, which the next one overwrites
        0x0000_0001_0000_00b7, // r0 = SK_PASS
        0x0000_0000_0000_0095, // exit
    ])
}

/// What the kernel wants to know of a map.
#[repr(C)]
struct Create {
    kind: u32,
    key: u32,
    value: u32,
    entries: u32,
}

/// And of an entry.
#[repr(C)]
struct Update {
    map: u64,
    key: u64,
    value: u64,
    flags: u64,
}

/// And of a program.
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
    /// Leaves every packet to whom it belongs.
    pub(crate) fn that_chooses_none() -> Result<SocketLookup> {
        SocketLookup::attach(&CHOOSES_NONE)
    }

    /// Gives a service whatever comes to another port.
    pub(crate) fn that_gives(port: u16, listener: &TcpListener) -> Result<SocketLookup> {
        let map = Create { kind: BPF_MAP_TYPE_SOCKMAP, key: 4, value: 8, entries: 1 };
        let map = bpf(BPF_MAP_CREATE, &map).context("making a map of sockets")?;
        let (key, value) = (0u32, u64::try_from(listener.as_raw_fd())?);
        let entry = Update {
            map: map.as_raw_fd().try_into()?,
            key: (&raw const key).addr().try_into()?,
            value: (&raw const value).addr().try_into()?,
            flags: 0,
        };
        call(BPF_MAP_UPDATE_ELEM, &entry).context("keeping a socket in it")?;
        SocketLookup::attach(&chooses(port, &map)?)
    }

    fn attach(program: &[u64]) -> Result<SocketLookup> {
        let load = Load {
            kind: BPF_PROG_TYPE_SK_LOOKUP,
            length: program.len().try_into()?,
            program: program.as_ptr().addr().try_into()?,
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

/// A command that makes something.
fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<OwnedFd> {
    let descriptor = i32::try_from(call(command, attributes)?).map_err(io::Error::other)?;
    // SAFETY: these commands return a new descriptor, which nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn call<T>(command: libc::c_long, attributes: &T) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads as many bytes there as it is told, and what their pointers are to lives until it returns:
    // it is constant, or its caller's.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw const *attributes, size_of::<T>()) };
    Ok(Errno::result(result)?)
}
