//! Every map: what it holds, key → value, how large it is, and who writes it.
//!
//! All of them are pinned and shared by the programs of all guarded interfaces. A name has at most 15
//! characters, so that `bpftool map` shows it whole.

use aya_ebpf::Global;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, LpmTrie, LruHashMap, PerCpuArray, RingBuf};
use scanguard_common::count::{CAUSES_PER_INTERFACE, EventCounts, Tally};
use scanguard_common::event::EventGate;
use scanguard_common::schema::{
    Allowed, EVENT_GATES as GATES, EVENT_RING_BYTES, FLOW_CACHE_SLOTS, Interface, MAX_ALLOWED, MAX_FLOWS,
    MAX_INTERFACES, MAX_STRAY_SOURCES, PORTS,
};
use scanguard_common::speech::{Flow, Listened, Spoken};
use scanguard_common::stray::Budget;

/// Sources that are never dropped: prefix (IPv4 in its mapped form, 96 bits longer) → entry.
/// Written by the operator, through the controller.
#[map]
pub(crate) static ALLOWED: LpmTrie<[u32; 4], Allowed> = LpmTrie::with_max_entries(MAX_ALLOWED, 0);

/// The guarded interfaces: slot → index and link-layer address. Written by the controller.
#[map]
pub(crate) static INTERFACES: Array<Interface> = Array::with_max_entries(MAX_INTERFACES, 0);

/// What happened: (slot, cause) → packets and bytes, on each processor. Written by the programs.
#[map]
pub(crate) static COUNTS: PerCpuArray<Tally> =
    PerCpuArray::with_max_entries(MAX_INTERFACES * CAUSES_PER_INTERFACE, 0);

/// Who sent strays lately: source → what is left of its budget; the least recently used are forgotten.
/// Written by the programs.
#[map]
pub(crate) static STRAYS: LruHashMap<[u32; 4], Budget> = LruHashMap::with_max_entries(MAX_STRAY_SOURCES, 0);

/// Whom resets were sent to lately that belong to no connection: peer → what is left of its budget. Written by the
/// programs.
#[map]
pub(crate) static RESETS: LruHashMap<[u32; 4], Budget> = LruHashMap::with_max_entries(MAX_STRAY_SOURCES, 0);

/// Flows in which this side has spoken → when last; those that were silent longest are forgotten. Written by the
/// programs at the second door.
#[map]
pub(crate) static FLOWS: LruHashMap<Flow, Spoken> = LruHashMap::with_max_entries(MAX_FLOWS, 0);

/// Which flows were remembered just now: slot by hash of the flow → the rest of the hash and the time, on each
/// processor. Written by the programs at the second door.
#[map]
pub(crate) static FLOW_CACHE: PerCpuArray<u64> = PerCpuArray::with_max_entries(FLOW_CACHE_SLOTS, 0);

/// Where programs listened: port → when one was last seen to accept a connection. Written by the programs at the
/// second door.
#[map]
pub(crate) static LISTENED: Array<Listened> = Array::with_max_entries(PORTS, 0);

/// Events on their way to user space. Written by the programs.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(EVENT_RING_BYTES, 0);

/// Who was told of lately: slot by hash of (source, cause) → gate, on each processor. Written by the
/// programs.
#[map]
pub(crate) static EVENT_GATES: PerCpuArray<EventGate> = PerCpuArray::with_max_entries(GATES, 0);

/// What became of the events: 0 → told, folded, lost, on each processor. Written by the programs.
#[map]
pub(crate) static EVENT_COUNTS: PerCpuArray<EventCounts> = PerCpuArray::with_max_entries(1, 0);

/// Under which contract these maps were made: 0 → [`SCHEMA`](scanguard_common::schema::SCHEMA). Written by
/// the controller, which reads it before it touches anything else.
#[map]
pub(crate) static SCHEMA: Array<u32> = Array::with_max_entries(1, 0);

/// The slot of the interface that this program was loaded for. Set before loading, constant for the verifier.
#[unsafe(no_mangle)]
pub(crate) static SLOT: Global<u32> = Global::new(0);

/// The seed of all hashes, so that nobody can choose addresses that collide. Set before loading.
#[unsafe(no_mangle)]
pub(crate) static HASH_SEED: Global<u64> = Global::new(0);
