//! The engine's questions about the packet that lies aside, as global functions: see [`aside`].

use core::hint::black_box;

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::programs::{TcContext, XdpContext};
use scanguard_common::cause::Cause;
use scanguard_common::decide::{self, Mercy, Suspicion};
use scanguard_common::flow::Socket;
use scanguard_common::parse::Packet;
use scanguard_common::schema::InterfaceSlot;
use scanguard_common::speech::Flow;

use super::{Incoming, memory, socket};
use crate::aside::{self, Door};
use crate::frame::PacketMemory;
use crate::maps;

/// What speaks against it.
pub(super) fn suspect(ctx: &XdpContext) -> Suspicion {
    // As in `understand`: the compiler would use another copy of the number than the one that it compared.
    let number = black_box(scanguard_suspect(ctx.ctx));
    Suspicion::from_number(number).unwrap_or(Suspicion::None(Cause::UnknownDestination))
}

/// What speaks for it.
pub(super) fn mercy(ctx: &XdpContext) -> Mercy {
    let number = black_box(scanguard_mercy(ctx.ctx));
    Mercy::from_number(number).unwrap_or(Mercy::Passes(Cause::UnknownDestination))
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn scanguard_suspect(ctx: *mut xdp_md) -> u32 {
    judged(ctx, |packet, kernel| decide::suspect(packet, kernel).number())
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn scanguard_mercy(ctx: *mut xdp_md) -> u32 {
    judged(ctx, |packet, kernel| decide::mercy(packet, kernel).number())
}

/// Asks about the packet; about none, all is said with the number of no cause.
#[inline(always)] // one frame on the BPF stack less
fn judged(ctx: *mut xdp_md, ask: impl FnOnce(&Packet, &Incoming<'_>) -> u32) -> u32 {
    let (Some(packet), Some(interface)) = (aside::get(Door::In), InterfaceSlot::new(maps::SLOT.load()))
    else {
        return u32::MAX;
    };
    let ctx = XdpContext::new(ctx);
    let frame = PacketMemory::incoming(&ctx);
    ask(packet, &Incoming::new(&ctx, &frame, interface))
}

/// Which socket it is for.
pub(super) fn socket(ctx: &XdpContext) -> Socket {
    match scanguard_socket(ctx.ctx) {
        CONNECTED => Socket::Connected,
        COMPLETES_COOKIE => Socket::CompletesCookie,
        LISTENING => Socket::Listening,
        _ => Socket::Absent,
    }
}

/// Why new contacts of its source are refused.
pub(super) fn ban() -> Option<Cause> {
    match scanguard_ban() {
        BANNED => Some(Cause::Banned),
        BANNED_NETWORK => Some(Cause::BannedNetwork),
        DENIED => Some(Cause::Denied),
        _ => None,
    }
}

/// Whether this side has spoken in its flow.
pub(super) fn has_spoken() -> bool {
    scanguard_spoken() != 0
}

/// Whether a packet that leaves belongs to a TCP socket of this host, or to one that listens.
pub(crate) fn is_of_own_socket(ctx: &TcContext) -> bool {
    scanguard_own(ctx.skb.skb) != 0
}

/// Spends on it, if it is a segment of no connection.
pub(super) fn spend_on_stray() -> bool {
    scanguard_stray() != 0
}

const CONNECTED: u32 = 1;
const COMPLETES_COOKIE: u32 = 2;
const LISTENING: u32 = 3;
const ABSENT: u32 = 0;

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn scanguard_socket(ctx: *mut xdp_md) -> u32 {
    let Some(packet) = aside::get(Door::In) else { return ABSENT };
    match socket::find(&XdpContext::new(ctx), packet) {
        Socket::Connected => CONNECTED,
        Socket::CompletesCookie => COMPLETES_COOKIE,
        Socket::Listening => LISTENING,
        Socket::Absent => ABSENT,
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn scanguard_own(ctx: *mut __sk_buff) -> u32 {
    let Some(packet) = aside::get(Door::Out) else { return 0 };
    socket::is_from_one(&TcContext::new(ctx), packet).into()
}

const BANNED: u32 = 1;
const BANNED_NETWORK: u32 = 2;
const DENIED: u32 = 3;

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn scanguard_ban() -> u32 {
    let Some(packet) = aside::get(Door::In) else { return 0 };
    match memory::ban(packet.sender(), packet.source) {
        Some(Cause::Banned) => BANNED,
        Some(Cause::BannedNetwork) => BANNED_NETWORK,
        Some(_) => DENIED,
        None => 0,
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn scanguard_spoken() -> u32 {
    aside::get(Door::In).is_some_and(|packet| memory::has_spoken(&Flow::of_incoming(packet))).into()
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn scanguard_stray() -> u32 {
    aside::get(Door::In).is_some_and(|packet| memory::spend_on_stray(packet.sender())).into()
}
