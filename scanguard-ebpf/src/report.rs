//! Step 6, report: counts every frame once, and tells of drops.

use aya_ebpf::EbpfContext;
use aya_log_ebpf::{debug, warn};
use scanguard_common::cause::{Action, Cause};
use scanguard_common::count::{self, EventCounts};
use scanguard_common::event::{Answer, Event};
use scanguard_common::key::spread;
use scanguard_common::parse::Packet;
use scanguard_common::schema::{EVENT_GATES, InterfaceSlot};

use crate::lookup::now;
use crate::maps;

/// Counts one frame of so many bytes.
pub(crate) fn count(interface: InterfaceSlot, cause: Cause, bytes: usize) {
    if let Some(tally) = maps::COUNTS.get_ptr_mut(count::index(interface, cause)) {
        // SAFETY: a pointer from a map look-up is valid until the program ends, and this processor's alone.
        unsafe { tally.write(tally.read().plus(bytes as u64)) };
    }
}

/// Tells of one drop, unless too much was told of its source and cause lately.
pub(crate) fn tell<C: EbpfContext>(ctx: &C, interface: InterfaceSlot, cause: Cause, packet: &Packet) {
    debug!(ctx, "slot {} cause {}", interface.number(), cause.index());
    match cause.action() {
        Action::Pass => return,
        Action::Drop => {}
    }
    let spread = spread(packet.source, maps::HASH_SEED.load() ^ u64::from(cause.index()));
    let slot = u32::try_from(spread % u64::from(EVENT_GATES)).unwrap_or_default();
    let Some(gate) = maps::EVENT_GATES.get_ptr_mut(slot) else { return };
    let now = now();
    // SAFETY: a pointer from a map look-up is valid until the program ends, and this processor's alone.
    let (next, answer) = unsafe { gate.read() }.ask(spread, now);
    // SAFETY: as above.
    unsafe { gate.write(next) };
    match answer {
        Answer::Fold => note(EventCounts::with_folded),
        Answer::Tell { folded } => match maps::EVENTS.reserve::<Event>(0) {
            Some(mut entry) => {
                entry.write(Event::new(now, interface, cause, packet, folded));
                entry.submit(0);
                note(EventCounts::with_told);
            }
            None => {
                note(EventCounts::with_lost);
                warn!(ctx, "the ring buffer is full: an event is lost");
            }
        },
    }
}

/// Counts what became of one event.
fn note(step: fn(EventCounts) -> EventCounts) {
    if let Some(counts) = maps::EVENT_COUNTS.get_ptr_mut(0) {
        // SAFETY: a pointer from a map look-up is valid until the program ends, and this processor's alone.
        unsafe { counts.write(step(counts.read())) };
    }
}
