//! Keeps what this side has said.

use aya_ebpf::helpers::generated::bpf_jiffies64;
use aya_ebpf::programs::TcContext;
use scanguard_common::cause::Cause;
use scanguard_common::classify::flags::TcpFlags;
use scanguard_common::closed::Refused;
use scanguard_common::key::{Address, spread_port};
use scanguard_common::parse::Packet;
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::schema::{FLOW_CACHE_SLOTS, OWN_FLOW_PLACES, REFUSED_PLACES};
use scanguard_common::speech::{Flow, Listened, Listener, OwnSpoken, Spoken};
use scanguard_common::time::{Nanos, Seconds};

use crate::lookup::{is_of_own_socket, now};
use crate::{maps, network};

/// Remembers the flow of a packet that leaves, and the port that accepts a connection with it. Whether it may be an
/// answer to a first contact: bulk data is not.
///
/// Each processor writes down a flow once in a while only: bulk data of a flow that it remembers costs one look into
/// its own cache.
pub(crate) fn speech(ctx: &TcContext, packet: &Packet) -> bool {
    let spread = Flow::of_outgoing(packet).spread(maps::HASH_SEED.load());
    let accepts = packet.transport.segment.flags.has(TcpFlags::SYN | TcpFlags::ACK);
    let slot = u32::try_from(spread % u64::from(FLOW_CACHE_SLOTS)).unwrap_or_default();
    let Some(cached) = maps::own(&maps::FLOW_CACHE, slot) else { return accepts };
    let entry = spread & !WHILE_MASK | a_while();
    // SAFETY: a pointer from a map look-up is valid until the program ends, and this processor's alone.
    if !accepts && unsafe { cached.read() } == entry {
        return false;
    }
    let at = now(); // once for all that follows, because that takes 20 ns
    write(ctx, packet, spread, at);
    network::speaks(packet, Seconds::of(at));
    if accepts {
        accept(packet, at);
        return true; // whoever accepts a connection has not spoken in it: what follows is written down too
    }
    // SAFETY: as above.
    unsafe { cached.write(entry) };
    packet.transport.protocol == IpProtocol::UDP
}

/// Writes a flow down. Where there is no room even for a new one, it is not known: then the kernel's own tables must do.
#[inline(never)] // seldom called, and the key would take a large part of the stack of those who are called often
fn write(ctx: &TcContext, packet: &Packet, spread: u64, at: Nanos) {
    if !is_of_own_socket(ctx) {
        let _ = maps::FLOWS.insert(Flow::of_outgoing(packet), Spoken::at(at), 0);
    } else if let Some(place) = own(spread) {
        // SAFETY: a pointer from a map look-up is valid until the program ends. Other processors may write the eight
        // bytes at the same time, all of them valid.
        unsafe { place.write(OwnSpoken::at(spread, Seconds::of(at))) };
    }
}

/// Where it is remembered that this host has spoken in a connection of its own, by the flow's spread.
pub(crate) fn own(spread: u64) -> Option<*mut OwnSpoken> {
    maps::OWN_FLOWS.get_ptr_mut(u32::try_from(spread % u64::from(OWN_FLOW_PLACES)).unwrap_or_default())
}

/// Remembers that the port is closed from which a reset would have left.
pub(crate) fn refusal(cause: Cause, packet: &Packet) {
    if cause != Cause::ResetSilenced {
        return;
    }
    let port = packet.transport.ports.source.0;
    let (spread, place) = refused(packet.source, packet.transport.protocol.0, port);
    if let Some(refused) = place {
        // SAFETY: a pointer from a map look-up is valid until the program ends. Other processors may write the eight
        // bytes at the same time, all of them valid.
        unsafe { refused.write(Refused::at(spread, Seconds::of(now()))) };
    }
}

/// Where it is remembered that a port is closed, and the port's spread.
pub(crate) fn refused(address: Address, protocol: u8, port: u16) -> (u64, Option<*mut Refused>) {
    let spread = spread_port(address, protocol, port, maps::HASH_SEED.load());
    let place = u32::try_from(spread % u64::from(REFUSED_PLACES)).unwrap_or_default();
    (spread, maps::REFUSED.get_ptr_mut(place))
}

/// The bits of a cache entry that hold the time; the lowest of the hash, which have chosen the slot already.
const WHILE_MASK: u64 = 0xfff;

/// The current while: a quarter of a second to two and a half, by how the kernel was configured. A number that comes
/// again after a quarter of an hour or more does no harm: the flow was remembered that long ago.
fn a_while() -> u64 {
    // SAFETY: the helper takes nothing and has no precondition.
    (unsafe { bpf_jiffies64() } >> 8) & WHILE_MASK
}

fn accept(packet: &Packet, at: Nanos) {
    if let Some(listened) = maps::LISTENED.get_ptr_mut(Listener::of_outgoing(packet).place()) {
        // SAFETY: a pointer from a map look-up is valid until the program ends. Other processors may write the eight
        // bytes at the same time: the same thing.
        unsafe { listened.write(Listened::at(at)) };
    }
}
