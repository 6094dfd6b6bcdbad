//! What runs in the kernel: two doors of a guarded interface.
//!
//! The path of a packet is told in `scanguard_common`; this crate puts the kernel around it. [`frame`] reads
//! packet memory, [`lookup`] answers the engine's questions from the kernel's tables and our [`maps`],
//! [`act`] turns the cause into what is done, [`remember`] keeps what this side said, [`ledger`] what sources did, and
//! [`report`] counts and tells.

#![no_std]
#![no_main]

mod act;
mod frame;
mod ledger;
mod lookup;
mod maps;
mod recent;
mod remember;
mod report;
mod verifier;

use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use scanguard_common::cause::Cause;
use scanguard_common::decide::decide;
use scanguard_common::evidence::{Kind, name_quoted};
use scanguard_common::frame::Frame as _;
use scanguard_common::parse::{Packet, parse};
use scanguard_common::recent::is_kept;
use scanguard_common::refusal::{Leaving, Refusal, leaving, silence};
use scanguard_common::schema::InterfaceSlot;

use crate::frame::PacketMemory;
use crate::lookup::{Incoming, Outgoing};

/// Ingress: judges every frame that arrives, before the host sees it.
#[xdp]
fn scanguard_in(ctx: XdpContext) -> u32 {
    let Some(interface) = InterfaceSlot::new(maps::SLOT.load()) else {
        return act::ABORT; // a fault of ours: the controller wrote a slot that does not exist
    };
    let recalled = recent::came_in(&ctx, interface);
    let frame = PacketMemory::incoming(&ctx);
    let cause = recalled.unwrap_or_else(|| judge(&ctx, interface, &frame));
    report::count(interface, cause, frame.length());
    act::on_incoming(cause)
}

/// Steps 1 to 4, and what is kept of them.
#[inline(always)] // as a function of its own it would have a frame on the BPF stack, below all others
fn judge(ctx: &XdpContext, interface: InterfaceSlot, frame: &PacketMemory) -> Cause {
    // Not taken out of its `Result`, which would copy it.
    match &understand(frame) {
        Ok(packet) => {
            let cause = verifier::forget(decide(packet, &Incoming::new(ctx, frame, interface)));
            if is_kept(cause) {
                recent::keep_what_came_in(ctx, interface, cause); // before what follows: it ends in many states
            }
            report::tell(ctx, interface, cause, packet);
            if let Some(kind) = Kind::of(cause) {
                ledger::hold(ctx, interface, (kind, cause), packet);
            }
            cause
        }
        Err(cause) => *cause,
    }
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
    let mut understood = understand(&frame);
    let Ok(packet) = &mut understood else { return act::GO_ON };
    match leaving(packet) {
        Leaving::Speech => {
            if remember::speech(packet) {
                packet.turn_round();
                ledger::hold(&ctx, interface, (Kind::Answered, act::LEAVES), packet);
            }
            recent::keep_what_leaves(&ctx, interface);
            act::GO_ON
        }
        Leaving::Refusal(refusal) => match refuse(refusal, packet, &Outgoing::new(&ctx, &frame, interface)) {
            Some(cause) => {
                let cause = verifier::forget(cause);
                remember::refusal(cause, packet);
                packet.turn_round();
                report::tell(&ctx, interface, cause, packet);
                if cause == Cause::UnreachableSilenced {
                    quoted(&frame, packet);
                }
                if let Some(kind) = Kind::of(cause) {
                    ledger::hold(&ctx, interface, (kind, cause), packet);
                }
                report::count(interface, cause, frame.length());
                act::on_outgoing(cause)
            }
            None => act::GO_ON,
        },
        Leaving::Other => act::GO_ON,
    }
}

/// Step 1 for both doors.
#[inline(never)] // the parser needs half of the stack, which the next steps need too
fn understand(frame: &PacketMemory) -> Result<Packet, Cause> {
    parse(frame)
}

/// Step 4 for what turns something away.
#[inline(never)] // as above
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
