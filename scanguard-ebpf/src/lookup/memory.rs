//! What our own maps remember.

use core::borrow::Borrow;

use aya_ebpf::maps::LruHashMap;
use aya_ebpf::maps::lpm_trie::Key;
use scanguard_common::ban::{ANY_HINT, hint};
use scanguard_common::cause::Cause;
use scanguard_common::key::{Address, spread};
use scanguard_common::parse::Packet;
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::schema::Rules;
use scanguard_common::speech::{Flow, Listener};
use scanguard_common::stray::Budget;
use scanguard_common::time::{Nanos, Seconds};

use super::now;
use crate::{maps, network, remember};

/// Whether the operator has allowed an address.
pub(crate) fn allows(address: Address) -> bool {
    let any = maps::RULES.get(0).is_some_and(Rules::allows_any);
    any && maps::ALLOWED.get(WholeAddress::new(address)).is_some()
}

/// Whether new contacts of a sender may be refused. If not, they are not.
#[inline(always)] // asked of every SYN
pub(crate) fn may_be_refused(sender: Address) -> bool {
    // Without a banned source there is no banned network.
    let any = maps::BAN_HINTS.get(ANY_HINT).is_some_and(|any| *any != 0);
    any && (is_hinted_at(sender) || network::may_be_banned(sender)) || denies_any()
}

/// Whether an address may be among those that are banned.
pub(crate) fn is_hinted_at(address: Address) -> bool {
    let (word, bit) = hint(spread(address, maps::HASH_SEED.load()));
    maps::BAN_HINTS.get(word).is_some_and(|bits| bits & bit != 0)
}

/// Sets the hint at an address that is banned.
///
/// Where another processor sets one in the same word at the same time, one of them may be lost: it is set again when the
/// source would be banned once more.
#[inline(never)] // seldom called, and it would take a part of the stack of its callers: Linux 5.10 has none to spare
pub(crate) fn hint_at(address: Address) {
    let (word, bit) = hint(spread(address, maps::HASH_SEED.load()));
    for (word, bit) in [(word, bit), (ANY_HINT, 1)] {
        if let Some(bits) = maps::BAN_HINTS.get_ptr_mut(word) {
            // SAFETY: a pointer from a map look-up is valid until the program ends.
            unsafe { bits.write(bits.read() | bit) };
        }
    }
}

/// Whether the operator has banned anybody.
fn denies_any() -> bool {
    maps::RULES.get(0).is_some_and(Rules::denies_any)
}

/// Why new contacts of a source are refused: of a sender who scanned, or of an address that the operator has banned.
pub(crate) fn ban(sender: Address, address: Address) -> Option<Cause> {
    if is_hinted_at(sender) {
        // SAFETY: nothing of the value is borrowed: it is copied, and every value is valid.
        let banned = unsafe { maps::BANNED.get(sender.words()) }.copied();
        if banned.is_some_and(|ban| ban.holds(Seconds::of(now()))) {
            return Some(Cause::Banned);
        }
    }
    if network::is_banned(&sender) {
        return Some(Cause::BannedNetwork);
    }
    let denied = denies_any()
        && maps::DENIED.get(WholeAddress::new(address)).is_some_and(|entry| entry.holds(Seconds::of(now())));
    denied.then_some(Cause::Denied)
}

/// Whether the port that a packet is for was refused a moment ago.
pub(super) fn was_refused(packet: &Packet) -> bool {
    let port = packet.transport.ports.destination.0;
    let (spread, place) = remember::refused(packet.destination, packet.transport.protocol.0, port);
    // SAFETY: a pointer from a map look-up is valid until the program ends. Other processors may write the eight bytes
    // meanwhile, all of them valid.
    place.is_some_and(|refused| unsafe { refused.read() }.lately(spread, Seconds::of(now())))
}

/// Whether this side has spoken in a flow.
pub(super) fn has_spoken(flow: &Flow) -> bool {
    // SAFETY: nothing of the value is borrowed: its eight bytes are copied whole, and every value is valid.
    let spoken = unsafe { maps::FLOWS.get(flow) }.copied();
    spoken.is_some_and(|spoken| spoken.counts(flow.protocol(), now()))
        || flow.protocol() == IpProtocol::TCP && has_spoken_itself(flow)
}

/// Whether it was this host itself, by a socket of its own.
fn has_spoken_itself(flow: &Flow) -> bool {
    let spread = flow.spread(maps::HASH_SEED.load());
    // SAFETY: a pointer from a map look-up is valid until the program ends. Other processors may write the eight bytes
    // meanwhile, all of them valid.
    remember::own(spread).is_some_and(|spoken| unsafe { spoken.read() }.counts(spread, Seconds::of(now())))
}

/// Whether a program listened somewhere lately.
pub(super) fn listened_lately(listener: Listener) -> bool {
    maps::LISTENED.get(listener.place()).is_some_and(|listened| listened.ever() && listened.lately(now()))
}

/// Spends on one segment of no connection. Where there is nothing left for any, nobody need look for its source's record.
pub(super) fn spend_on_stray(sender: Address) -> bool {
    let Some(place) = maps::STRAYS_OF_ALL.get_ptr_mut(0) else { return false };
    let now = now();
    // SAFETY: a pointer from a map look-up is valid until the program ends, and this processor's alone.
    let Some(rest) = unsafe { place.read() }.spend_of_all(now) else { return false };
    let has_own = spend(&maps::STRAYS, sender, Budget::spend, now);
    if has_own {
        // SAFETY: as above.
        unsafe { place.write(rest) };
    }
    has_own
}

/// Spends on one reset that answers such a segment.
pub(super) fn spend_on_reset(peer: Address) -> bool {
    spend(&maps::RESETS, peer, Budget::spend_on_answer, now())
}

fn spend(
    budgets: &LruHashMap<[u32; 4], Budget>,
    address: Address,
    spend: fn(Budget, Nanos) -> Option<Budget>,
    now: Nanos,
) -> bool {
    let key = address.words();
    let record = budgets.get_ptr_mut(key);
    // SAFETY: a pointer from a map look-up is valid until the program ends. Another processor may change
    // the eight bytes meanwhile: they are read and written whole, and every value is a valid budget.
    let budget = record.map_or_else(Default::default, |record| unsafe { record.read() });
    let Some(rest) = spend(budget, now) else { return false };
    match record {
        // SAFETY: as above.
        Some(record) => unsafe { record.write(rest) },
        // Where even the least recently used record cannot be had, this one is for free.
        None => drop(budgets.insert(key, rest, 0)),
    }
    true
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
