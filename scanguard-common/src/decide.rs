//! Step 4, decide: one cause for every packet.

mod mercy;
mod suspicion;

pub use mercy::{Mercy, mercy};
pub use suspicion::{Suspicion, suspect};

use crate::cause::Cause;
use crate::flow::Lookups;
use crate::parse::Packet;

/// Decides about one incoming packet: why it passes or is dropped. [`Cause::action`] says which.
#[inline(never)] // a frame on the BPF stack that is gone before the next step has its own
pub fn decide<L: Lookups>(packet: &Packet, lookups: &L) -> Cause {
    let suspicion = lookups.suspect(packet);
    match suspicion {
        Suspicion::None(cause) => cause,
        Suspicion::Certain(cause) if lookups.was_dropped_lately(packet, cause) => cause,
        Suspicion::Unwelcome(_) | Suspicion::Marked(_) | Suspicion::OutOfState(_) | Suspicion::Stray
            if lookups.has_spoken(packet) =>
        {
            Cause::InFlow
        }
        Suspicion::Certain(_)
        | Suspicion::Unwelcome(_)
        | Suspicion::Marked(_)
        | Suspicion::OutOfState(_)
        | Suspicion::Stray
        | Suspicion::ClosedPort
        | Suspicion::UnboundPort => match lookups.mercy(packet) {
            Mercy::Passes(cause) => cause,
            Mercy::Doubt => settle(suspicion, packet, lookups, lookups.is_learning()),
            Mercy::None => settle(suspicion, packet, lookups, false),
        },
    }
}

/// What becomes of a suspect for whom nothing speaks. While connections of guests are still being `learned`, none that
/// claims one is blamed.
fn settle<L: Lookups>(suspicion: Suspicion, packet: &Packet, lookups: &L, learned: bool) -> Cause {
    match suspicion {
        Suspicion::None(cause)
        | Suspicion::Certain(cause)
        | Suspicion::Unwelcome(cause)
        | Suspicion::Marked(cause) => cause,
        Suspicion::OutOfState(_) | Suspicion::Stray if learned => Cause::MaybeTranslated,
        Suspicion::OutOfState(cause) => cause,
        Suspicion::Stray if lookups.spend_on_stray(packet.sender()) => Cause::Stray,
        Suspicion::Stray => Cause::StrayFlood,
        Suspicion::ClosedPort if lookups.is_closed(packet) => Cause::ClosedPort,
        Suspicion::ClosedPort | Suspicion::UnboundPort => Cause::UnprovenPort,
    }
}
