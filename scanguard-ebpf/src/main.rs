//! What runs in the kernel: two doors of a guarded interface.
//!
//! The path of a packet is told in `scanguard_common`; this crate puts the kernel around it. What was decided a moment
//! ago is [`recent`]. Else [`frame`] reads packet memory, [`understand`] puts aside what it says, [`lookup`] answers the
//! engine's questions about the packet that lies [`aside`], from the kernel's tables and our [`maps`], and [`traces`]
//! finds the marks of tools. [`act`] turns the cause into what is done; its [`consequences`] are that [`ledger`] keeps
//! what sources did, [`target`] what they did together and [`network`] which neighbours they have, and that [`report`]
//! counts and tells. [`remember`] keeps what this side said.

#![no_std]
#![no_main]

mod act;
mod aside;
mod consequences;
mod frame;
mod ledger;
mod lookup;
mod maps;
mod network;
mod recent;
mod remember;
mod report;
mod target;
mod traces;
mod understand;

use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use scanguard_common::cause::{Action, Cause};
use scanguard_common::count::Note;
use scanguard_common::decide::decide;
use scanguard_common::evidence::{Kind, name_quoted};
use scanguard_common::frame::Frame as _;
use scanguard_common::mark::{self, Reason, is_of_consequence};
use scanguard_common::parse::Packet;
use scanguard_common::recent::{is_kept, is_kept_of_a_crowd};
use scanguard_common::refusal::{Leaving, Refusal, leaving, silence};
use scanguard_common::schema::InterfaceSlot;

use crate::consequences::NOT_ASKED;
use crate::frame::PacketMemory;
use crate::lookup::{Incoming, Outgoing, now};

/// Ingress: judges every frame that arrives, before the host sees it.
#[xdp]
fn scanguard_in(ctx: XdpContext) -> u32 {
    judge(&ctx, &PacketMemory::incoming(&ctx))
}

/// The same where frames may be so large that they lie in several pieces. Linux has that since 5.18, and before it refuses
/// this program and knows not the helper that it asks for the length.
#[xdp(frags)]
fn scanguard_frags(ctx: XdpContext) -> u32 {
    judge(&ctx, &PacketMemory::incoming_in_pieces(&ctx))
}

#[inline(always)] // the body of either: a call would cost each frame, and a part of the stack
fn judge(ctx: &XdpContext, frame: &PacketMemory) -> u32 {
    let Some(interface) = InterfaceSlot::new(maps::SLOT.load()) else {
        return act::ABORT; // a fault of ours: the controller wrote a slot that does not exist
    };
    let (cause, action) = match recent::came_in(ctx, frame, interface) {
        Some(recalled) => recalled,
        None => {
            let cause = decide_anew(XdpContext::new(ctx.ctx), interface, frame.length());
            (cause, cause.action())
        }
    };
    report::count(interface, cause, frame.length());
    report::say(ctx, interface, cause);
    act::on_incoming(action)
}

/// Steps 1 to 4 for a frame of so many bytes, and what is kept of them.
#[inline(never)] // it gets nothing by reference, so that frames that were seen a moment ago need not write it down
fn decide_anew(ctx: XdpContext, interface: InterfaceSlot, length: usize) -> Cause {
    let frame = PacketMemory::incoming(&ctx).of_length(length);
    let packet = match understand::incoming(&ctx, &frame) {
        Ok(packet) => packet,
        Err(cause) => return cause,
    };
    let kernel = Incoming::new(&ctx, &frame, interface);
    let cause = decide(packet, &kernel);
    if is_kept(cause) {
        recent::keep_what_came_in(&ctx, cause);
    }
    if !is_of_consequence(cause) {
        return cause;
    }
    let mut at = NOT_ASKED;
    if cause.action() == Action::Drop {
        at = now();
        if ledger::turns_away(cause, at) {
            report::note(Note::Crowded);
            if is_kept_of_a_crowd(cause) {
                recent::keep_what_came_in(&ctx, cause);
            }
            return cause;
        }
    }
    let reason = mark::settle(cause, traces::find(&ctx, cause), packet, &kernel);
    consequences::of_incoming(&ctx, &reason, at);
    reason.cause
}

/// Egress: remembers what this side says, and keeps its refusals from scanners.
#[classifier]
fn scanguard_out(ctx: TcContext) -> i32 {
    let Some(interface) = InterfaceSlot::new(maps::SLOT.load()) else {
        return act::GO_ON; // a fault of ours, as above, which must not cut this host off
    };
    if recent::has_left(&ctx, interface) {
        return act::GO_ON;
    }
    let frame = PacketMemory::outgoing(&ctx);
    let Ok(packet) = understand::outgoing(&ctx, &frame) else { return act::GO_ON };
    match leaving(packet) {
        Leaving::Speech => {
            if remember::speech(&ctx, packet) {
                packet.turn_round();
                consequences::of_outgoing(&ctx, Some(Kind::Answered), &Reason::of(act::LEAVES));
            }
            recent::keep_what_leaves(&ctx, interface);
            act::GO_ON
        }
        Leaving::Refusal(refusal) => match refuse(refusal, packet, &Outgoing::new(&ctx, &frame, interface)) {
            Some(cause) => {
                remember::refusal(cause, packet);
                packet.turn_round();
                let reason = Reason::of(cause);
                if cause == Cause::UnreachableSilenced {
                    quoted(&frame, packet);
                }
                consequences::of_outgoing(&ctx, reason.kind(), &reason);
                report::count(interface, cause, frame.length());
                act::on_outgoing(cause.action())
            }
            None => act::GO_ON,
        },
        Leaving::Other => act::GO_ON,
    }
}

/// Step 4 for what turns something away.
#[inline(never)] // it needs a part of the stack, which the next steps need too
fn refuse(refusal: Refusal, packet: &Packet, memory: &Outgoing<'_>) -> Option<Cause> {
    silence(refusal, packet, memory)
}

/// Says of an error that was turned away which packet it is about.
#[inline(never)] // seldom called, and it would take a part of the stack of those who are called often
fn quoted(frame: &PacketMemory, error: &mut Packet) {
    name_quoted(frame, error);
}

/// The programs use helpers that the kernel offers only to programs under a licence compatible with the
/// GPL: `bpf_fib_lookup` is one of them.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// The verifier proves that nothing gets here, so this may be anything that does not return.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
