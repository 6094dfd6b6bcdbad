//! Whose marks packets bear: what earlier ones left behind, and what is known of this host.

use aya_ebpf::bindings::xdp_md;
use aya_ebpf::programs::XdpContext;
use scanguard_common::cause::Cause;
use scanguard_common::classify::signature::{Ballot, Knowledge, Label, Left, Suspicion};
use scanguard_common::key::{Address, spread};
use scanguard_common::mark::{self, Traces};
use scanguard_common::schema::{BALLOTS, TRACE_PLACES};
use scanguard_common::time::Seconds;

use crate::aside::{self, Door};
use crate::frame::PacketMemory;
use crate::lookup::now;
use crate::maps;

/// Looks for the mark of a tool in the packet that was decided about, and lies aside.
pub(crate) fn find(ctx: &XdpContext, cause: Cause) -> Label {
    if !mark::knocks(cause) {
        return Label::NONE;
    }
    let suspicion = scanguard_mark(ctx.ctx);
    let is_suspect = Suspicion::from_number(suspicion) != Suspicion::NONE;
    let alone = if is_suspect { label(scanguard_options(ctx.ctx, suspicion)) } else { Label::NONE };
    if alone.is_certain() { alone } else { alone.or(label(scanguard_marks(ctx.ctx))) }
}

fn label(number: u32) -> Label {
    let [number, ..] = number.to_le_bytes();
    Label::from_number(number)
}

#[unsafe(no_mangle)]
#[inline(never)] // a global function: see `aside`
extern "C" fn scanguard_mark(ctx: *mut xdp_md) -> u32 {
    let Some(packet) = aside::get(Door::In) else { return 0 };
    let frame = PacketMemory::incoming(&XdpContext::new(ctx));
    mark::suspect(&frame, packet, &mut Kept).number()
}

#[unsafe(no_mangle)]
#[inline(never)] // as above, and by itself, because each suspicion would have the verifier read this once more
extern "C" fn scanguard_options(ctx: *mut xdp_md, suspicion: u32) -> u32 {
    let Some(packet) = aside::get(Door::In) else { return 0 };
    let frame = PacketMemory::incoming(&XdpContext::new(ctx));
    let suspicion = Suspicion::from_number(suspicion);
    mark::settle_alone(suspicion, &frame, packet, &mut Kept).number().into()
}

#[unsafe(no_mangle)]
#[inline(never)] // as above, and by itself, because each mark would have the verifier read this once more
extern "C" fn scanguard_marks(ctx: *mut xdp_md) -> u32 {
    let Some(packet) = aside::get(Door::In) else { return 0 };
    let frame = PacketMemory::incoming(&XdpContext::new(ctx));
    mark::together(&frame, packet, &mut Kept).number().into()
}

/// The maps in which they are kept.
struct Kept;

impl Traces for Kept {
    fn spread(&self, address: Address) -> u64 {
        spread(address, maps::HASH_SEED.load())
    }

    fn left(&mut self, spread: u64) -> Option<&mut Left> {
        let place = u32::try_from(spread % u64::from(TRACE_PLACES)).unwrap_or_default();
        let left = maps::TRACES.get_ptr_mut(place)?;
        // SAFETY: a pointer from a map look-up is valid until the program ends. Another processor may write the record
        // at the same time: it is integers only, and every mixture of two records is valid.
        Some(unsafe { &mut *left })
    }

    fn ballot(&mut self, spread: u64) -> Option<&mut Ballot> {
        let place = u32::try_from(spread % u64::from(BALLOTS)).unwrap_or_default();
        let ballot = maps::BALLOTS.get_ptr_mut(place)?;
        // SAFETY: as above.
        Some(unsafe { &mut *ballot })
    }

    fn knowledge(&self, with_time: bool) -> Knowledge {
        let now = with_time.then(|| Seconds::of(now()));
        maps::RULES.get(0).map_or_else(Knowledge::default, |rules| rules.knowledge(now))
    }
}
