//! Step 6, report: counts every frame once, and tells of drops.

use aya_ebpf::EbpfContext;
use aya_ebpf::programs::XdpContext;
use aya_log_ebpf::macro_support::{Level, level_enabled};
use aya_log_ebpf::{debug, warn};
use scanguard_common::cause::{Action, Cause};
use scanguard_common::count::{self, Note};
use scanguard_common::event::{Answer, Event, EventGate, News};
use scanguard_common::key::{Address, spread_pair};
use scanguard_common::mark::Reason;
use scanguard_common::schema::{EVENT_GATES, InterfaceSlot, Rules};

use crate::consequences::Case;
use crate::lookup::coarse;
use crate::maps;

/// Counts one frame of so many bytes.
pub(crate) fn count(interface: InterfaceSlot, cause: Cause, bytes: usize) {
    add(count::index(interface, cause), bytes);
}

#[inline(always)] // for every frame
fn add(index: u32, bytes: usize) {
    if let Some(tally) = maps::COUNTS.get_ptr_mut(index) {
        // SAFETY: a pointer from a map look-up is valid until the program ends, and this processor's alone.
        unsafe { tally.write(tally.read().plus(bytes as u64)) };
    }
}

/// Says of one frame what became of it, to whoever asked for such messages before the program was loaded.
#[inline(always)] // for all others, the verifier removes it whole
pub(crate) fn say(ctx: &XdpContext, interface: InterfaceSlot, cause: Cause) {
    if level_enabled(Level::Debug) {
        say_aloud(ctx, interface, cause);
    }
}

#[inline(never)] // else what it is to say would be written down before it is known whether anybody asked
fn say_aloud(ctx: &XdpContext, interface: InterfaceSlot, cause: Cause) {
    debug!(ctx, "slot {} cause {}", interface.number(), cause.index());
}

/// Tells of one drop, unless too much was told of its source, destination and cause lately.
#[inline(never)] // as all of what drops have to pay: its frame on the stack is gone when the next step has its own
pub(crate) fn tell<C: EbpfContext>(ctx: &C, case: &Case<'_>) {
    let Case { reason: Reason { cause, .. }, packet, .. } = *case;
    match cause.action() {
        Action::Pass => return,
        Action::Drop => {}
    }
    let (spread, Some(gate)) = gate(packet.source, packet.destination, cause) else { return };
    // SAFETY: a pointer from a map look-up is valid until the program ends, and this processor's alone.
    let (next, answer) = unsafe { gate.read() }.ask(spread, coarse());
    // SAFETY: as above.
    unsafe { gate.write(next) };
    match answer {
        Answer::Fold => {}
        Answer::Tell { folded } => {
            add(count::told_index(case.interface), 0);
            send(ctx, case, News::Dropped { folded }.numbers());
        }
    }
}

/// Tells, once in a while, that so many sources come at once that some are forgotten.
#[inline(never)] // seldom called, and its event would take a part of the stack of those who are called often
pub(crate) fn crowd<C: EbpfContext>(ctx: &C, case: &Case<'_>) {
    // One gate for the whole crowd: which one, nobody outside knows.
    let spread = maps::HASH_SEED.load();
    let Some(gate) = gate_of(spread) else { return };
    // SAFETY: a pointer from a map look-up is valid until the program ends, and this processor's alone.
    let (next, answer) = unsafe { gate.read() }.ask(spread, coarse());
    // SAFETY: as above.
    unsafe { gate.write(next) };
    match answer {
        Answer::Fold => {}
        Answer::Tell { .. } => send(ctx, case, News::Crowded.numbers()),
    }
}

/// Sends one event on its way to user space: the [`News::numbers`] of what happened.
pub(crate) fn send<C: EbpfContext>(ctx: &C, case: &Case<'_>, news: (u8, u32)) {
    match maps::EVENTS.reserve::<Event>(0) {
        Some(mut entry) => {
            entry.write(Event::new(case.at, case.interface, &case.reason, case.packet, news));
            entry.submit(0);
            note(Note::Told);
        }
        None => {
            note(Note::Lost);
            warn!(ctx, "the ring buffer is full: an event is lost");
        }
    }
}

/// Adds drops that were counted elsewhere to those of which the next event of their source, destination and cause tells.
pub(crate) fn fold(source: Address, destination: Address, cause: Cause, more: u32) {
    if let (spread, Some(gate)) = gate(source, destination, cause) {
        // SAFETY: a pointer from a map look-up is valid until the program ends, and this processor's alone.
        unsafe { gate.write(gate.read().fold(spread, more)) };
    }
}

/// Where it is remembered on this processor what was told of, and the spread of this drop.
pub(crate) fn gate(source: Address, destination: Address, cause: Cause) -> (u64, Option<*mut EventGate>) {
    let edition = maps::RULES.get(0).map_or(0, Rules::edition);
    let seed = maps::HASH_SEED.load() ^ (u64::from(edition) << 8 | u64::from(cause.index()));
    let spread = spread_pair(source, destination, seed);
    (spread, gate_of(spread))
}

fn gate_of(spread: u64) -> Option<*mut EventGate> {
    let slot = u32::try_from(spread % u64::from(EVENT_GATES)).unwrap_or_default();
    maps::own(&maps::EVENT_GATES, slot)
}

/// Counts one more of these.
pub(crate) fn note(note: Note) {
    if let Some(notes) = maps::NOTES.get_ptr_mut(0) {
        // SAFETY: a pointer from a map look-up is valid until the program ends, and this processor's alone.
        unsafe { notes.write(notes.read().plus(note)) };
    }
}
