//! Step 3, look up: answers the engine's questions from the kernel's own tables and our maps.

mod asked;
mod memory;
mod route;
mod socket;

use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::helpers::generated::bpf_jiffies64;
use aya_ebpf::programs::{TcContext, XdpContext};
use scanguard_common::cause::Cause;
use scanguard_common::decide::{Mercy, Suspicion};
use scanguard_common::flow::{self, Destination, LEARNING, Lookups, Socket};
use scanguard_common::key::Address;
use scanguard_common::parse::{Packet, link, quote};
use scanguard_common::policy::{Ping, PortRule, Role};
use scanguard_common::refusal::Memory;
use scanguard_common::schema::{Interface, InterfaceSlot};
use scanguard_common::speech::{Flow, Listener};
use scanguard_common::time::Nanos;

use crate::frame::PacketMemory;
use crate::{maps, report};

pub(crate) use asked::is_of_own_socket;
pub(crate) use memory::{allows, ban, hint_at, is_hinted_at, may_be_refused};

/// The kernel, as the engine asks it about one frame that comes in, whose packet lies aside.
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

impl Incoming<'_> {
    fn interface(&self) -> Option<&Interface> {
        maps::INTERFACES.get(self.interface.number())
    }

    /// For whom the frame is, as far as its link layer tells: `None` where it is for this interface.
    fn other_station(&self, interface: &Interface) -> Option<Destination> {
        link::destination(self.frame)
            .map_or(Some(Destination::Unknown), |mac| flow::station(mac, interface.mac()))
    }
}

impl Lookups for Incoming<'_> {
    fn socket(&self, _: &Packet) -> Socket {
        asked::socket(self.ctx)
    }

    fn ban(&self, packet: &Packet) -> Option<Cause> {
        if may_be_refused(packet.sender()) { asked::ban() } else { None }
    }

    fn port_rule(&self, packet: &Packet) -> PortRule {
        maps::PORT_RULES.get(u32::from(packet.transport.ports.destination.0)).copied().unwrap_or_default()
    }

    fn answers_pings(&self) -> bool {
        self.interface().is_none_or(|interface| interface.ping() == Ping::Answer)
    }

    fn was_dropped_lately(&self, packet: &Packet, cause: Cause) -> bool {
        if self.interface().is_none_or(|interface| self.other_station(interface).is_some()) {
            return false;
        }
        let (spread, Some(gate)) = report::gate(packet.source, packet.destination, cause) else {
            return false;
        };
        // SAFETY: a pointer from a map look-up is valid until the program ends, and this processor's alone.
        unsafe { gate.read() }.holds(spread, coarse())
    }

    fn destination(&self, packet: &Packet) -> Destination {
        let Some(interface) = self.interface() else { return Destination::Unknown };
        let destination = self.other_station(interface);
        interface.role().settle(destination.unwrap_or_else(|| route::destination(self.ctx, packet)))
    }

    fn allows(&self, source: Address) -> bool {
        allows(source)
    }

    fn is_closed(&self, packet: &Packet) -> bool {
        let Some(interface) = self.interface() else { return false };
        interface.closed_ports().says_closed(|| memory::was_refused(packet))
    }

    fn is_learning(&self) -> bool {
        self.interface().is_none_or(|interface| now().since(interface.guarded_since()) < LEARNING)
    }

    fn has_spoken(&self, _: &Packet) -> bool {
        asked::has_spoken()
    }

    fn listened_lately(&self, listener: Listener) -> bool {
        memory::listened_lately(listener)
    }

    fn spend_on_stray(&self, _: Address) -> bool {
        asked::spend_on_stray()
    }

    fn suspect(&self, _: &Packet) -> Suspicion {
        asked::suspect(self.ctx)
    }

    fn mercy(&self, _: &Packet) -> Mercy {
        asked::mercy(self.ctx)
    }
}

/// The kernel, as the engine asks it about one packet that leaves.
pub(crate) struct Outgoing<'a> {
    ctx: &'a TcContext,
    frame: &'a PacketMemory,
    interface: InterfaceSlot,
}

impl<'a> Outgoing<'a> {
    /// The kernel at the moment of a packet that leaves by `interface`.
    pub(crate) fn new(ctx: &'a TcContext, frame: &'a PacketMemory, interface: InterfaceSlot) -> Outgoing<'a> {
        Outgoing { ctx, frame, interface }
    }
}

impl Memory for Outgoing<'_> {
    fn is_ours(&self, packet: &Packet) -> bool {
        let interface = maps::INTERFACES.get(self.interface.number());
        interface.is_some_and(|interface| interface.role() == Role::Gateway)
            || route::is_ours(self.ctx, packet)
    }

    fn closed_ports_answer(&self) -> bool {
        let interface = maps::INTERFACES.get(self.interface.number());
        interface.is_none_or(|interface| interface.closed_ports().answer())
    }

    fn quotes_an_answer(&self, message: &Packet) -> bool {
        quote::flow(self.frame, message).is_some_and(|flow| memory::has_spoken(&flow))
    }

    fn allows(&self, peer: Address) -> bool {
        allows(peer)
    }

    fn has_spoken(&self, flow: &Flow) -> bool {
        memory::has_spoken(flow)
    }

    fn listened_lately(&self, listener: Listener) -> bool {
        memory::listened_lately(listener)
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

/// A clock that goes on once a tick, and that nobody else shares: what is measured by it is only ever compared with what
/// was. It costs 1 ns where the monotonic clock costs 20.
pub(crate) fn coarse() -> Nanos {
    Nanos(ticks().wrapping_mul(maps::TICK.load()))
}

/// The same in ticks.
pub(crate) fn ticks() -> u64 {
    // SAFETY: as above.
    unsafe { bpf_jiffies64() }
}

/// The size of something, as the kernel's helpers want to be told it.
const fn size<T>() -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "it lies on the stack, which has 512 bytes")]
    let size = size_of::<T>() as u32;
    size
}
