//! Step 5, act: the one place that knows XDP's actions.

use aya_ebpf::bindings::xdp_action;
use scanguard_common::cause::{Action, Cause};

/// What XDP does with a packet of this cause.
pub(crate) fn act(cause: Cause) -> xdp_action::Type {
    match cause.action() {
        Action::Pass => xdp_action::XDP_PASS,
        Action::Drop => xdp_action::XDP_DROP,
    }
}
