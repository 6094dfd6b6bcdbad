//! Step 3, look up: answers the engine's questions from the kernel's own tables and our maps.

mod memory;
mod route;
mod socket;

use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::programs::{TcContext, XdpContext};
use scanguard_common::flow::{self, Destination, Lookups, Socket};
use scanguard_common::key::Address;
use scanguard_common::parse::Packet;
use scanguard_common::parse::link;
use scanguard_common::parse::transport::Port;
use scanguard_common::policy::ClosedPorts;
use scanguard_common::refusal::Memory;
use scanguard_common::schema::InterfaceSlot;
use scanguard_common::speech::Flow;
use scanguard_common::time::Nanos;

use crate::frame::PacketMemory;
use crate::maps;

/// The kernel, as the engine asks it about one frame that comes in.
pub(crate) struct Incoming<'a> {
    ctx: &'a XdpContext,
    frame: &'a PacketMemory,
    interface: InterfaceSlot,
}

impl<'a> Incoming<'a> {
    /// The kernel at the moment of `frame`, which came in on `interface`.
    pub(crate) fn new(
        ctx: &'a XdpContext,
        frame: &'a PacketMemory,
        interface: InterfaceSlot,
    ) -> Incoming<'a> {
        Incoming { ctx, frame, interface }
    }
}

impl Lookups for Incoming<'_> {
    fn socket(&self, packet: &Packet) -> Socket {
        socket::find(self.ctx, packet)
    }

    fn destination(&self, packet: &Packet) -> Destination {
        let Some(interface) = maps::INTERFACES.get(self.interface.number()) else {
            return Destination::Unknown;
        };
        let Some(station) = link::destination(self.frame) else { return Destination::Unknown };
        let destination = flow::station(station, interface.mac());
        interface.closed_ports().settle(destination.unwrap_or_else(|| route::destination(self.ctx, packet)))
    }

    fn allows(&self, source: Address) -> bool {
        memory::allows(source)
    }

    fn has_spoken(&self, packet: &Packet) -> bool {
        memory::has_spoken(&Flow::of_incoming(packet))
    }

    fn listened_lately(&self, port: Port) -> bool {
        memory::listened_lately(port)
    }

    fn spend_on_stray(&self, sender: Address) -> bool {
        memory::spend_on_stray(sender)
    }
}

/// The kernel, as the engine asks it about one packet that leaves.
pub(crate) struct Outgoing<'a> {
    ctx: &'a TcContext,
    interface: InterfaceSlot,
}

impl<'a> Outgoing<'a> {
    /// The kernel at the moment of a packet that leaves by `interface`.
    pub(crate) fn new(ctx: &'a TcContext, interface: InterfaceSlot) -> Outgoing<'a> {
        Outgoing { ctx, interface }
    }
}

impl Memory for Outgoing<'_> {
    fn is_ours(&self, packet: &Packet) -> bool {
        route::is_ours(self.ctx, packet)
    }

    fn closed_ports_answer(&self) -> bool {
        let interface = maps::INTERFACES.get(self.interface.number());
        interface.is_none_or(|interface| interface.closed_ports() == ClosedPorts::Pass)
    }

    fn allows(&self, peer: Address) -> bool {
        memory::allows(peer)
    }

    fn has_spoken(&self, flow: &Flow) -> bool {
        memory::has_spoken(flow)
    }

    fn listened_lately(&self, port: Port) -> bool {
        memory::listened_lately(port)
    }

    fn spend_on_reset(&self, peer: Address) -> bool {
        memory::spend_on_reset(peer)
    }
}

/// The kernel's monotonic clock.
pub(crate) fn now() -> Nanos {
    // SAFETY: the helper takes nothing and has no precondition.
    Nanos(unsafe { bpf_ktime_get_ns() })
}

/// The size of something, as the kernel's helpers want to be told it.
const fn size<T>() -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "it lies on the stack, which has 512 bytes")]
    let size = size_of::<T>() as u32;
    size
}
