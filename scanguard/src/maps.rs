//! The pinned maps, typed. What each holds is told where they are made, in the eBPF program's `maps.rs`.

mod incidents;
mod list;
mod networks;
mod shape;
mod sources;
mod whole;

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;
use aya::Pod;
use aya::maps::lpm_trie::LpmTrie;
use aya::maps::{Array, HashMap, Map, MapData, MapError, MapInfo, PerCpuArray, RingBuf};
use scanguard_common::ban::Ban;
use scanguard_common::cause::Cause;
use scanguard_common::count::{self, Notes, Tally};
use scanguard_common::evidence::{Source, Trail};
use scanguard_common::incident::{Past, Target};
use scanguard_common::network::{Network, Peer};
use scanguard_common::policy::{Judgement, PortRule};
use scanguard_common::schema::{Interface, InterfaceSlot, Listed, Rules};

pub(crate) use self::list::List;
use self::shape::ADDRESS;
pub(crate) use self::shape::{check, names};
use crate::config::Ports;
use crate::pin::Pins;

/// The map that tells by which contract all others were made.
pub(crate) const SCHEMA: &str = "SCHEMA";
const RULES: &str = "RULES";
pub(crate) const EDITION: &str = "EDITION";
const PORT_RULES: &str = "PORT_RULES";
const INTERFACES: &str = "INTERFACES";
const COUNTS: &str = "COUNTS";
const NOTES: &str = "NOTES";
const ALLOWED: &str = "ALLOWED";
const DENIED: &str = "DENIED";
const BANNED: &str = "BANNED";
const SPARED: &str = "SPARED";
const SOURCES: &str = "SOURCES";
const TRAILS: &str = "TRAILS";
const TARGETS: &str = "TARGETS";
const INCIDENTS: &str = "INCIDENTS";
const NETWORKS: &str = "NETWORKS";
const BANNED_NETS: &str = "BANNED_NETS";
const PEERS: &str = "PEERS";
const EVENTS: &str = "EVENTS";

/// A record of the programs, as it lies in map memory.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Wire<T>(pub T);

// SAFETY: `repr(C)`, only integers and arrays of them, without padding: its size is asserted to be their sum.
unsafe impl Pod for Wire<Interface> {}
// SAFETY: as above.
unsafe impl Pod for Wire<Rules> {}
// SAFETY: as above.
unsafe impl Pod for Wire<PortRule> {}
// SAFETY: as above.
unsafe impl Pod for Wire<Tally> {}
// SAFETY: as above.
unsafe impl Pod for Wire<Notes> {}
// SAFETY: as above.
unsafe impl Pod for Wire<Listed> {}
// SAFETY: as above.
unsafe impl Pod for Wire<Ban> {}
// SAFETY: as above.
unsafe impl Pod for Wire<Source> {}
// SAFETY: as above.
unsafe impl Pod for Wire<Trail> {}
// SAFETY: as above.
unsafe impl Pod for Wire<Target> {}
// SAFETY: as above.
unsafe impl Pod for Wire<Past> {}
// SAFETY: as above.
unsafe impl Pod for Wire<Network> {}
// SAFETY: as above.
unsafe impl Pod for Wire<Peer> {}

/// An address as a key: 16 bytes, IPv4 in its mapped form.
type AddressKey = [u8; ADDRESS];

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

/// What a map is called in the object of the programs, which is how its pin is called but for one: the edition of the rules
/// lies in a section, after which the map is called.
pub(crate) fn in_object(name: &str) -> &str {
    if name == EDITION { ".bss" } else { name }
}

/// The maps that commands read and write.
pub(crate) struct Maps {
    interfaces: Array<MapData, Wire<Interface>>,
    rules: Array<MapData, Wire<Rules>>,
    edition: Array<MapData, u32>,
    port_rules: Array<MapData, Wire<PortRule>>,
    all_port_rules: MapData,
    counts: PerCpuArray<MapData, Wire<Tally>>,
    notes: PerCpuArray<MapData, Wire<Notes>>,
    allowed: LpmTrie<MapData, AddressKey, Wire<Listed>>,
    denied: LpmTrie<MapData, AddressKey, Wire<Listed>>,
    banned: HashMap<MapData, AddressKey, Wire<Ban>>,
    spared: HashMap<MapData, AddressKey, u32>,
    sources: HashMap<MapData, AddressKey, Wire<Source>>,
    trails: HashMap<MapData, AddressKey, Wire<Trail>>,
    targets: HashMap<MapData, AddressKey, Wire<Target>>,
    incidents: HashMap<MapData, Wire<Past>, Wire<Target>>,
    networks: HashMap<MapData, AddressKey, Wire<Network>>,
    banned_nets: HashMap<MapData, AddressKey, Wire<Ban>>,
    peers: Array<MapData, Wire<Peer>>,
}

impl Maps {
    /// Opens them where they are pinned.
    pub(crate) fn open(pins: &Pins) -> anyhow::Result<Maps> {
        Ok(Maps {
            interfaces: open(pins, INTERFACES)?,
            rules: open(pins, RULES)?,
            edition: open(pins, EDITION)?,
            port_rules: open(pins, PORT_RULES)?,
            all_port_rules: open_any(pins, PORT_RULES)?,
            counts: open(pins, COUNTS)?,
            notes: open(pins, NOTES)?,
            allowed: open(pins, ALLOWED)?,
            denied: open(pins, DENIED)?,
            banned: open(pins, BANNED)?,
            spared: open(pins, SPARED)?,
            sources: open(pins, SOURCES)?,
            trails: open(pins, TRAILS)?,
            targets: open(pins, TARGETS)?,
            incidents: open(pins, INCIDENTS)?,
            networks: open(pins, NETWORKS)?,
            banned_nets: open(pins, BANNED_NETS)?,
            peers: open(pins, PEERS)?,
        })
    }

    /// What the program of this slot knows of its interface.
    pub(crate) fn interface(&self, slot: InterfaceSlot) -> anyhow::Result<Interface> {
        let Wire(record) = self.interfaces.get(&slot.number(), 0).context("reading the map INTERFACES")?;
        Ok(record)
    }

    /// Changes what the program of this slot knows of its interface.
    pub(crate) fn set_interface(&mut self, slot: InterfaceSlot, interface: Interface) -> anyhow::Result<()> {
        self.interfaces.set(slot.number(), Wire(interface), 0).context("writing the map INTERFACES")
    }

    /// Takes a slot for an interface: its counters start at zero.
    pub(crate) fn take_slot(&mut self, slot: InterfaceSlot, interface: Interface) -> anyhow::Result<()> {
        let processors = aya::util::nr_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))?;
        for index in
            Cause::ALL.iter().map(|cause| count::index(slot, *cause)).chain([count::told_index(slot)])
        {
            let zeroes = vec![Wire(Tally::default()); processors];
            let zeroes = aya::maps::PerCpuValues::try_from(zeroes).context("making counters of zero")?;
            self.counts.set(index, zeroes, 0).context("zeroing the map COUNTS")?;
        }
        self.set_interface(slot, interface)?;
        self.forget_decisions() // of the slot's last interface
    }

    /// Gives a slot back.
    pub(crate) fn free_slot(&mut self, slot: InterfaceSlot) -> anyhow::Result<()> {
        self.set_interface(slot, Interface::default())
    }

    /// What holds for the whole host.
    pub(crate) fn rules(&self) -> anyhow::Result<Rules> {
        let Wire(rules) = self.rules.get(&0, 0).context("reading the map RULES")?;
        Ok(rules)
    }

    /// Changes what holds for the whole host.
    pub(crate) fn set_rules(&mut self, rules: Rules) -> anyhow::Result<()> {
        self.rules.set(0, Wire(rules), 0).context("writing the map RULES")?;
        self.edition.set(0, rules.edition(), 0).context("writing the map EDITION")
    }

    /// Has the programs recall nothing that they decided before, by a new edition of the rules: after whatever it depended
    /// on has changed.
    fn forget_decisions(&mut self) -> anyhow::Result<()> {
        self.set_rules(self.rules()?.renewed())
    }

    /// Has sources judged by other rules from the next packet on.
    pub(crate) fn set_judgement(&mut self, judgement: Judgement) -> anyhow::Result<()> {
        self.set_rules(self.rules()?.with_judgement(judgement))
    }

    /// Every port of which the operator said something, and what.
    pub(crate) fn ports(&self) -> anyhow::Result<Ports> {
        let rules: Vec<Wire<PortRule>> =
            whole::values(&self.all_port_rules).context("reading the map PORT_RULES")?;
        let rules = (0..=u16::MAX).zip(rules).map(|(port, Wire(rule))| (port, rule));
        Ok(Ports(rules.filter(|(_, rule)| *rule != PortRule::default()).collect()))
    }

    /// Says exactly this of ports.
    pub(crate) fn set_ports(&mut self, ports: &Ports) -> anyhow::Result<()> {
        let Ports(before) = self.ports()?;
        let gone = before.keys().filter(|port| !ports.0.contains_key(port));
        let nothing = gone.map(|port| (*port, PortRule::default()));
        for (port, rule) in nothing.chain(ports.0.iter().map(|(port, rule)| (*port, *rule))) {
            self.port_rules.set(port.into(), Wire(rule), 0).context("writing the map PORT_RULES")?;
        }
        self.forget_decisions()
    }

    /// What was counted for a cause on an interface, on all processors together.
    pub(crate) fn tally(&self, slot: InterfaceSlot, cause: Cause) -> anyhow::Result<Tally> {
        self.counted(count::index(slot, cause))
    }

    /// Of how many drops on an interface an event was made.
    pub(crate) fn told_of(&self, slot: InterfaceSlot) -> anyhow::Result<u64> {
        Ok(self.counted(count::told_index(slot))?.packets())
    }

    fn counted(&self, index: u32) -> anyhow::Result<Tally> {
        let values = self.counts.get(&index, 0).context("reading the map COUNTS")?;
        Ok(values.iter().fold(Tally::default(), |sum, Wire(tally)| sum.merged(*tally)))
    }

    /// What became of the events and sources of all interfaces.
    pub(crate) fn notes(&self) -> anyhow::Result<Notes> {
        let values = self.notes.get(&0, 0).context("reading the map NOTES")?;
        Ok(values.iter().fold(Notes::default(), |sum, Wire(notes)| sum.merged(*notes)))
    }
}

/// The ring buffer of the events.
pub(crate) fn ring(pins: &Pins) -> anyhow::Result<RingBuf<MapData>> {
    open(pins, EVENTS)
}

fn open<M: TryFrom<Map, Error = MapError>>(pins: &Pins, name: &str) -> anyhow::Result<M> {
    let (path, data) = (pins.map(name), open_any(pins, name)?);
    let map = Map::from_map_data(data).with_context(|| format!("opening {}", path.display()))?;
    M::try_from(map).map_err(|error| pins.broken(&path, format!("is not a map of ours ({error})")).into())
}

/// Opens a map, whatever it is.
fn open_any(pins: &Pins, name: &str) -> anyhow::Result<MapData> {
    let path = pins.map(name);
    MapData::from_pin(&path).map_err(|error| unreadable(pins, &path, error))
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

/// Whether a map has no entry under a key.
fn is_absent(error: &MapError) -> bool {
    matches!(error, MapError::KeyNotFound)
        || matches!(error, MapError::SyscallError(error) if error.io_error.kind() == ErrorKind::NotFound)
}
