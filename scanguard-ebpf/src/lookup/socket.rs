//! Which socket a segment belongs to: the kernel's own table.

use core::ffi::c_void;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{
    BPF_F_CURRENT_NETNS, bpf_sock, bpf_sock_tuple, bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1 as Ipv4Tuple,
    bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2 as Ipv6Tuple,
};
use aya_ebpf::helpers::{bpf_sk_lookup_udp, bpf_sk_release, bpf_skc_lookup_tcp, bpf_tcp_check_syncookie};
use aya_ebpf::programs::{TcContext, XdpContext};
use scanguard_common::classify::flags::TcpFlags;
use scanguard_common::flow::Socket;
use scanguard_common::parse::Packet;
use scanguard_common::parse::network::{Family, IpProtocol};
use scanguard_common::parse::transport::Transport;
use scanguard_common::speech::Flow;

use super::size;

/// `TCP_ESTABLISHED` and `TCP_LISTEN` of `include/net/tcp_states.h`.
const TCP_ESTABLISHED: u32 = 1;
const TCP_LISTEN: u32 = 10;
/// −1 in 64 bits.
const THIS_NAMESPACE: u64 = (BPF_F_CURRENT_NETNS as i64).cast_unsigned();

/// Looks up whom the packet is for: its connection, and where there is none, a listener.
pub(super) fn find(ctx: &XdpContext, packet: &Packet) -> Socket {
    match packet.transport.protocol {
        IpProtocol::UDP => find_udp(ctx, packet),
        _ => find_tcp(ctx, packet),
    }
}

/// `bpf_skc_lookup_tcp` and not `bpf_sk_lookup_tcp`: the latter replaces a connection request by its
/// listener, and so makes the ACK that completes a handshake look like a stray.
fn find_tcp(ctx: &XdpContext, packet: &Packet) -> Socket {
    let sock = look_up_either(ctx, packet.family, &Flow::of_incoming(packet), bpf_skc_lookup_tcp);
    if sock.is_null() {
        return Socket::Absent;
    }
    // SAFETY: not null, so it is a socket whose reference we hold until `bpf_sk_release`.
    let state = unsafe { (*sock).state };
    let found = if state != TCP_LISTEN {
        Socket::Connected
    } else if packet.transport.segment.may_complete_handshake() && is_cookie(sock, packet) {
        Socket::CompletesCookie
    } else {
        Socket::Listening
    };
    // SAFETY: the reference that the look-up gave us, released once.
    unsafe { bpf_sk_release(sock.cast()) };
    found
}

/// A datagram finds a socket that is connected to its sender, which has the state of an established connection, or one
/// that is bound only.
fn find_udp(ctx: &XdpContext, packet: &Packet) -> Socket {
    let sock = look_up_either(ctx, packet.family, &Flow::of_incoming(packet), bpf_sk_lookup_udp);
    if sock.is_null() {
        return Socket::Absent;
    }
    // SAFETY: not null, so it is a socket whose reference we hold until `bpf_sk_release`.
    let found =
        if unsafe { (*sock).state } == TCP_ESTABLISHED { Socket::Connected } else { Socket::Listening };
    // SAFETY: the reference that the look-up gave us, released once.
    unsafe { bpf_sk_release(sock.cast()) };
    found
}

/// Whether a segment that leaves is from a socket of this host: of a connection, or, where it only accepts one, of a listener
/// that need not write down whom it answers (RFC 4987 §3.6). What a guest behind this host says is from none, also where
/// something here listens at the port by which the guest is known.
pub(super) fn is_from_one(ctx: &TcContext, packet: &Packet) -> bool {
    if packet.transport.protocol != IpProtocol::TCP {
        return false;
    }
    let sock = look_up_either(ctx, packet.family, &Flow::of_outgoing(packet), bpf_skc_lookup_tcp);
    if sock.is_null() {
        return false;
    }
    // SAFETY: not null, so it is a socket whose reference we hold until `bpf_sk_release`.
    let listens = unsafe { (*sock).state } == TCP_LISTEN;
    // SAFETY: the reference that the look-up gave us, released once.
    unsafe { bpf_sk_release(sock.cast()) };
    !listens || packet.transport.segment.flags.has(TcpFlags::SYN | TcpFlags::ACK)
}

/// One of the kernel's helpers that look a socket up: context, tuple, its size, network namespace, flags.
type LookUp = unsafe fn(*mut c_void, *mut bpf_sock_tuple, u32, u64, u64) -> *mut bpf_sock;

/// Names the flow as the helper wants it, seen from this host: the sender is the remote side.
#[inline(always)] // one frame on the BPF stack less
fn look_up_either<C: EbpfContext>(ctx: &C, family: Family, flow: &Flow, helper: LookUp) -> *mut bpf_sock {
    let ((remote, sport), (local, dport)) = (flow.remote(), flow.local());
    let (sport, dport) = (sport.0.to_be(), dport.0.to_be());
    match family {
        Family::V4 => {
            let ([.., saddr], [.., daddr]) = (remote.words(), local.words());
            look_up(ctx, Ipv4Tuple { saddr, daddr, sport, dport }, helper)
        }
        Family::V6 => {
            let (saddr, daddr) = (remote.words(), local.words());
            look_up(ctx, Ipv6Tuple { saddr, daddr, sport, dport }, helper)
        }
    }
}

/// Asks with a tuple of one family, by whose size the helper knows the family.
///
/// Not with the union of both: what the shorter one leaves uninitialised the verifier refuses to see copied.
fn look_up<C: EbpfContext, Tuple>(ctx: &C, mut tuple: Tuple, helper: LookUp) -> *mut bpf_sock {
    // SAFETY: `tuple` is initialised, and its size is told.
    unsafe { helper(ctx.as_ptr(), (&raw mut tuple).cast(), size::<Tuple>(), THIS_NAMESPACE, 0) }
}

/// Whether the segment acknowledges a SYN cookie that `listener` gave out.
///
/// The helper wants an IP and a TCP header, of which it reads version, addresses, ports and the two numbers.
/// They are written anew, as words, from what was parsed: then options need no thought, and no packet memory
/// is read a second time.
fn is_cookie(listener: *mut bpf_sock, packet: &Packet) -> bool {
    const NO_OPTIONS_AND_ACK: u32 = 0x5010_0000;
    let Transport { ports, segment, .. } = packet.transport;
    let tcp = [
        (u32::from(ports.source.0) << 16 | u32::from(ports.destination.0)).to_be(),
        segment.sequence.to_be(),
        segment.acknowledgement.to_be(),
        NO_OPTIONS_AND_ACK.to_be(),
        0,
    ];
    match packet.family {
        Family::V4 => {
            const VERSION_AND_LENGTH: u32 = 0x4500_0028;
            let ([.., source], [.., destination]) = (packet.source.words(), packet.destination.words());
            check_cookie(listener, [VERSION_AND_LENGTH.to_be(), 0, 0, source, destination], tcp)
        }
        Family::V6 => {
            const VERSION: u32 = 0x6000_0000;
            let ([s0, s1, s2, s3], [d0, d1, d2, d3]) = (packet.source.words(), packet.destination.words());
            check_cookie(listener, [VERSION.to_be(), 0, s0, s1, s2, s3, d0, d1, d2, d3], tcp)
        }
    }
}

fn check_cookie<Ip>(listener: *mut bpf_sock, mut ip: Ip, mut tcp: [u32; 5]) -> bool {
    // SAFETY: `listener` is a socket whose reference the caller holds; both headers are initialised and as
    // long as is said.
    let answer = unsafe {
        bpf_tcp_check_syncookie(
            listener.cast(),
            (&raw mut ip).cast(),
            size::<Ip>(),
            (&raw mut tcp).cast(),
            size::<[u32; 5]>(),
        )
    };
    answer == 0
}
