//! Step 1, parse: puts aside what a frame says.

use core::hint::black_box;

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::programs::{TcContext, XdpContext};
use scanguard_common::cause::Cause;
use scanguard_common::frame::Frame as _;
use scanguard_common::parse::{Packet, parse};

use crate::aside::{self, Door};
use crate::frame::PacketMemory;

/// Understands a frame that came in, or says why not.
pub(crate) fn incoming(ctx: &XdpContext, frame: &PacketMemory) -> Result<&'static mut Packet, Cause> {
    result(Door::In, scanguard_parse_in(ctx.ctx, frame.length()))
}

/// Understands a packet that leaves, or says why not.
pub(crate) fn outgoing(ctx: &TcContext, frame: &PacketMemory) -> Result<&'static mut Packet, Cause> {
    result(Door::Out, scanguard_parse_out(ctx.skb.skb, frame.length()))
}

#[unsafe(no_mangle)]
#[inline(never)] // a global function: see `aside`
extern "C" fn scanguard_parse_in(ctx: *mut xdp_md, length: usize) -> u32 {
    understand(&PacketMemory::incoming(&XdpContext::new(ctx)).of_length(length), Door::In)
}

#[unsafe(no_mangle)]
#[inline(never)] // as above
extern "C" fn scanguard_parse_out(ctx: *mut __sk_buff, length: usize) -> u32 {
    understand(&PacketMemory::outgoing(&TcContext::new(ctx)).of_length(length), Door::Out)
}

/// More than the index of any cause.
const UNDERSTOOD: u32 = 1 << 8;

#[inline(always)] // one frame on the BPF stack less
fn understand(frame: &PacketMemory, door: Door) -> u32 {
    match &parse(frame) {
        Ok(packet) => {
            aside::put(door, packet);
            UNDERSTOOD
        }
        Err(cause) => u32::from(cause.index()),
    }
}

fn result(door: Door, code: u32) -> Result<&'static mut Packet, Cause> {
    if code == UNDERSTOOD {
        return aside::get(door).ok_or(Cause::UnknownDestination);
    }
    // The compiler would compare one copy of the number with the end of the table, and look there with another.
    let [index, ..] = black_box(code).to_le_bytes();
    Err(Cause::from_index(index).unwrap_or(Cause::UnknownDestination))
}
