//! What was decided a moment ago, asked and kept by the name of a frame.

use aya_ebpf::programs::{TcContext, XdpContext};
use scanguard_common::cause::Cause;
use scanguard_common::recent::{Door, Glance, Moment, Recent, Sort, Then, glance};
use scanguard_common::schema::{InterfaceSlot, Rules};

use crate::frame::PacketMemory;
use crate::lookup::{ban, coarse, refuses_any};
use crate::{act, maps, report};

/// The cause for which a frame that comes in, or another of its name, was passed or dropped a moment ago. What is dropped
/// is not told of by itself.
#[inline(always)] // asked of every frame: see `glance`
pub(crate) fn came_in(ctx: &XdpContext, slot: InterfaceSlot) -> Option<Cause> {
    let recent = glance(&PacketMemory::incoming(ctx), Door::Incoming, slot, &Incoming { ctx, slot })?;
    recent.again();
    recent.cause()
}

/// Recalls what was decided of a frame that came in.
struct Incoming<'c> {
    ctx: &'c XdpContext,
    slot: InterfaceSlot,
}

impl Then for Incoming<'_> {
    type Found = &'static mut Recent;

    #[inline(always)] // see `glance`
    fn then(&self, glance: &Glance) -> Option<&'static mut Recent> {
        match glance.sort()? {
            Sort::Opening | Sort::Greeting => opened(self.ctx, self.slot),
            Sort::Data | Sort::Datagram | Sort::Impossible => recall(glance, now()?),
        }
    }
}

/// Recalls what left.
struct Outgoing;

impl Then for Outgoing {
    type Found = &'static mut Recent;

    #[inline(always)] // see `glance`
    fn then(&self, glance: &Glance) -> Option<&'static mut Recent> {
        recall(glance, now()?)
    }
}

/// What was decided of a SYN: that its source is banned, or else that somebody listens where it is for.
#[inline(never)] // it looks again, so that frames of other sorts need not write down what they saw
fn opened(ctx: &XdpContext, slot: InterfaceSlot) -> Option<&'static mut Recent> {
    let frame = PacketMemory::incoming(ctx);
    let glance = glance(&frame, Door::Incoming, slot, &Seen)?;
    let now = now()?;
    let refuses_any = refuses_any();
    if refuses_any && let Some(refused) = recall(&glance, now) {
        return Some(refused);
    }
    let listening = recall(&glance.greeting(&frame)?, now)?;
    if refuses_any {
        let (source, _) = glance.ends();
        // Whether he is also banned from what is published is not known here.
        if ban(glance.sender(), source).is_some() {
            return None;
        }
    }
    Some(listening)
}

/// Whether what leaves carries on what left a moment ago.
#[inline(always)] // as above
pub(crate) fn has_left(ctx: &TcContext, slot: InterfaceSlot) -> bool {
    glance(&PacketMemory::outgoing(ctx), Door::Outgoing, slot, &Outgoing).is_some()
}

/// Keeps what was decided of a frame that came in, if all others of its name are to be treated so for a while.
#[inline(never)] // seldom called, and the name would take a part of the stack of those who are called often
pub(crate) fn keep_what_came_in(ctx: &XdpContext, slot: InterfaceSlot, cause: Cause) {
    let frame = PacketMemory::incoming(ctx);
    let Some(glance) = glance(&frame, Door::Incoming, slot, &Seen) else { return };
    let name = if glance.sort().is_some_and(|sort| sort.keeps(cause)) {
        Some(glance)
    } else if Sort::Greeting.keeps(cause) {
        glance.greeting(&frame)
    } else {
        None
    };
    if let Some(glance) = name {
        let _ = keep(&glance, cause);
    }
}

/// Keeps that this side has just spoken.
#[inline(never)] // as above
pub(crate) fn keep_what_leaves(ctx: &TcContext, slot: InterfaceSlot) {
    let glance = glance(&PacketMemory::outgoing(ctx), Door::Outgoing, slot, &Seen);
    if let Some(glance) = glance.filter(|glance| glance.sort().is_some_and(|sort| sort.keeps(act::LEAVES))) {
        let _ = keep(&glance, act::LEAVES);
    }
}

/// Goes on with nothing: brings all kinds of frames into one form, where there is time for it.
struct Seen;

impl Then for Seen {
    type Found = Glance;

    #[inline(always)] // see `glance`
    fn then(&self, glance: &Glance) -> Option<Glance> {
        Some(*glance)
    }
}

#[inline(always)] // see `glance`
fn recall(glance: &Glance, now: Moment) -> Option<&'static mut Recent> {
    let recent = place(glance)?;
    recent.is_of(glance.name(), now).then_some(recent)
}

#[inline(always)] // see `glance`
fn keep(glance: &Glance, cause: Cause) -> Option<()> {
    let (place, now) = (place(glance)?, now()?);
    if let Some((source, destination, cause, more)) = place.folded() {
        report::fold(source, destination, cause, more);
    }
    *place = Recent::new(*glance.name(), now, cause);
    Some(())
}

#[inline(always)] // see `glance`
fn place(glance: &Glance) -> Option<&'static mut Recent> {
    let place = maps::RECENT.get_ptr_mut(glance.place(maps::HASH_SEED.load()))?;
    // SAFETY: a pointer from a map look-up is valid until the program ends, and this processor's alone.
    Some(unsafe { &mut *place })
}

#[inline(always)] // see `glance`
fn now() -> Option<Moment> {
    // 2³⁰ nanoseconds.
    const WHILE_LOG2: u32 = 30;
    maps::RULES.get(0).map(|rules: &Rules| Moment::new(coarse().0 >> WHILE_LOG2, rules))
}
