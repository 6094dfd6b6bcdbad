//! Step 3, look up: answers the engine's questions from the kernel's own tables and our maps.

mod route;
mod socket;

use core::borrow::Borrow;

use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::maps::lpm_trie::Key;
use aya_ebpf::programs::XdpContext;
use scanguard_common::flow::{self, Destination, Lookups, Socket};
use scanguard_common::key::Address;
use scanguard_common::parse::Packet;
use scanguard_common::parse::link;
use scanguard_common::schema::InterfaceSlot;
use scanguard_common::time::Nanos;

use crate::frame::PacketMemory;
use crate::maps;

/// The kernel, as the engine asks it about one frame.
pub(crate) struct Kernel<'a> {
    ctx: &'a XdpContext,
    frame: &'a PacketMemory,
    interface: InterfaceSlot,
}

impl<'a> Kernel<'a> {
    /// The kernel at the moment of `frame`, which came in on `interface`.
    pub(crate) fn new(ctx: &'a XdpContext, frame: &'a PacketMemory, interface: InterfaceSlot) -> Kernel<'a> {
        Kernel { ctx, frame, interface }
    }
}

impl Lookups for Kernel<'_> {
    fn socket(&self, packet: &Packet) -> Socket {
        socket::find(self.ctx, packet)
    }

    fn destination(&self, packet: &Packet) -> Destination {
        let Some(interface) = maps::INTERFACES.get(self.interface.number()) else {
            return Destination::Unknown;
        };
        let Some(station) = link::destination(self.frame) else { return Destination::Unknown };
        flow::station(station, interface.mac()).unwrap_or_else(|| route::destination(self.ctx, packet))
    }

    fn allows(&self, source: Address) -> bool {
        maps::ALLOWED.get(WholeAddress::new(source)).is_some()
    }

    fn spend_on_stray(&self, source: Address) -> bool {
        let key = source.words();
        let record = maps::STRAYS.get_ptr_mut(key);
        // SAFETY: a pointer from a map look-up is valid until the program ends. Another processor may change
        // the eight bytes meanwhile: they are read and written whole, and every value is a valid budget.
        let budget = record.map_or_else(Default::default, |record| unsafe { record.read() });
        let Some(rest) = budget.spend(now()) else { return false };
        match record {
            // SAFETY: as above.
            Some(record) => unsafe { record.write(rest) },
            // Where even the least recently used record cannot be had, this stray is for free.
            None => drop(maps::STRAYS.insert(key, rest, 0)),
        }
        true
    }
}

/// The key of one whole address, which the longest prefix that contains it answers.
///
/// Aligned, because aya's key is a packed struct, which without this is copied by a call to `memcpy`.
#[repr(align(4))]
struct WholeAddress(Key<[u32; 4]>);

impl WholeAddress {
    fn new(address: Address) -> WholeAddress {
        WholeAddress(Key::new(128, address.words()))
    }
}

impl Borrow<Key<[u32; 4]>> for WholeAddress {
    fn borrow(&self) -> &Key<[u32; 4]> {
        &self.0
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
