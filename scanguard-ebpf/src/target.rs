//! Keeps what sources do together: scans that are shared.

use aya_ebpf::EbpfContext;
use scanguard_common::event::News;
use scanguard_common::evidence::Source;
use scanguard_common::incident::{Attempt, Past, Target, Targets, attempt as take_in};
use scanguard_common::key::Address;
use scanguard_common::time::Seconds;

use crate::consequences::Case;
use crate::ledger::Held;
use crate::{maps, report};

/// Counts a contact that failed at its destination, and tells if a scan has shown that is shared. What came of it for its
/// source is known already.
#[inline(never)] // as in `main`
pub(crate) fn attempt<C: EbpfContext>(ctx: &C, case: &Case<'_>, held: Held) {
    let attempt = Attempt::new(case.packet, held == Held::Banned, Seconds::of(case.at));
    let mut kept = Kept { is_source_waiting: held == Held::Waiting };
    if let Some(sources) = take_in(&mut kept, &attempt, maps::HASH_SEED.load()) {
        report::send(ctx, case, News::Shared { sources }.numbers());
    }
}

/// What new records begin as: not on the stack, which has no room for them.
static EMPTY: Target = Target::EMPTY;

/// The maps in which targets are kept.
struct Kept {
    /// Whether the source is known to have no record: then it need not be looked for.
    is_source_waiting: bool,
}

impl Targets for Kept {
    fn failures(&mut self, source: Address) -> u16 {
        if self.is_source_waiting {
            return 0;
        }
        let Some(record) = maps::SOURCES.get_ptr(source.words()) else { return 0 };
        // SAFETY: a pointer from a map look-up is valid until the program ends. Another processor may write the record
        // at the same time: it is integers only, every mixture of two records is valid, and it is read once.
        Source::failures(unsafe { &*record })
    }

    fn target(&mut self, destination: Address) -> Option<&mut Target> {
        let record = maps::TARGETS.get_ptr_mut(destination.words())?;
        // SAFETY: as above, and none of it is read twice to be relied upon.
        Some(unsafe { &mut *record })
    }

    #[expect(clippy::needless_borrows_for_generic_args, reason = "moved, it would lie on the stack before")]
    fn renew(&mut self, destination: Address) -> Option<&mut Target> {
        maps::TARGETS.insert(destination.words(), &EMPTY, 0).ok()?;
        self.target(destination)
    }

    #[expect(clippy::needless_borrows_for_generic_args, reason = "moved, it would lie on the stack before")]
    fn archive(&mut self, destination: Address) {
        if let Some(target) = self.target(destination) {
            let past = Past { destination, begun: target.begun().0 };
            let _ = maps::INCIDENTS.insert(past, &*target, 0);
        }
    }
}
