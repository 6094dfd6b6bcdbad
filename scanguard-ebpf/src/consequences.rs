//! What follows from a decision: it is told, and held against the source, or for it.

use core::hint::black_box;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::programs::{TcContext, XdpContext};
use scanguard_common::cause::{Action, Cause};
use scanguard_common::classify::signature::Label;
use scanguard_common::event::News;
use scanguard_common::evidence::Kind;
use scanguard_common::mark::Reason;
use scanguard_common::parse::Packet;
use scanguard_common::schema::InterfaceSlot;
use scanguard_common::time::Nanos;

use crate::aside::{self, Door};
use crate::ledger::Held;
use crate::lookup::now;
use crate::{ledger, maps, network, report, target};

/// A packet of which something follows.
pub(crate) struct Case<'p> {
    /// On which interface.
    pub(crate) interface: InterfaceSlot,
    /// Why it passed or was dropped.
    pub(crate) reason: Reason,
    /// What it says.
    pub(crate) packet: &'p Packet,
    /// When: the clock is read once for all that follows, because that takes 20 ns.
    pub(crate) at: Nanos,
}

/// When nobody has asked for the time yet. No `Option`: of two registers Linux 5.10 takes the one that holds nothing for
/// memory that is read before it is written.
pub(crate) const NOT_ASKED: Nanos = Nanos(0);

/// What follows for a packet that came in, and lies aside, at this time.
pub(crate) fn of_incoming(ctx: &XdpContext, reason: &Reason, at: Nanos) {
    let kind = reason.kind();
    if kind.is_some() || reason.cause.action() == Action::Drop {
        let Nanos(at) = if at == NOT_ASKED { now() } else { at };
        scanguard_take_in(ctx.ctx, packed(kind, reason), at);
    }
}

/// What follows for a packet that leaves or was kept back, and lies aside as the packet that it answers.
pub(crate) fn of_outgoing(ctx: &TcContext, kind: Option<Kind>, reason: &Reason) {
    scanguard_take_out(ctx.skb.skb, packed(kind, reason), now().0);
}

#[unsafe(no_mangle)]
#[inline(never)] // a global function: see `aside`
extern "C" fn scanguard_take_in(ctx: *mut xdp_md, what: u32, at: u64) -> u32 {
    follow(&XdpContext::new(black_box(ctx)), Door::In, what, Nanos(at))
}

#[unsafe(no_mangle)]
#[inline(never)] // as above
extern "C" fn scanguard_take_out(ctx: *mut __sk_buff, what: u32, at: u64) -> u32 {
    follow(&TcContext::new(black_box(ctx)), Door::Out, what, Nanos(at))
}

/// The context is used by messages alone. Where those are left out, the compiler would not pass it either, and the
/// verifier miss it: hence the `black_box`.
#[inline(always)] // one frame on the BPF stack less
fn follow<C: EbpfContext>(ctx: &C, door: Door, what: u32, at: Nanos) -> u32 {
    let (Some(interface), Some(packet)) = (InterfaceSlot::new(maps::SLOT.load()), aside::get(door)) else {
        return 0;
    };
    let (kind, reason) = unpacked(what);
    let case = Case { interface, reason, packet, at };
    report::tell(ctx, &case);
    if let Some(kind) = kind {
        let held = ledger::hold(ctx, door, &case, kind).forgotten();
        if kind.is_held_against() {
            target::attempt(ctx, &case, held);
        }
        let seconds = match held {
            Held::Banned => network::source_was_banned(&case),
            Held::Waiting | Held::Noted => 0,
        };
        if seconds != 0 {
            report::send(ctx, &case, News::NetworkBanned { seconds }.numbers());
        }
    }
    0
}

/// A kind and a reason in one number.
fn packed(kind: Option<Kind>, reason: &Reason) -> u32 {
    let kind = kind.map_or(NO_KIND, Kind::number);
    u32::from_le_bytes([reason.cause.index(), reason.mark.number(), kind, 0])
}

fn unpacked(what: u32) -> (Option<Kind>, Reason) {
    let [cause, mark, kind, _] = what.to_le_bytes();
    let cause = Cause::from_index(cause).unwrap_or(Cause::UnknownDestination);
    ((kind != NO_KIND).then_some(Kind::from_number(kind)), Reason { cause, mark: Label::from_number(mark) })
}

const NO_KIND: u8 = u8::MAX;
