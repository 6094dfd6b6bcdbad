//! What every pinned map must look like.

use std::net::Ipv6Addr;

use anyhow::Context as _;
use aya::maps::MapType;
use aya::maps::lpm_trie::Key;
use scanguard_common::ban::{Ban, HINT_WORDS};
use scanguard_common::classify::signature::{Ballot, Left};
use scanguard_common::closed::Refused;
use scanguard_common::count::{CAUSES_PER_INTERFACE, Notes, Tally};
use scanguard_common::event::EventGate;
use scanguard_common::evidence::{Knock, Source, Trail};
use scanguard_common::incident::{Past, Target};
use scanguard_common::network::{Network, Peer};
use scanguard_common::parse::Packet;
use scanguard_common::policy::PortRule;
use scanguard_common::recent::Recent;
use scanguard_common::schema::{
    AT_ONCE, BALLOTS, DOOR_PLACES, EVENT_GATES, EVENT_RING_BYTES, FLOW_CACHE_SLOTS, Interface, Listed,
    MAX_BANS, MAX_FLOWS, MAX_INCIDENTS, MAX_INTERFACES, MAX_NETWORK_BANS, MAX_NETWORKS, MAX_PREFIXES,
    MAX_SOURCES, MAX_SPARED, MAX_STRAY_SOURCES, MAX_TARGETS, MAX_TRAILS, OWN_FLOW_PLACES, PEER_PLACES, PORTS,
    RECENT_PLACES, REFUSED_PLACES, Rules, Several, TRACE_PLACES,
};
use scanguard_common::speech::{Flow, Listened, Listener, OwnSpoken, Spoken};
use scanguard_common::stray::Budget;

use super::{
    ALLOWED, BANNED, COUNTS, DENIED, EDITION, EVENTS, INCIDENTS, INTERFACES, NOTES, PORT_RULES, RULES,
};
use super::{BANNED_NETS, NETWORKS, PEERS, SCHEMA, SOURCES, SPARED, TARGETS, TRAILS, info};
use crate::pin::Pins;

/// What a pinned map must look like.
struct Shape {
    name: &'static str,
    kind: MapType,
    key: usize,
    value: usize,
    entries: u32,
}

pub(super) const ADDRESS: usize = size_of::<Ipv6Addr>();
const INDEX: usize = size_of::<u32>();
const PREFIX: usize = size_of::<Key<[u8; ADDRESS]>>();

const fn shape(name: &'static str, kind: MapType, sizes: (usize, usize), entries: u32) -> Shape {
    Shape { name, kind, key: sizes.0, value: sizes.1, entries }
}

const fn array<V>(name: &'static str, entries: u32) -> Shape {
    shape(name, MapType::Array, (INDEX, size_of::<V>()), entries)
}

const fn per_processor<V>(name: &'static str, entries: u32) -> Shape {
    shape(name, MapType::PerCpuArray, (INDEX, size_of::<V>()), entries)
}

const fn own_table<T>(name: &'static str, records: u32) -> Shape {
    per_processor::<Several<T>>(name, records / AT_ONCE)
}

const fn by_address<V>(name: &'static str, kind: MapType, entries: u32) -> Shape {
    shape(name, kind, (ADDRESS, size_of::<V>()), entries)
}

const SHAPES: [Shape; 36] = [
    array::<u32>(SCHEMA, 1),
    array::<Rules>(RULES, 1),
    array::<u32>(EDITION, 1),
    array::<PortRule>(PORT_RULES, PORTS),
    array::<Interface>(INTERFACES, MAX_INTERFACES),
    per_processor::<Tally>(COUNTS, MAX_INTERFACES * CAUSES_PER_INTERFACE),
    per_processor::<Notes>(NOTES, 1),
    own_table::<EventGate>("EVENT_GATES", EVENT_GATES),
    shape(EVENTS, MapType::RingBuf, (0, 0), EVENT_RING_BYTES),
    by_address::<Budget>("STRAYS", MapType::LruHash, MAX_STRAY_SOURCES),
    per_processor::<Budget>("STRAYS_OF_ALL", 1),
    by_address::<Budget>("RESETS", MapType::LruHash, MAX_STRAY_SOURCES),
    shape("FLOWS", MapType::LruHash, (size_of::<Flow>(), size_of::<Spoken>()), MAX_FLOWS),
    array::<OwnSpoken>("OWN_FLOWS", OWN_FLOW_PLACES),
    own_table::<u64>("FLOW_CACHE", FLOW_CACHE_SLOTS),
    per_processor::<Recent>("RECENT", RECENT_PLACES),
    array::<Left>("TRACES", TRACE_PLACES),
    array::<Ballot>("BALLOTS", BALLOTS),
    per_processor::<Packet>("ASIDE", 2),
    per_processor::<u32>("FORGOTTEN", 1),
    array::<Listened>("LISTENED", Listener::ALL),
    array::<Refused>("REFUSED", REFUSED_PLACES),
    shape(ALLOWED, MapType::LpmTrie, (PREFIX, size_of::<Listed>()), MAX_PREFIXES),
    shape(DENIED, MapType::LpmTrie, (PREFIX, size_of::<Listed>()), MAX_PREFIXES),
    by_address::<Ban>(BANNED, MapType::Hash, MAX_BANS),
    array::<u32>("BAN_HINTS", HINT_WORDS + 1),
    by_address::<u32>(SPARED, MapType::Hash, MAX_SPARED),
    by_address::<Source>(SOURCES, MapType::LruHash, MAX_SOURCES),
    by_address::<Trail>(TRAILS, MapType::LruHash, MAX_TRAILS),
    array::<Knock>("DOOR", DOOR_PLACES),
    by_address::<Network>(NETWORKS, MapType::LruHash, MAX_NETWORKS),
    by_address::<Ban>(BANNED_NETS, MapType::Hash, MAX_NETWORK_BANS),
    array::<u32>("NETS_UNTIL", 1),
    array::<Peer>(PEERS, PEER_PLACES),
    by_address::<Target>(TARGETS, MapType::LruHash, MAX_TARGETS),
    shape(INCIDENTS, MapType::LruHash, (size_of::<Past>(), size_of::<Target>()), MAX_INCIDENTS),
];

/// The names of all maps that are pinned and shared.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().map(|shape| shape.name)
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
