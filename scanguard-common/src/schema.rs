//! The contract between the programs in the kernel and the controller in user space.

use crate::parse::link::MacAddress;
use crate::policy::{ClosedPorts, Ping, Policy, Role};
use crate::time::Nanos;

/// The number of this contract: raised whenever a map's key, value, size or meaning changes. It is kept with
/// the pins, and a controller of another number touches nothing.
pub const SCHEMA: u32 = 1;

/// How many interfaces can be guarded at once.
pub const MAX_INTERFACES: u32 = 64;

/// How many prefixes the allowlist holds at most.
pub const MAX_ALLOWED: u32 = 65_536;

/// How many sources' stray budgets are remembered; beyond it, those that were used longest ago are forgotten.
pub const MAX_STRAY_SOURCES: u32 = 16_384;

/// How many flows are remembered in which this side has spoken.
pub const MAX_FLOWS: u32 = 65_536;

/// How many flows each processor knows to have been remembered just now.
pub const FLOW_CACHE_SLOTS: u32 = 4_096;

/// How many ports there are.
pub const PORTS: u32 = 65_536;

/// How many (source, cause) pairs each processor can keep apart when it limits the rate of events.
pub const EVENT_GATES: u32 = 4_096;

/// Bytes of the ring buffer: a power of two and a multiple of the page size.
pub const EVENT_RING_BYTES: u32 = 1 << 20;

/// The place of one guarded interface in all tables that are kept for each interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceSlot(u32);

impl InterfaceSlot {
    /// The slot of this number, if there is one.
    pub fn new(number: u32) -> Option<InterfaceSlot> {
        (number < MAX_INTERFACES).then_some(InterfaceSlot(number))
    }

    /// All slots.
    pub fn all() -> impl Iterator<Item = InterfaceSlot> {
        (0..MAX_INTERFACES).map(InterfaceSlot)
    }

    /// 0 to [`MAX_INTERFACES`] − 1.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// What the programs must know of one guarded interface.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    guarded_since: u64,
    index: u32,
    mac: [u8; 6],
    closed_ports: u8,
    ping: u8,
    role: u8,
    _unused: [u8; 3],
}

const _: () = assert!(size_of::<Interface>() == 24);

impl Interface {
    /// The interface of this index (never 0) and link-layer address, guarded from now on as the operator chose.
    pub fn new(index: u32, mac: MacAddress, policy: Policy, now: Nanos) -> Interface {
        Interface {
            guarded_since: now.0,
            index,
            mac: mac.0,
            closed_ports: policy.closed_ports.number(),
            ping: policy.ping.number(),
            role: policy.role.number(),
            _unused: [0; 3],
        }
    }

    /// The kernel's number for the interface, or `None` where the slot is free.
    pub fn index(&self) -> Option<u32> {
        (self.index != 0).then_some(self.index)
    }

    /// The address for which frames must be to be judged.
    pub fn mac(&self) -> MacAddress {
        MacAddress(self.mac)
    }

    /// Since when it is guarded.
    pub fn guarded_since(&self) -> Nanos {
        Nanos(self.guarded_since)
    }

    /// At which door it is decided that a port is closed.
    ///
    /// Read by itself, because whole policies cost the program 32 bytes of stack where Linux 5.10 has none to spare:
    /// "combined stack size of 3 calls is 544. Too large".
    pub fn closed_ports(&self) -> ClosedPorts {
        ClosedPorts::from_number(self.closed_ports)
    }

    /// What the operator chose for it.
    pub fn policy(&self) -> Policy {
        Policy {
            closed_ports: self.closed_ports(),
            ping: Ping::from_number(self.ping),
            role: Role::from_number(self.role),
        }
    }
}

/// The entry of an allowed prefix. The prefix itself is the key.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Seconds since 1970 when it was allowed: for people, not read by the programs.
    pub since: u64,
}

const _: () = assert!(size_of::<Allowed>() == 8);
