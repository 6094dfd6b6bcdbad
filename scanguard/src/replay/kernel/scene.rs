//! What the engine is told when it asks about one packet, for the kernel to be told the same.

use scanguard_common::cause::Cause;
use scanguard_common::classify::signature::Left;
use scanguard_common::flow::Socket;
use scanguard_common::key::Address;
use scanguard_common::speech::{Flow, Listener};
use scanguard_common::time::Nanos;

/// The host at the moment of one frame. All times are the capture's.
pub(in crate::replay) struct Scene {
    /// Which frame of the capture, from 1.
    pub(in crate::replay) number: u64,
    pub(in crate::replay) now: Nanos,
    /// The flow, as the outside names it; none where the frame was not understood.
    pub(in crate::replay) flow: Option<Flow>,
    /// The other side, as budgets know it.
    pub(in crate::replay) sender: Address,
    /// This side's port.
    pub(in crate::replay) listener: Listener,
    pub(in crate::replay) socket: Socket,
    /// Whether the packet is for this host, or from it.
    pub(in crate::replay) is_ours: bool,
    pub(in crate::replay) spoken: Option<Nanos>,
    /// When a program last listened there; 0 for never.
    pub(in crate::replay) listened: Nanos,
    /// Why new contacts of the other side are refused, if so.
    pub(in crate::replay) refused_for: Option<Cause>,
    /// Whether connections of others are still being learned.
    pub(in crate::replay) is_learning: bool,
    /// Whether the port was refused a moment ago.
    pub(in crate::replay) was_refused: bool,
    /// Which place the source leaves something behind in, and what is there; none where the frame was not understood.
    pub(in crate::replay) left: Option<(u32, Left)>,
    /// When the budgets are whole again.
    pub(in crate::replay) strays: Option<u64>,
    pub(in crate::replay) strays_of_all: u64,
    pub(in crate::replay) resets: Option<u64>,
}
