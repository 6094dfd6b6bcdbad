//! What was decided a moment ago, asked and kept by the name of a frame.

use aya_ebpf::programs::{TcContext, XdpContext};
use scanguard_common::cause::{Action, Cause};
use scanguard_common::count::Note;
use scanguard_common::recent::{Door, Moment, Name, Recent, glance};
use scanguard_common::schema::InterfaceSlot;

use crate::frame::PacketMemory;
use crate::lookup::coarse;
use crate::{act, maps, report};

/// The cause for which a frame that comes in, or another of its name, was passed or dropped a moment ago. What is dropped
/// is counted as folded: it is not told of by itself.
pub(crate) fn came_in(ctx: &XdpContext, slot: InterfaceSlot) -> Option<Cause> {
    let recent = recall(&PacketMemory::incoming(ctx), Door::Incoming, slot)?;
    let cause = recent.cause()?;
    match cause.action() {
        Action::Pass => {}
        Action::Drop => {
            recent.again();
            report::note(Note::Folded);
        }
    }
    Some(cause)
}

/// Whether what leaves carries on what left a moment ago.
pub(crate) fn has_left(ctx: &TcContext, slot: InterfaceSlot) -> bool {
    recall(&PacketMemory::outgoing(ctx), Door::Outgoing, slot).is_some()
}

/// Keeps what was decided of a frame that came in, if all others of its name are to be treated so for a while.
#[inline(never)] // seldom called, and the name would take a part of the stack of those who are called often
pub(crate) fn keep_what_came_in(ctx: &XdpContext, slot: InterfaceSlot, cause: Cause) {
    let _ = keep(&PacketMemory::incoming(ctx), Door::Incoming, slot, cause);
}

/// Keeps that this side has just spoken.
#[inline(never)] // as above
pub(crate) fn keep_what_leaves(ctx: &TcContext, slot: InterfaceSlot) {
    let _ = keep(&PacketMemory::outgoing(ctx), Door::Outgoing, slot, act::LEAVES);
}

#[inline(always)] // see `glance`
fn recall(frame: &PacketMemory, door: Door, slot: InterfaceSlot) -> Option<&'static mut Recent> {
    let glance = glance(frame, door, maps::HASH_SEED.load())?;
    let now = now()?;
    // SAFETY: a pointer from a map look-up is valid until the program ends, and this processor's alone.
    let recent = unsafe { &mut *maps::RECENT.get_ptr_mut(glance.place())? };
    recent.is_of(frame, &glance, slot, now).then_some(recent)
}

fn keep(frame: &PacketMemory, door: Door, slot: InterfaceSlot, cause: Cause) -> Option<()> {
    let glance = glance(frame, door, maps::HASH_SEED.load())?;
    if glance.sort().keeps(cause) {
        let recent = Recent::new(Name::of(frame, &glance, slot)?, now()?, cause);
        // SAFETY: as above.
        let place = unsafe { &mut *maps::RECENT.get_ptr_mut(glance.place())? };
        if let Some((source, destination, cause, more)) = place.folded() {
            report::fold(source, destination, cause, more);
        }
        *place = recent;
    }
    Some(())
}

fn now() -> Option<Moment> {
    // 2³⁰ nanoseconds.
    const WHILE_LOG2: u32 = 30;
    #[expect(clippy::cast_possible_truncation, reason = "it comes again after decades")]
    let a_while = (coarse().0 >> WHILE_LOG2) as u32;
    maps::RULES.get(0).map(|rules| Moment::new(a_while, rules))
}
