//! BPF programs and filters of others that decide where a packet ends.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::libc;

use super::Reason;
use crate::filter::{self, Hook};
use crate::interface::NetworkInterface;

/// Numbers of `enum bpf_attach_type` in `linux/bpf.h`.
const BPF_SK_LOOKUP: u32 = 36;
const BPF_TCX_INGRESS: u32 = 46;

pub(super) async fn survey(interface: &NetworkInterface) -> anyhow::Result<Vec<Reason>> {
    const NAMESPACE: &str = "/proc/thread-self/ns/net";
    let mut reasons = Vec::new();
    let namespace = File::open(NAMESPACE).with_context(|| format!("opening {NAMESPACE}"))?;
    let descriptor = namespace.as_raw_fd().try_into().context("an open descriptor is not negative")?;
    let programs = attached(descriptor, BPF_SK_LOOKUP).context("asking for programs that look up sockets")?;
    if programs > 0 {
        reasons.push(Reason::SocketPrograms { programs });
    }
    let linked = attached(interface.index, BPF_TCX_INGRESS).context("asking for programs at tc ingress")?;
    let filters = linked + filter::list(interface.index, Hook::Ingress).await?.len();
    if filters > 0 {
        reasons.push(Reason::IngressFilters { filters });
    }
    Ok(reasons)
}

/// How many programs are attached to a target in this way; none where the kernel does not know the way, or the target has
/// gone since.
fn attached(target: u32, way: u32) -> io::Result<usize> {
    /// `BPF_PROG_QUERY` of `enum bpf_cmd`.
    const QUERY: libc::c_long = 16;
    let mut query = Query { target, way, ..Query::default() };
    // SAFETY: the kernel reads and writes at most `size_of::<Query>()` bytes there, and no list of programs, because
    // there is no room for one.
    let result = unsafe { libc::syscall(libc::SYS_bpf, QUERY, &raw mut query, size_of::<Query>()) };
    match Errno::result(result) {
        Ok(_) => Ok(query.count as usize),
        Err(Errno::EINVAL | Errno::ENOENT | Errno::EOPNOTSUPP | Errno::ENODEV) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// The part of `union bpf_attr` that the command is about, as far as the oldest kernel knows it.
#[repr(C)]
#[derive(Default)]
struct Query {
    target: u32,
    way: u32,
    flags: u32,
    attach_flags: u32,
    programs: u64,
    count: u32,
    padding: u32,
}
