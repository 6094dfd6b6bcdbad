//! Step 3, look up: answers the engine's questions from the kernel's own tables.

use core::mem::{size_of, zeroed};

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::{
    BPF_F_CURRENT_NETNS, BPF_FIB_LKUP_RET_FWD_DISABLED, BPF_FIB_LKUP_RET_NOT_FWDED, bpf_fib_lookup as FibQuery,
    bpf_sock, bpf_sock_tuple,
};
use aya_ebpf::helpers::{
    bpf_fib_lookup, bpf_ktime_get_ns, bpf_sk_release, bpf_skc_lookup_tcp, bpf_tcp_check_syncookie,
};
use aya_ebpf::maps::lpm_trie::Key;
use aya_ebpf::programs::XdpContext;
use scanguard_common::classify::TcpFlags;
use scanguard_common::flow::{Destination, Lookups, Socket};
use scanguard_common::frame::Frame as _;
use scanguard_common::key::Address;
use scanguard_common::parse::Packet;
use scanguard_common::parse::network::Addresses;
use scanguard_common::parse::transport::Segment;
use scanguard_common::schema::InterfaceSlot;
use scanguard_common::time::Nanos;

use crate::frame::PacketMemory;
use crate::maps;

/// `TCP_LISTEN` of the kernel's `enum` in `include/net/tcp_states.h`.
const TCP_LISTEN: u32 = 10;

/// `AF_INET` and `AF_INET6` of `include/linux/socket.h`.
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// The kernel, as the engine asks it about one frame.
pub(crate) struct Kernel<'a> {
    ctx: &'a XdpContext,
    frame: &'a PacketMemory,
    interface: InterfaceSlot,
}

impl<'a> Kernel<'a> {
    /// The kernel at the moment of `frame`, which came in on `interface`.
    pub(crate) fn new(ctx: &'a XdpContext, frame: &'a PacketMemory, interface: InterfaceSlot) -> Kernel<'a> {
        Kernel { ctx, frame, interface }
    }
}
