//! The only place that reads packet memory.

use aya_ebpf::helpers::generated::bpf_xdp_get_buff_len;
use aya_ebpf::programs::{TcContext, XdpContext};
use scanguard_common::frame::Frame;

use crate::aside;

/// The memory between `data` and `data_end` of one packet's buffer.
pub(crate) struct PacketMemory {
    start: usize,
    end: usize,
    length: usize,
}

/// No offset is larger than this: the verifier must know a bound before it adds an offset to a packet
/// pointer, and a small one (its own is 65 535) keeps the sum of several within what it accepts.
const MAX_OFFSET: usize = 0x3fff;

/// The largest number of bytes that are read at once.
const LONGEST: usize = 40;

impl PacketMemory {
    /// The memory of the frame that came in.
    pub(crate) fn incoming(ctx: &XdpContext) -> PacketMemory {
        // SAFETY: the context that the program was called with.
        let (start, end) =
            unsafe { (read(&raw const (*ctx.ctx).data), read(&raw const (*ctx.ctx).data_end)) };
        PacketMemory { start, end, length: end - start }
    }

    /// The memory of a frame that came in and may lie in several pieces: the first of them, in which its headers are.
    pub(crate) fn incoming_in_pieces(ctx: &XdpContext) -> PacketMemory {
        // SAFETY: the context that the program was called with.
        let length = unsafe { bpf_xdp_get_buff_len(ctx.ctx) };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        PacketMemory { start: ctx.data(), end: ctx.data_end(), length }
    }

    /// The same memory, of a frame that is so long.
    pub(crate) fn of_length(self, length: usize) -> PacketMemory {
        PacketMemory { length, ..self }
    }

    /// The memory of the packet that goes out: its headers, while the rest may lie elsewhere.
    pub(crate) fn outgoing(ctx: &TcContext) -> PacketMemory {
        // SAFETY: as above.
        let (start, end) =
            unsafe { (read(&raw const (*ctx.skb.skb).data), read(&raw const (*ctx.skb.skb).data_end)) };
        PacketMemory { start, end, length: ctx.len() as usize }
    }
}

/// Reads one end of packet memory, in whichever function it is asked for.
///
/// Volatile, because the compiler may read it on behalf of a function before it calls it, and hands it over as half a
/// word: "R1 pointer arithmetic with <<= operator prohibited".
///
/// # Safety
///
/// `end` must be a field of the context that the program was called with.
unsafe fn read(end: *const u32) -> usize {
    // SAFETY: as the caller promises.
    unsafe { end.read_volatile() as usize }
}

impl Frame for PacketMemory {
    #[inline(always)] // else: "R2 pointer arithmetic on pkt_end prohibited", bounds are lost across a call
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        if offset > MAX_OFFSET {
            return None;
        }
        let at = self.start + offset;
        if at + N > self.end {
            return None;
        }
        // SAFETY: `at` is not before the start of the packet because `offset` is not negative, and its `N`
        // bytes end at or before `data_end` by the check above, which is also the one the verifier demands.
        // Integers have no invalid values. Their alignment is that of the frame: the instruction minds none, and where the
        // machine does, the verifier refuses it. `read_unaligned` would become a load of each byte.
        Some(unsafe {
            if N.is_multiple_of(8) {
                let words: [u64; LONGEST / 8] =
                    core::array::from_fn(|i| if i * 8 < N { (at as *const u64).add(i).read() } else { 0 });
                core::mem::transmute_copy(&words)
            } else if N.is_multiple_of(4) {
                let words: [u32; LONGEST / 4] =
                    core::array::from_fn(|i| if i * 4 < N { (at as *const u32).add(i).read() } else { 0 });
                core::mem::transmute_copy(&words)
            } else if N.is_multiple_of(2) {
                let halves: [u16; LONGEST / 2] =
                    core::array::from_fn(|i| if i * 2 < N { (at as *const u16).add(i).read() } else { 0 });
                core::mem::transmute_copy(&halves)
            } else {
                (at as *const [u8; N]).read()
            }
        })
    }

    fn length(&self) -> usize {
        self.length
    }

    #[inline(always)] // as above
    fn forgotten(&self, number: u32) -> u32 {
        aside::forgotten(number)
    }
}
