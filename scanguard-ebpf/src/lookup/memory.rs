//! What our own maps remember.

use core::borrow::Borrow;

use aya_ebpf::maps::LruHashMap;
use aya_ebpf::maps::lpm_trie::Key;
use scanguard_common::key::Address;
use scanguard_common::parse::transport::Port;
use scanguard_common::refusal::Memory;
use scanguard_common::speech::Flow;
use scanguard_common::stray::Budget;
use scanguard_common::time::Nanos;

use super::now;
use crate::maps;

/// The maps, as both doors ask them.
pub(crate) struct Remembered;

impl Memory for Remembered {
    fn allows(&self, peer: Address) -> bool {
        maps::ALLOWED.get(WholeAddress::new(peer)).is_some()
    }

    fn has_spoken(&self, flow: &Flow) -> bool {
        // SAFETY: nothing of the value is borrowed: its eight bytes are copied whole, and every value is valid.
        let spoken = unsafe { maps::FLOWS.get(flow) }.copied();
        spoken.is_some_and(|spoken| spoken.counts(flow.protocol(), now()))
    }

    fn listened_lately(&self, port: Port) -> bool {
        maps::LISTENED.get(u32::from(port.0)).is_some_and(|listened| listened.lately(now()))
    }

    fn spend_on_reset(&self, peer: Address) -> bool {
        spend(&maps::RESETS, peer, Budget::spend_on_answer)
    }
}

/// Spends on one segment of no connection.
pub(super) fn spend_on_stray(sender: Address) -> bool {
    spend(&maps::STRAYS, sender, Budget::spend)
}

fn spend(
    budgets: &LruHashMap<[u32; 4], Budget>,
    address: Address,
    spend: fn(Budget, Nanos) -> Option<Budget>,
) -> bool {
    let key = address.words();
    let record = budgets.get_ptr_mut(key);
    // SAFETY: a pointer from a map look-up is valid until the program ends. Another processor may change
    // the eight bytes meanwhile: they are read and written whole, and every value is a valid budget.
    let budget = record.map_or_else(Default::default, |record| unsafe { record.read() });
    let Some(rest) = spend(budget, now()) else { return false };
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
