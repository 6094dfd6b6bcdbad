//! Every map: what it holds, key → value, how large it is, and who writes it.
//!
//! All of them are pinned and shared by the programs of all guarded interfaces. A name has at most 15
//! characters, so that `bpftool map` shows it whole.

use core::cell::UnsafeCell;

use aya_ebpf::Global;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, RingBuf};
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
    AT_ONCE, BALLOTS as BALLOT_PLACES, DOOR_PLACES, EVENT_GATES as GATES, EVENT_RING_BYTES, FLOW_CACHE_SLOTS,
    Interface, Listed, MAX_BANS, MAX_FLOWS, MAX_INCIDENTS, MAX_INTERFACES, MAX_NETWORK_BANS, MAX_NETWORKS,
    MAX_PREFIXES, MAX_SOURCES, MAX_SPARED, MAX_STRAY_SOURCES, MAX_TARGETS, MAX_TRAILS, OWN_FLOW_PLACES,
    PEER_PLACES, PORTS, RECENT_PLACES, REFUSED_PLACES, Rules, Several, TRACE_PLACES,
};
use scanguard_common::speech::{Flow, Listened, Listener, OwnSpoken, Spoken};
use scanguard_common::stray::Budget;

/// A large table that each processor has for itself: see [`AT_ONCE`].
type OwnTable<T> = PerCpuArray<Several<T>>;

/// A record of such a table, which is this processor's alone.
pub(crate) fn own<T>(table: &OwnTable<T>, place: u32) -> Option<*mut T> {
    let several = table.get_ptr_mut(place / AT_ONCE)?;
    // SAFETY: it is one of those that the value consists of.
    Some(unsafe { several.cast::<T>().add((place % AT_ONCE) as usize) })
}

/// An address as a key: four words, IPv4 in its mapped form.
pub(crate) type AddressKey = [u32; 4];

/// Sources that are never dropped: prefix (IPv4 in its mapped form, 96 bits longer) → entry.
/// Written by the operator, through the controller.
#[map]
pub(crate) static ALLOWED: LpmTrie<AddressKey, Listed> = LpmTrie::with_max_entries(MAX_PREFIXES, 0);

/// Sources whose new contacts the operator refuses: prefix, as above → entry. Written by the operator, through the
/// controller.
#[map]
pub(crate) static DENIED: LpmTrie<AddressKey, Listed> = LpmTrie::with_max_entries(MAX_PREFIXES, 0);

/// Sources whose new contacts are refused because they scanned: source → its last ban. Nobody is pushed out. Written by
/// the programs; the operator may lift a ban.
#[map]
pub(crate) static BANNED: HashMap<AddressKey, Ban> = HashMap::with_max_entries(MAX_BANS, 0);

/// Which sources and networks may be banned: place by hash → a bit for each, and only where it is set [`BANNED`] and
/// [`BANNED_NETS`] are asked; behind them, whether any is. Written by the programs.
#[map]
pub(crate) static BAN_HINTS: Array<u32> = Array::with_max_entries(HINT_WORDS + 1, 0);

/// Which sources of networks are banned: network → record; those that were quiet longest are forgotten. Written by the
/// programs.
#[map]
pub(crate) static NETWORKS: LruHashMap<AddressKey, Network> = LruHashMap::with_max_entries(MAX_NETWORKS, 0);

/// Networks whose new contacts are refused: network → its last ban. Nobody is pushed out. Written by the programs; the
/// operator may lift a ban.
#[map]
pub(crate) static BANNED_NETS: HashMap<AddressKey, Ban> = HashMap::with_max_entries(MAX_NETWORK_BANS, 0);

/// Until when any network is banned: 0 → second. Where that has passed, nobody need look. Written by the programs.
#[map]
pub(crate) static NETS_UNTIL: Array<u32> = Array::with_max_entries(1, 0);

/// Which networks have peers: place by hash of the network → when last. Written by the programs at the second door, and
/// by the controller for connections that are idle.
#[map]
pub(crate) static PEERS: Array<Peer> = Array::with_max_entries(PEER_PLACES, 0);

/// Sources that are never banned, because this host depends on them: address → why. Written by the controller.
#[map]
pub(crate) static SPARED: HashMap<AddressKey, u32> = HashMap::with_max_entries(MAX_SPARED, 0);

/// Sources under observation: source → evidence; those that were heard of longest ago are forgotten. Written by the
/// programs.
#[map]
pub(crate) static SOURCES: LruHashMap<AddressKey, Source> = LruHashMap::with_max_entries(MAX_SOURCES, 0);

/// What moved their scores last: source → its latest contacts. Written by the programs, read by people.
#[map]
pub(crate) static TRAILS: LruHashMap<AddressKey, Trail> = LruHashMap::with_max_entries(MAX_TRAILS, 0);

/// Sources that made one contact: place by hash of the source → who was there last. Written by the programs.
#[map]
pub(crate) static DOOR: Array<Knock> = Array::with_max_entries(DOOR_PLACES, 0);

/// What is tried in vain: destination → record of the present window; those that were left alone longest are forgotten.
/// Written by the programs.
#[map]
pub(crate) static TARGETS: LruHashMap<AddressKey, Target> = LruHashMap::with_max_entries(MAX_TARGETS, 0);

/// Shared scans: destination and beginning → record of a past window in which one was recognised; the oldest are
/// forgotten. Written by the programs, read by people.
#[map]
pub(crate) static INCIDENTS: LruHashMap<Past, Target> = LruHashMap::with_max_entries(MAX_INCIDENTS, 0);

/// What the last packets of sources left behind, to compare the next ones with: place by hash of the source → the
/// last's. Written by the programs.
#[map]
pub(crate) static TRACES: Array<Left> = Array::with_max_entries(TRACE_PLACES, 0);

/// The packet that each of the programs is at work on: door → packet, on each processor. Written by the programs.
#[map]
pub(crate) static ASIDE: PerCpuArray<Packet> = PerCpuArray::with_max_entries(2, 0);

/// A number that the verifier is to forget: see [`aside`](crate::aside). On each processor. Written by the programs.
#[map]
pub(crate) static FORGOTTEN: PerCpuArray<u32> = PerCpuArray::with_max_entries(1, 0);

/// As which addresses this host is scanned: place by hash of its own → what masscan votes for. Written by the programs.
#[map]
pub(crate) static BALLOTS: Array<Ballot> = Array::with_max_entries(BALLOT_PLACES, 0);

/// What holds for the whole host: 0 → rules. Written by the controller.
#[map]
pub(crate) static RULES: Array<Rules> = Array::with_max_entries(1, 0);

/// The edition of the rules, as they have it too. Written by the controller.
///
/// Each frame asks for it. It is in `.bss`, a map of one value of which the programs know the address: that takes two
/// instructions where a look-up takes twelve. aya zeroes it whenever it loads programs, so that nothing else may be there.
#[unsafe(no_mangle)]
pub(crate) static EDITION: Edition = Edition(UnsafeCell::new(0));

/// Ports that are published, or decoys: port → rule. Written by the controller.
#[map]
pub(crate) static PORT_RULES: Array<PortRule> = Array::with_max_entries(PORTS, 0);

/// The guarded interfaces: slot → index, link-layer address and policy. Written by the controller.
#[map]
pub(crate) static INTERFACES: Array<Interface> = Array::with_max_entries(MAX_INTERFACES, 0);

/// What happened: (slot, cause) → packets and bytes, on each processor. Written by the programs.
#[map]
pub(crate) static COUNTS: PerCpuArray<Tally> =
    PerCpuArray::with_max_entries(MAX_INTERFACES * CAUSES_PER_INTERFACE, 0);

/// Who sent strays lately: source → what is left of its budget; the least recently used are forgotten.
/// Written by the programs.
#[map]
pub(crate) static STRAYS: LruHashMap<AddressKey, Budget> = LruHashMap::with_max_entries(MAX_STRAY_SOURCES, 0);

/// What is left for the strays of all sources: 0 → budget, on each processor. Written by the programs.
#[map]
pub(crate) static STRAYS_OF_ALL: PerCpuArray<Budget> = PerCpuArray::with_max_entries(1, 0);

/// Whom resets were sent to lately that belong to no connection: peer → what is left of its budget. Written by the
/// programs.
#[map]
pub(crate) static RESETS: LruHashMap<AddressKey, Budget> = LruHashMap::with_max_entries(MAX_STRAY_SOURCES, 0);

/// All other flows in which this side has spoken → when last; those that were silent longest are forgotten. Written by the
/// programs at the second door.
#[map]
pub(crate) static FLOWS: LruHashMap<Flow, Spoken> = LruHashMap::with_max_entries(MAX_FLOWS, 0);

/// Connections of this host's own sockets in which it has spoken: place by hash of the flow → the rest of the hash and the
/// time. Written by the programs at the second door.
#[map]
pub(crate) static OWN_FLOWS: Array<OwnSpoken> = Array::with_max_entries(OWN_FLOW_PLACES, 0);

/// Which flows were remembered just now: slot by hash of the flow → the rest of the hash and the time, on each
/// processor. Written by the programs at the second door.
#[map]
pub(crate) static FLOW_CACHE: OwnTable<u64> = OwnTable::with_max_entries(FLOW_CACHE_SLOTS / AT_ONCE, 0);

/// What was decided just now: place by hash of the frame's name → the name, when, and what, on each processor. Written by
/// the programs.
#[map]
pub(crate) static RECENT: PerCpuArray<Recent> = PerCpuArray::with_max_entries(RECENT_PLACES, 0);

/// Where programs listened: TCP port over IPv4, then over IPv6 → when one was last seen to accept a connection. Written
/// by the programs at the second door.
#[map]
pub(crate) static LISTENED: Array<Listened> = Array::with_max_entries(Listener::ALL, 0);

/// Which ports were refused just now: place by hash of address and port → the rest of the hash and the time. Written by
/// the programs at the second door.
#[map]
pub(crate) static REFUSED: Array<Refused> = Array::with_max_entries(REFUSED_PLACES, 0);

/// Events on their way to user space. Written by the programs.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(EVENT_RING_BYTES, 0);

/// What was dropped and told of just now: slot by hash of (source, destination, cause) → gate, on each processor.
/// Written by the programs.
#[map]
pub(crate) static EVENT_GATES: OwnTable<EventGate> = OwnTable::with_max_entries(GATES / AT_ONCE, 0);

/// What became of events and of sources: 0 → how many of each, on each processor. Written by the programs.
#[map]
pub(crate) static NOTES: PerCpuArray<Notes> = PerCpuArray::with_max_entries(1, 0);

/// Under which contract these maps were made: 0 → [`SCHEMA`](scanguard_common::schema::SCHEMA). Written by
/// the controller, which reads it before it touches anything else.
#[map]
pub(crate) static SCHEMA: Array<u32> = Array::with_max_entries(1, 0);

/// The slot of the interface that this program was loaded for. Set before loading, constant for the verifier.
#[unsafe(no_mangle)]
pub(crate) static SLOT: Global<u32> = Global::new(0);

/// The seed of all hashes, so that nobody can choose addresses that collide. Set before loading, and the same in the
/// programs of all interfaces: they share what is kept under a hash.
#[unsafe(no_mangle)]
pub(crate) static HASH_SEED: Global<u64> = Global::new(0);

/// Nanoseconds from one tick of the kernel's coarse clock to the next. Set before loading; this is what most kernels are
/// configured for.
#[unsafe(no_mangle)]
pub(crate) static TICK: Global<u64> = Global::new(4_000_000);

/// A number that somebody else writes, and that is read where it lies.
#[repr(transparent)]
pub(crate) struct Edition(UnsafeCell<u32>);

// SAFETY: programs only read it, whole and each time anew.
unsafe impl Sync for Edition {}

impl Edition {
    /// As it is now.
    #[inline(always)] // asked of every frame
    pub(crate) fn read(&self) -> u32 {
        // SAFETY: it is there as long as the program is, and every value is valid. The target has no atomic loads; a load
        // of an aligned word is one all the same.
        unsafe { self.0.get().read_volatile() }
    }
}
