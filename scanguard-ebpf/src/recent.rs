//! What was decided a moment ago, asked and kept by the name of a frame.

use core::hint::black_box;

use aya_ebpf::bindings::xdp_md;
use aya_ebpf::programs::{TcContext, XdpContext};
use scanguard_common::cause::{Action, Cause};
use scanguard_common::count::Note;
use scanguard_common::recent::{Door, Glance, Look, Moment, Recent, Sort, Then, glance, is_kept_of_a_crowd};
use scanguard_common::schema::InterfaceSlot;

use crate::frame::PacketMemory;
use crate::lookup::{ban, may_be_refused, ticks};
use crate::{act, ledger, maps, report};

/// The cause for which a frame that comes in, or another of its name, was passed or dropped a moment ago, and which of
/// both. What is dropped is not told of by itself.
#[inline(always)] // asked of every frame: see `glance`
pub(crate) fn came_in(
    ctx: &XdpContext,
    frame: &PacketMemory,
    slot: InterfaceSlot,
) -> Option<(Cause, Action)> {
    glance(frame, Door::Incoming, slot, &Incoming(ctx))
}

/// Recalls what was decided of a frame that came in.
struct Incoming<'c>(&'c XdpContext);

impl Then for Incoming<'_> {
    type Found = (Cause, Action);

    #[inline(always)] // see `glance`
    fn then(&self, glance: &Glance) -> Option<(Cause, Action)> {
        let action = glance.sort()?.action()?; // constant for a kind of frame, where asking the cause takes 8 instructions
        let recent = recall(glance)?;
        recent.again();
        Some((recent.cause()?, action))
    }

    #[inline(always)] // see `glance`
    fn opens(&self, _: &Glance) -> Option<(Cause, Action)> {
        let cause = Cause::from_number(black_box(scanguard_opened(self.0.ctx)))?;
        Some((cause, cause.action()))
    }
}

/// Recalls what left.
struct Outgoing;

impl Then for Outgoing {
    type Found = &'static mut Recent;

    #[inline(always)] // see `glance`
    fn then(&self, glance: &Glance) -> Option<&'static mut Recent> {
        if !glance.sort()?.keeps(act::LEAVES) {
            return None; // to look where nobody looked lately is a cache miss
        }
        recall(glance)
    }
}

/// Not the index of any cause.
const UNKNOWN: u8 = u8::MAX;

#[unsafe(no_mangle)]
#[inline(never)] // a global function: see `aside`. It looks again, so that other frames need not write down what they saw
extern "C" fn scanguard_opened(ctx: *mut xdp_md) -> u32 {
    let slot = InterfaceSlot::new(maps::SLOT.load());
    let cause = slot.and_then(|slot| opened(&PacketMemory::incoming(&XdpContext::new(ctx)), slot));
    cause.map_or(UNKNOWN, Cause::index).into()
}

/// What was decided of a SYN: that its source is banned, or else that somebody listens where it is for, or that nobody
/// does and its source is lost in the crowd that tries it.
#[inline(always)] // one frame on the BPF stack less
fn opened(frame: &PacketMemory, slot: InterfaceSlot) -> Option<Cause> {
    let glance = glance(frame, Door::Incoming, slot, &Look)?;
    let may_be_refused = may_be_refused(glance.sender());
    if may_be_refused && let Some(refused) = recall(&glance) {
        refused.again();
        return refused.cause();
    }
    let cause = recall(&glance.greeting()?)?.cause()?;
    if may_be_refused {
        let (source, _) = glance.ends();
        // Whether he is also banned from what is published is not known here.
        if ban(glance.sender(), source).is_some() {
            return None;
        }
    }
    match cause.action() {
        Action::Pass if glance.is_as_stacks_write(frame) => {}
        Action::Drop if ledger::loses_in_a_crowd(&glance) => report::note(Note::Crowded),
        Action::Pass | Action::Drop => return None,
    }
    Some(cause)
}

/// Whether what leaves carries on what left a moment ago.
#[inline(always)] // as above
pub(crate) fn has_left(ctx: &TcContext, slot: InterfaceSlot) -> bool {
    glance(&PacketMemory::outgoing(ctx), Door::Outgoing, slot, &Outgoing).is_some()
}

/// Keeps what was decided of a frame that came in, if all others of its name are to be treated so for a while.
pub(crate) fn keep_what_came_in(ctx: &XdpContext, cause: Cause) {
    scanguard_keep(ctx.ctx, cause.index().into());
}

#[unsafe(no_mangle)]
#[inline(never)] // as above
extern "C" fn scanguard_keep(ctx: *mut xdp_md, cause: u32) -> u32 {
    let [index, ..] = black_box(cause).to_le_bytes();
    if let (Some(slot), Some(cause)) = (InterfaceSlot::new(maps::SLOT.load()), Cause::from_index(index)) {
        let _ = keep_incoming(&PacketMemory::incoming(&XdpContext::new(black_box(ctx))), slot, cause);
    }
    0
}

#[inline(always)] // one frame on the BPF stack less
fn keep_incoming(frame: &PacketMemory, slot: InterfaceSlot, cause: Cause) -> Option<()> {
    let glance = glance(frame, Door::Incoming, slot, &Look)?;
    if glance.sort()?.keeps(cause) {
        keep(&glance, cause)
    } else if Sort::Greeting.keeps(cause) {
        let greeting = glance.greeting()?;
        // Of a crowd that tries all ports, none pushes out what others need.
        if is_kept_of_a_crowd(cause) && place(&greeting)?.is_fresh(now()) {
            return None;
        }
        keep(&greeting, cause)
    } else {
        None
    }
}

/// Keeps that this side has just spoken.
#[inline(never)] // as above
pub(crate) fn keep_what_leaves(ctx: &TcContext, slot: InterfaceSlot) {
    let glance = glance(&PacketMemory::outgoing(ctx), Door::Outgoing, slot, &Look);
    if let Some(glance) = glance.filter(|glance| glance.sort().is_some_and(|sort| sort.keeps(act::LEAVES))) {
        let _ = keep(&glance, act::LEAVES);
    }
}

#[inline(always)] // see `glance`
fn recall(glance: &Glance) -> Option<&'static mut Recent> {
    let this_while = this_while(); // a call, which had better not come between a look-up and what is done with it
    let recent = place(glance)?;
    recent.is_of(glance.name(), Moment::new(this_while, maps::EDITION.read())).then_some(recent)
}

#[inline(always)] // see `glance`
fn keep(glance: &Glance, cause: Cause) -> Option<()> {
    let place = place(glance)?;
    if let Some((source, destination, cause, more)) = place.folded() {
        report::fold(source, destination, cause, more);
    }
    *place = Recent::new(*glance.name(), now(), cause);
    Some(())
}

#[inline(always)] // see `glance`
fn place(glance: &Glance) -> Option<&'static mut Recent> {
    let place = maps::RECENT.get_ptr_mut(glance.place(maps::HASH_SEED.load()))?;
    // SAFETY: a pointer from a map look-up is valid until the program ends, and this processor's alone.
    Some(unsafe { &mut *place })
}

/// The current moment, which lasts 128 ticks of the kernel's coarse clock: an eighth of a second to one and a quarter, by
/// how the kernel was configured.
#[inline(always)] // see `glance`
fn now() -> Moment {
    Moment::new(this_while(), maps::EDITION.read())
}

#[inline(always)] // see `glance`
fn this_while() -> u64 {
    const WHILE_LOG2: u32 = 7;
    ticks() >> WHILE_LOG2
}
