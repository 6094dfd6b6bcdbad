//! What speaks for a packet.

use crate::cause::Cause;
use crate::flow::{Destination, Lookups};
use crate::parse::Packet;

/// What speaks for a packet that is about to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mercy {
    /// Nothing.
    None,
    /// It may be for a guest behind this host, or for a redirected port.
    Doubt,
    /// It passes for this cause.
    Passes(Cause),
}

impl Mercy {
    /// A number that stands for it: as [`Suspicion::number`](super::Suspicion::number).
    pub fn number(self) -> u32 {
        match self {
            Mercy::None => NONE,
            Mercy::Doubt => DOUBT,
            Mercy::Passes(cause) => cause.index().into(),
        }
    }

    /// What a number stands for; `None` where it is none.
    pub fn from_number(number: u32) -> Option<Mercy> {
        match number {
            NONE => Some(Mercy::None),
            DOUBT => Some(Mercy::Doubt),
            cause => Cause::from_index(u8::try_from(cause).ok()?).map(Mercy::Passes),
        }
    }
}

const NONE: u32 = 1 << 8;
const DOUBT: u32 = 2 << 8;

/// Asks whatever may speak for a packet, the cheapest first.
pub fn mercy<L: Lookups>(packet: &Packet, lookups: &L) -> Mercy {
    if packet.is_for_group() {
        return Mercy::Passes(Cause::NotUnicast);
    }
    if lookups.allows(packet.source) {
        return Mercy::Passes(Cause::Allowed);
    }
    match lookups.destination(packet) {
        Destination::Ours => Mercy::None,
        Destination::OursOrTranslated => Mercy::Doubt,
        Destination::Group => Mercy::Passes(Cause::NotUnicast),
        Destination::OtherStation => Mercy::Passes(Cause::OtherStation),
        Destination::Forwarded => Mercy::Passes(Cause::Forwarded),
        Destination::Unknown => Mercy::Passes(Cause::UnknownDestination),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_leads_back_to_the_mercy() {
        let passes = Cause::ALL.iter().map(|cause| Mercy::Passes(*cause));
        for mercy in passes.chain([Mercy::None, Mercy::Doubt]) {
            assert_eq!(Mercy::from_number(mercy.number()), Some(mercy));
        }
        assert_eq!(Mercy::from_number(0xff), None);
        assert_eq!(Mercy::from_number(3 << 8), None);
    }
}
