//! For whom a packet is: the kernel's routing tables, so that no list of addresses has to be kept.

use core::mem::MaybeUninit;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{
    BPF_FIB_LKUP_RET_FWD_DISABLED, BPF_FIB_LKUP_RET_NOT_FWDED, bpf_fib_lookup as FibQuery,
    bpf_fib_lookup__bindgen_ty_3, bpf_fib_lookup__bindgen_ty_4,
};
use aya_ebpf::helpers::bpf_fib_lookup;
use aya_ebpf::programs::{TcContext, XdpContext};
use scanguard_common::flow::Destination;
use scanguard_common::key::Address;
use scanguard_common::parse::Packet;
use scanguard_common::parse::network::Family;

use super::size;

/// `AF_INET` and `AF_INET6` of `include/linux/socket.h`.
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Asks whether this host would forward the packet, or keep it.
///
/// Where the interface does not forward at all, the kernel says so before it looks at any route: the packet
/// is then either ours or discarded by the host anyway, and both may be judged. Where it does forward, an
/// address of ours may be that of a whole network behind us.
pub(super) fn destination(ctx: &XdpContext, packet: &Packet) -> Destination {
    #[expect(clippy::cast_possible_truncation, reason = "the kernel keeps it in 32 bits")]
    let interface = ctx.ingress_ifindex() as u32;
    match u32::try_from(ask(ctx, (packet.family, packet.source, packet.destination), interface)) {
        Ok(BPF_FIB_LKUP_RET_FWD_DISABLED) => Destination::Ours,
        Ok(BPF_FIB_LKUP_RET_NOT_FWDED) => Destination::OursOrTranslated,
        Ok(_) => Destination::Forwarded,
        Err(_) => Destination::Unknown,
    }
}

/// Whether a packet that leaves comes from an address of this host.
///
/// What this host made itself came in nowhere. What it forwards is ours only where its address is: then it was
/// translated. Where the interface does not forward, the kernel does not say so, and the packet counts as a guest's.
pub(super) fn is_ours(ctx: &TcContext, packet: &Packet) -> bool {
    // SAFETY: the context that this program was called with.
    let (came_in, leaves) = unsafe { ((*ctx.skb.skb).ingress_ifindex, (*ctx.skb.skb).ifindex) };
    let back = (packet.family, packet.destination, packet.source);
    came_in == 0 || u32::try_from(ask(ctx, back, leaves)) == Ok(BPF_FIB_LKUP_RET_NOT_FWDED)
}

/// Source and destination.
type Way = (Family, Address, Address);

/// What the kernel would do with a packet on this way if it came in on the interface.
fn ask<C: EbpfContext>(ctx: &C, way: Way, interface: u32) -> i64 {
    let mut query = query(way, interface);
    let length = size::<FibQuery>().cast_signed();
    // SAFETY: `query` is initialised in all its bytes, and `length` is its size.
    unsafe { bpf_fib_lookup(ctx.as_ptr(), &raw mut query, length, 0) }
}

fn query((family, source, destination): Way, ifindex: u32) -> FibQuery {
    let (family, ipv6_src, ipv6_dst) = match family {
        // Where there is an IPv4 address, it is the first word of a union with the IPv6 address.
        Family::V4 => {
            let ([.., source], [.., destination]) = (source.words(), destination.words());
            (AF_INET, [source, 0, 0, 0], [destination, 0, 0, 0])
        }
        Family::V6 => (AF_INET6, source.words(), destination.words()),
    };
    // SAFETY: it consists of integers, and unions and arrays of such, for all of which zero is a value.
    let mut query: FibQuery = unsafe { MaybeUninit::zeroed().assume_init() };
    query.family = family;
    query.ifindex = ifindex;
    query.__bindgen_anon_3 = bpf_fib_lookup__bindgen_ty_3 { ipv6_src };
    query.__bindgen_anon_4 = bpf_fib_lookup__bindgen_ty_4 { ipv6_dst };
    query
}
