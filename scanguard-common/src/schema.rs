//! The contract between the programs in the kernel and the controller in user space.

use crate::classify::signature::{Ballot, Knowledge, PUBLIC_ADDRESSES};
use crate::parse::link::MacAddress;
use crate::policy::{ClosedPorts, Judgement, Ping, Policy, Role};
use crate::time::{Nanos, Seconds};

/// The number of this contract: raised whenever a map's key, value, size or meaning changes. It is kept with
/// the pins, and a controller of another number touches nothing.
pub const SCHEMA: u32 = 7;

/// How many interfaces can be guarded at once.
pub const MAX_INTERFACES: u32 = 64;

/// How many prefixes the allowlist, and the operator's list of bans, hold at most: memory is taken for those that are
/// there.
pub const MAX_PREFIXES: u32 = 1 << 20;

/// How many sources are under observation at once; beyond it, those that were heard of longest ago are forgotten.
pub const MAX_SOURCES: u32 = 65_536;

/// Of how many sources the latest contacts are kept.
pub const MAX_TRAILS: u32 = 8_192;

/// Of how many destinations it is kept what is tried there.
pub const MAX_TARGETS: u32 = 1_024;

/// Of how many windows of time it is kept that a shared scan was recognised in them.
pub const MAX_INCIDENTS: u32 = 1_024;

/// Of how many networks it is known which of their sources are banned.
pub const MAX_NETWORKS: u32 = 4_096;

/// How many networks are banned at once.
pub const MAX_NETWORK_BANS: u32 = 4_096;

/// How many networks of peers can be told apart.
pub const PEER_PLACES: u32 = 65_536;

/// How many sources are banned at once.
pub const MAX_BANS: u32 = 65_536;

/// How many addresses are kept that are never banned.
pub const MAX_SPARED: u32 = 1_024;

/// How many sources can wait at the door for a second contact.
pub const DOOR_PLACES: u32 = 65_536;

/// How many closed ports are remembered at once.
pub const REFUSED_PLACES: u32 = 65_536;

/// How many sources leave something behind with which their next packet is compared.
pub const TRACE_PLACES: u32 = 16_384;

/// For how many of this host's addresses it is learned as which others they are scanned.
pub const BALLOTS: u32 = 64;

/// How many records of a processor's own table make one value of its map: the kernel allocates each value by itself, which
/// takes 2 µs. Not of the table that every frame asks, where it would cost each of them 1 ns.
pub const AT_ONCE: u32 = 64;

/// So many records.
pub type Several<T> = [T; AT_ONCE as usize];

/// Of how many names each processor remembers what was decided.
pub const RECENT_PLACES: u32 = 8_192;

/// How many sources' stray budgets are remembered; beyond it, those that were used longest ago are forgotten.
pub const MAX_STRAY_SOURCES: u32 = 16_384;

/// How many connections of this host's own TCP sockets are remembered in which it has spoken, but for those that share a place.
pub const OWN_FLOW_PLACES: u32 = 131_072;

/// How many other flows are remembered in which this side has spoken: those of guests, and all but TCP.
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
    is_translated: u8,
    _unused: [u8; 2],
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
            is_translated: 0,
            _unused: [0; 2],
        }
    }

    /// The same, where it was found out whether anything on this host may redirect ports.
    #[must_use]
    pub fn where_ports_are_redirected(self, redirected: bool) -> Interface {
        Interface { is_translated: redirected.into(), ..self }
    }

    /// Whether anything on this host was found that may redirect ports.
    pub fn is_redirected(&self) -> bool {
        self.is_translated != 0
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

    /// Where it is decided that a port is closed: what the operator chose, or, where that was left to us and something
    /// may redirect ports depending on who asks, at the second door alone.
    ///
    /// Read by itself, because whole policies cost the program 32 bytes of stack where Linux 5.10 has none to spare:
    /// "combined stack size of 3 calls is 544. Too large".
    pub fn closed_ports(&self) -> ClosedPorts {
        match ClosedPorts::from_number(self.closed_ports) {
            ClosedPorts::Auto if self.is_redirected() => ClosedPorts::Egress,
            chosen @ (ClosedPorts::Auto | ClosedPorts::Ingress | ClosedPorts::Egress | ClosedPorts::Pass) => {
                chosen
            }
        }
    }

    /// Whether pings are answered.
    pub fn ping(&self) -> Ping {
        Ping::from_number(self.ping)
    }

    /// Whose packets are judged.
    pub fn role(&self) -> Role {
        Role::from_number(self.role)
    }

    /// What the operator chose for it.
    pub fn policy(&self) -> Policy {
        Policy {
            closed_ports: ClosedPorts::from_number(self.closed_ports),
            ping: self.ping(),
            role: self.role(),
        }
    }
}

/// How many bytes of a reason are kept.
pub const REASON_BYTES: usize = 56;

/// The entry of a prefix on one of the operator's lists. The prefix itself is the key.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    since: u32,
    until: u32,
    reason: [u8; REASON_BYTES],
}

const _: () = assert!(size_of::<Listed>() == 64);

impl Listed {
    /// An entry from now on, for so many seconds or for good.
    pub fn new(now: Seconds, seconds: Option<u32>) -> Listed {
        let until = seconds.map_or(u32::MAX, |seconds| now.after(seconds).0);
        Listed { since: now.0, until, reason: [0; REASON_BYTES] }
    }

    /// The same, with the operator's reason: text that is filled up with zeroes.
    #[must_use]
    pub fn with_reason(self, reason: [u8; REASON_BYTES]) -> Listed {
        Listed { reason, ..self }
    }

    /// Whether it counts now.
    pub fn holds(&self, now: Seconds) -> bool {
        now.0 < self.until || self.until == u32::MAX
    }

    /// Since when.
    pub fn since(&self) -> Seconds {
        Seconds(self.since)
    }

    /// Until when; `None` for good.
    pub fn until(&self) -> Option<Seconds> {
        (self.until != u32::MAX).then_some(Seconds(self.until))
    }

    /// Why: as many bytes as were given; none where no reason was.
    pub fn reason(&self) -> &[u8] {
        let length = self.reason.iter().position(|byte| *byte == 0).unwrap_or(REASON_BYTES);
        self.reason.get(..length).unwrap_or_default()
    }
}

/// What holds for the whole host.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    seed: u64,
    judgement: Judgement,
    allowed: u32,
    denied: u32,
    edition: u32,
    public: [u32; PUBLIC_ADDRESSES],
    epoch: u32,
}

const _: () = assert!(size_of::<Rules>() == 64);

impl Rules {
    /// These rules for judging evidence, with empty lists, and the seed of all hashes: a random number.
    pub fn new(judgement: Judgement, seed: u64) -> Rules {
        Rules { seed, judgement, allowed: 0, denied: 0, edition: 0, public: [0; PUBLIC_ADDRESSES], epoch: 0 }
    }

    /// The same, with other IPv4 addresses by which others reach this host: as numbers, 0 where there is none.
    #[must_use]
    pub fn with_public(self, public: [u32; PUBLIC_ADDRESSES]) -> Rules {
        Rules { public, ..self }
    }

    /// Other IPv4 addresses by which others reach this host.
    pub fn public(&self) -> [u32; PUBLIC_ADDRESSES] {
        self.public
    }

    /// The same, with the time of day at which the kernel's monotonic clock was zero: in seconds since 1970.
    #[must_use]
    pub fn with_epoch(self, epoch: u32) -> Rules {
        Rules { epoch, ..self }
    }

    /// What is known of this host by which tools may give themselves away; the time of day, if the time is told.
    pub fn knowledge(&self, now: Option<Seconds>) -> Knowledge {
        let unix_seconds = match now {
            Some(now) if self.epoch != 0 => now.after(self.epoch).0,
            Some(_) | None => 0,
        };
        Knowledge { public: self.public, learned: Ballot::default(), unix_seconds }
    }

    /// The same, with other rules for judging evidence.
    #[must_use]
    pub fn with_judgement(self, judgement: Judgement) -> Rules {
        Rules { judgement, ..self }
    }

    /// The seed of all hashes, under which what is in the maps was kept.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many prefixes are on the operator's lists: allowed, then denied.
    pub fn lists(&self) -> [u32; 2] {
        [self.allowed, self.denied]
    }

    /// The same, with so many prefixes on the operator's lists: a list that is empty need not be asked. It is a new
    /// edition, so that what was decided before is not recalled.
    #[must_use]
    pub fn with_lists(self, allowed: u32, denied: u32) -> Rules {
        Rules { allowed, denied, ..self.renewed() }
    }

    /// The same rules in a new edition: what else they go with has changed.
    #[must_use]
    pub fn renewed(self) -> Rules {
        Rules { edition: self.edition.wrapping_add(1), ..self }
    }

    /// By which rules evidence is judged.
    pub fn judgement(&self) -> &Judgement {
        &self.judgement
    }

    /// Whether any prefix is allowed.
    pub fn allows_any(&self) -> bool {
        self.allowed != 0
    }

    /// Whether any prefix is banned by the operator.
    pub fn denies_any(&self) -> bool {
        self.denied != 0
    }

    /// A number that changes whenever the lists do.
    pub fn edition(&self) -> u32 {
        self.edition
    }
}
