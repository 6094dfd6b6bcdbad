//! Keeps what this side has said.

use aya_ebpf::helpers::generated::bpf_jiffies64;
use scanguard_common::classify::flags::TcpFlags;
use scanguard_common::key::spread_flow;
use scanguard_common::parse::Packet;
use scanguard_common::schema::FLOW_CACHE_SLOTS;
use scanguard_common::speech::{Flow, Listened, Spoken};

use crate::lookup::now;
use crate::maps;

/// Remembers the flow of a packet that leaves, and the port that accepts a connection with it.
///
/// Each processor writes down a flow once in a while only: bulk data of a flow that it remembers costs one look into
/// its own cache.
pub(crate) fn speech(packet: &Packet) {
    let flow = Flow::of_outgoing(packet);
    let spread = spread_flow(flow.words(), maps::HASH_SEED.load());
    let flags = packet.transport.segment.flags;
    if flags.has(TcpFlags::SYN | TcpFlags::ACK) {
        accept(packet);
    }
    let slot = u32::try_from(spread % u64::from(FLOW_CACHE_SLOTS)).unwrap_or_default();
    let Some(cached) = maps::FLOW_CACHE.get_ptr_mut(slot) else { return };
    let entry = spread & !WHILE_MASK | a_while();
    // SAFETY: a pointer from a map look-up is valid until the program ends, and this processor's alone.
    if unsafe { cached.read() } == entry {
        return;
    }
    // Where there is no room even for a new flow, it is not known: then the kernel's own tables must do.
    let _ = maps::FLOWS.insert(flow, Spoken::at(now()), 0);
    // SAFETY: as above.
    unsafe { cached.write(entry) };
}

/// The bits of a cache entry that hold the time; the lowest of the hash, which have chosen the slot already.
const WHILE_MASK: u64 = 0xfff;

/// The current while: a quarter of a second to two and a half, by how the kernel was configured. A number that comes
/// again after a quarter of an hour or more does no harm: the flow was remembered that long ago.
fn a_while() -> u64 {
    // SAFETY: the helper takes nothing and has no precondition.
    (unsafe { bpf_jiffies64() } >> 8) & WHILE_MASK
}

fn accept(packet: &Packet) {
    let port = u32::from(packet.transport.ports.source.0);
    if let Some(listened) = maps::LISTENED.get_ptr_mut(port) {
        // SAFETY: a pointer from a map look-up is valid until the program ends. Other processors may write the eight
        // bytes at the same time: the same thing.
        unsafe { listened.write(Listened::at(now())) };
    }
}
