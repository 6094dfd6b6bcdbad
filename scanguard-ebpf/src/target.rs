//! Keeps what sources do together: scans that are shared.

use aya_ebpf::EbpfContext;
use scanguard_common::event::News;
use scanguard_common::evidence::Source;
use scanguard_common::incident::{Attempt, Past, Target, Targets, attempt as take_in};
use scanguard_common::key::Address;
use scanguard_common::mark::Reason;
use scanguard_common::parse::Packet;
use scanguard_common::schema::InterfaceSlot;
use scanguard_common::time::Seconds;

use crate::lookup::now;
use crate::{maps, report};

/// Counts a contact that failed at its destination, and tells if a scan has shown that is shared. `banned` says whether
/// its source was banned for it.
#[inline(never)] // as in `main`
pub(crate) fn attempt<C: EbpfContext>(
    ctx: &C,
    interface: InterfaceSlot,
    reason: &Reason,
    packet: &Packet,
    banned: bool,
) {
    let attempt = Attempt::new(packet, banned, Seconds::of(now()));
    if let Some(sources) = take_in(&mut Kept, &attempt, maps::HASH_SEED.load()) {
        report::send(ctx, interface, reason, packet, News::Shared { sources }.numbers());
    }
}

/// What new records begin as: not on the stack, which has no room for them.
static EMPTY: Target = Target::EMPTY;

/// The maps in which targets are kept.
struct Kept;

impl Targets for Kept {
    fn failures(&mut self, source: Address) -> u16 {
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
