//! What runs in the kernel: one door, the ingress of a guarded interface.
//!
//! The path of a packet is told in `scanguard_common`; this crate puts the kernel around it. [`frame`] reads
//! packet memory, [`lookup`] answers the engine's questions from the kernel's tables and our [`maps`],
//! [`act`] turns the cause into what XDP does, and [`report`] counts and tells.

#![no_std]
#![no_main]

mod act;
mod frame;
mod lookup;
mod maps;
mod report;

use aya_ebpf::bindings::xdp_action;
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use scanguard_common::decide::decide;
use scanguard_common::parse::parse;
use scanguard_common::schema::InterfaceSlot;

use crate::frame::PacketMemory;
use crate::lookup::Kernel;

/// Ingress: judges every frame that arrives, before the host sees it.
#[xdp]
fn scanguard_in(ctx: XdpContext) -> u32 {
    let Some(interface) = InterfaceSlot::new(maps::SLOT.load()) else {
        return xdp_action::XDP_ABORTED; // a fault of ours: the controller wrote a slot that does not exist
    };
    let frame = PacketMemory::new(&ctx);
    let cause = match parse(&frame) {
        Ok(packet) => {
            let cause = decide(&packet, &Kernel::new(&ctx, &frame, interface));
            report::tell(&ctx, interface, cause, &packet);
            cause
        }
        Err(cause) => cause,
    };
    report::count(interface, cause, &frame);
    act::act(cause)
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
