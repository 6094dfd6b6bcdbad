//! Step 5, act: the one place that knows what XDP and tc call their actions.

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action};
use scanguard_common::cause::{Action, Cause};

/// What XDP does where the fault is ours.
pub(crate) const ABORT: xdp_action::Type = xdp_action::XDP_ABORTED;

/// What tc does with a packet that is none of our business: it asks the next program.
pub(crate) const GO_ON: i32 = TC_ACT_UNSPEC;

/// The cause of what leaves and is no refusal: none of the ingress's counters moves for it.
pub(crate) const LEAVES: Cause = Cause::InFlow;

/// What XDP does with a packet.
pub(crate) fn on_incoming(action: Action) -> xdp_action::Type {
    match action {
        Action::Pass => xdp_action::XDP_PASS,
        Action::Drop => xdp_action::XDP_DROP,
    }
}

/// What tc does with a packet.
pub(crate) fn on_outgoing(action: Action) -> i32 {
    match action {
        Action::Pass => GO_ON,
        Action::Drop => TC_ACT_SHOT,
    }
}
