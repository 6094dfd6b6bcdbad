//! The pinned maps, typed. What each holds is told where they are made, in the eBPF program's `maps.rs`.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::path::Path;

use anyhow::Context as _;
use aya::Pod;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, Map, MapData, MapError, MapInfo, MapType, PerCpuArray, RingBuf};
use scanguard_common::cause::Cause;
use scanguard_common::count::{self, CAUSES_PER_INTERFACE, EventCounts, Tally};
use scanguard_common::event::EventGate;
use scanguard_common::schema::{
    Allowed, EVENT_GATES, EVENT_RING_BYTES, FLOW_CACHE_SLOTS, Interface, InterfaceSlot, MAX_ALLOWED,
    MAX_FLOWS, MAX_INTERFACES, MAX_STRAY_SOURCES, PORTS,
};
use scanguard_common::speech::{Flow, Listened, Spoken};
use scanguard_common::stray::Budget;

use crate::error::Error;
use crate::pin::Pins;
use crate::prefix::Prefix;

/// The map that tells by which contract all others were made.
pub(crate) const SCHEMA: &str = "SCHEMA";
const INTERFACES: &str = "INTERFACES";
const COUNTS: &str = "COUNTS";
const EVENT_COUNTS: &str = "EVENT_COUNTS";
const ALLOWED: &str = "ALLOWED";
const EVENTS: &str = "EVENTS";

/// A record of the programs, as it lies in map memory.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire<T>(pub(crate) T);

// SAFETY: `repr(C)`, only integers and arrays of them, without padding: its size is asserted to be their sum.
unsafe impl Pod for Wire<Interface> {}
// SAFETY: as above.
unsafe impl Pod for Wire<Tally> {}
// SAFETY: as above.
unsafe impl Pod for Wire<EventCounts> {}
// SAFETY: as above.
unsafe impl Pod for Wire<Allowed> {}

/// What a pinned map must look like.
struct Shape {
    name: &'static str,
    kind: MapType,
    key: usize,
    value: usize,
    entries: u32,
}

const ADDRESS: usize = size_of::<Ipv6Addr>();
const INDEX: usize = size_of::<u32>();

const SHAPES: [Shape; 12] = [
    Shape { name: SCHEMA, kind: MapType::Array, key: INDEX, value: size_of::<u32>(), entries: 1 },
    Shape {
        name: INTERFACES,
        kind: MapType::Array,
        key: INDEX,
        value: size_of::<Interface>(),
        entries: MAX_INTERFACES,
    },
    Shape {
        name: COUNTS,
        kind: MapType::PerCpuArray,
        key: INDEX,
        value: size_of::<Tally>(),
        entries: MAX_INTERFACES * CAUSES_PER_INTERFACE,
    },
    Shape {
        name: EVENT_COUNTS,
        kind: MapType::PerCpuArray,
        key: INDEX,
        value: size_of::<EventCounts>(),
        entries: 1,
    },
    Shape {
        name: "EVENT_GATES",
        kind: MapType::PerCpuArray,
        key: INDEX,
        value: size_of::<EventGate>(),
        entries: EVENT_GATES,
    },
    Shape { name: EVENTS, kind: MapType::RingBuf, key: 0, value: 0, entries: EVENT_RING_BYTES },
    Shape {
        name: "STRAYS",
        kind: MapType::LruHash,
        key: ADDRESS,
        value: size_of::<Budget>(),
        entries: MAX_STRAY_SOURCES,
    },
    Shape {
        name: "RESETS",
        kind: MapType::LruHash,
        key: ADDRESS,
        value: size_of::<Budget>(),
        entries: MAX_STRAY_SOURCES,
    },
    Shape {
        name: "FLOWS",
        kind: MapType::LruHash,
        key: size_of::<Flow>(),
        value: size_of::<Spoken>(),
        entries: MAX_FLOWS,
    },
    Shape {
        name: "FLOW_CACHE",
        kind: MapType::PerCpuArray,
        key: INDEX,
        value: size_of::<u64>(),
        entries: FLOW_CACHE_SLOTS,
    },
    Shape {
        name: "LISTENED",
        kind: MapType::Array,
        key: INDEX,
        value: size_of::<Listened>(),
        entries: PORTS,
    },
    Shape {
        name: ALLOWED,
        kind: MapType::LpmTrie,
        key: size_of::<Key<[u8; ADDRESS]>>(),
        value: size_of::<Allowed>(),
        entries: MAX_ALLOWED,
    },
];

/// The names of all maps that are pinned and shared.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().map(|shape| shape.name)
}

/// Reads the number of the contract by which the maps were made: 0 where it was not written yet.
pub(crate) fn schema(pins: &Pins) -> anyhow::Result<u32> {
    let map: Array<MapData, u32> = open(pins, SCHEMA)?;
    map.get(&0, 0).with_context(|| format!("reading {}", pins.map(SCHEMA).display()))
}

/// Writes our number: the maps are whole from now on.
pub(crate) fn write_schema(pins: &Pins) -> anyhow::Result<()> {
    let mut map: Array<MapData, u32> = open(pins, SCHEMA)?;
    map.set(0, scanguard_common::schema::SCHEMA, 0)
        .with_context(|| format!("writing {}", pins.map(SCHEMA).display()))
}

/// Makes sure that every map is there, and has the shape that our programs expect.
pub(crate) fn check(pins: &Pins) -> anyhow::Result<()> {
    for shape in &SHAPES {
        let path = pins.map(shape.name);
        let info = info(pins, &path)?;
        let kind = info.map_type().with_context(|| format!("asking what {} is", path.display()))?;
        let is = (kind, info.key_size() as usize, info.value_size() as usize, info.max_entries());
        let should = (shape.kind, shape.key, shape.value, shape.entries);
        if is != should {
            return Err(pins.broken(&path, "is not a map of ours").into());
        }
    }
    Ok(())
}

/// The maps that commands read and write.
pub(crate) struct Maps {
    interfaces: Array<MapData, Wire<Interface>>,
    counts: PerCpuArray<MapData, Wire<Tally>>,
    event_counts: PerCpuArray<MapData, Wire<EventCounts>>,
    allowed: LpmTrie<MapData, [u8; ADDRESS], Wire<Allowed>>,
}

impl Maps {
    /// Opens them where they are pinned.
    pub(crate) fn open(pins: &Pins) -> anyhow::Result<Maps> {
        Ok(Maps {
            interfaces: open(pins, INTERFACES)?,
            counts: open(pins, COUNTS)?,
            event_counts: open(pins, EVENT_COUNTS)?,
            allowed: open(pins, ALLOWED)?,
        })
    }

    /// What the program of this slot knows of its interface.
    pub(crate) fn interface(&self, slot: InterfaceSlot) -> anyhow::Result<Interface> {
        let Wire(record) = self.interfaces.get(&slot.number(), 0).context("reading the map INTERFACES")?;
        Ok(record)
    }

    /// Takes a slot for an interface: its counters start at zero.
    pub(crate) fn take_slot(&mut self, slot: InterfaceSlot, interface: Interface) -> anyhow::Result<()> {
        let processors = aya::util::nr_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))?;
        for cause in Cause::ALL {
            let zeroes = vec![Wire(Tally::default()); processors];
            let zeroes = aya::maps::PerCpuValues::try_from(zeroes).context("making counters of zero")?;
            self.counts.set(count::index(slot, *cause), zeroes, 0).context("zeroing the map COUNTS")?;
        }
        self.interfaces.set(slot.number(), Wire(interface), 0).context("writing the map INTERFACES")
    }

    /// Gives a slot back.
    pub(crate) fn free_slot(&mut self, slot: InterfaceSlot) -> anyhow::Result<()> {
        self.interfaces
            .set(slot.number(), Wire(Interface::default()), 0)
            .context("writing the map INTERFACES")
    }

    /// What was counted for a cause on an interface, on all processors together.
    pub(crate) fn tally(&self, slot: InterfaceSlot, cause: Cause) -> anyhow::Result<Tally> {
        let values = self.counts.get(&count::index(slot, cause), 0).context("reading the map COUNTS")?;
        Ok(values.iter().fold(Tally::default(), |sum, Wire(tally)| sum.merged(*tally)))
    }

    /// What became of the events of all interfaces.
    pub(crate) fn event_counts(&self) -> anyhow::Result<EventCounts> {
        let values = self.event_counts.get(&0, 0).context("reading the map EVENT_COUNTS")?;
        Ok(values.iter().fold(EventCounts::default(), |sum, Wire(counts)| sum.merged(*counts)))
    }

    /// The allowlist, in the order of addresses.
    pub(crate) fn allowed(&self) -> anyhow::Result<Vec<(Prefix, Allowed)>> {
        let mut entries = Vec::new();
        for entry in self.allowed.iter() {
            let (key, Wire(allowed)) = entry.context("reading the map ALLOWED")?;
            let prefix = Prefix::from_mapped(key.data(), key.prefix_len());
            entries.push((prefix.context("the map ALLOWED has a key that is no prefix")?, allowed));
        }
        entries.sort_by_key(|(prefix, _)| *prefix);
        Ok(entries)
    }

    /// Those of these prefixes that are not on the allowlist exactly so, each once.
    pub(crate) fn not_allowed(&self, prefixes: &[Prefix]) -> anyhow::Result<BTreeSet<Prefix>> {
        let mut missing: BTreeSet<Prefix> = prefixes.iter().copied().collect();
        for (prefix, _) in self.allowed()? {
            missing.remove(&prefix);
        }
        Ok(missing)
    }

    /// Allows a prefix.
    ///
    /// # Errors
    ///
    /// [`Error::AllowlistFull`] where there is no room for it.
    pub(crate) fn allow(&mut self, prefix: &Prefix, entry: Allowed) -> anyhow::Result<()> {
        match self.allowed.insert(&key(prefix), Wire(entry), 0) {
            Err(MapError::SyscallError(error)) if is_full(&error.io_error) => {
                Err(Error::AllowlistFull(prefix.to_string()).into())
            }
            other => other.with_context(|| format!("allowing {prefix}")),
        }
    }

    /// Allows a prefix no longer.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllowed`] where it is not on the list.
    pub(crate) fn disallow(&mut self, prefix: &Prefix) -> anyhow::Result<()> {
        match self.allowed.remove(&key(prefix)) {
            Err(MapError::SyscallError(error)) if error.io_error.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::NotAllowed(prefix.to_string()).into())
            }
            other => other.with_context(|| format!("removing {prefix} from the allowlist")),
        }
    }
}

/// The ring buffer of the events.
pub(crate) fn ring(pins: &Pins) -> anyhow::Result<RingBuf<MapData>> {
    open(pins, EVENTS)
}

fn open<M: TryFrom<Map, Error = MapError>>(pins: &Pins, name: &str) -> anyhow::Result<M> {
    let path = pins.map(name);
    let data = MapData::from_pin(&path).map_err(|error| unreadable(pins, &path, error))?;
    let map = Map::from_map_data(data).with_context(|| format!("opening {}", path.display()))?;
    M::try_from(map).map_err(|error| pins.broken(&path, format!("is not a map of ours ({error})")).into())
}

fn info(pins: &Pins, path: &Path) -> anyhow::Result<MapInfo> {
    MapInfo::from_pin(path).map_err(|error| unreadable(pins, path, error))
}

/// What it means that a pin cannot be opened.
fn unreadable(pins: &Pins, path: &Path, error: MapError) -> anyhow::Error {
    if !path.exists() {
        return pins.broken(path, "is missing").into();
    }
    anyhow::Error::new(error).context(format!("opening {}", path.display()))
}

fn key(prefix: &Prefix) -> Key<[u8; ADDRESS]> {
    let (address, bits) = prefix.mapped();
    Key::new(bits, address)
}

/// What the kernel says when a map has no room: `ENOSPC` from a trie.
fn is_full(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::StorageFull
}
