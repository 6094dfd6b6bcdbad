//! The engine's questions about the packet that came in, and lies aside, as global functions: see [`aside`].

use aya_ebpf::bindings::xdp_md;
use aya_ebpf::programs::XdpContext;
use scanguard_common::cause::Cause;
use scanguard_common::flow::{Destination, Socket};
use scanguard_common::speech::Flow;

use super::{memory, route, socket};
use crate::aside::{self, Door};

/// Which socket it is for.
pub(super) fn socket(ctx: &XdpContext) -> Socket {
    match scanguard_socket(ctx.ctx) {
        CONNECTED => Socket::Connected,
        COMPLETES_COOKIE => Socket::CompletesCookie,
        LISTENING => Socket::Listening,
        _ => Socket::Absent,
    }
}

/// For which host it is.
pub(super) fn destination(ctx: &XdpContext) -> Destination {
    match scanguard_route(ctx.ctx) {
        OURS => Destination::Ours,
        OURS_OR_TRANSLATED => Destination::OursOrTranslated,
        FORWARDED => Destination::Forwarded,
        _ => Destination::Unknown,
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

/// Whether its source is allowed.
pub(super) fn allows() -> bool {
    scanguard_allows() != 0
}

/// Whether this side has spoken in its flow.
pub(super) fn has_spoken() -> bool {
    scanguard_spoken() != 0
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

const OURS: u32 = 1;
const OURS_OR_TRANSLATED: u32 = 2;
const FORWARDED: u32 = 3;
const UNKNOWN: u32 = 0;

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn scanguard_route(ctx: *mut xdp_md) -> u32 {
    let Some(packet) = aside::get(Door::In) else { return UNKNOWN };
    match route::destination(&XdpContext::new(ctx), packet) {
        Destination::Ours => OURS,
        Destination::OursOrTranslated => OURS_OR_TRANSLATED,
        Destination::Forwarded => FORWARDED,
        Destination::Group | Destination::OtherStation | Destination::Unknown => UNKNOWN,
    }
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
extern "C" fn scanguard_allows() -> u32 {
    aside::get(Door::In).is_some_and(|packet| memory::allows(packet.source)).into()
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
