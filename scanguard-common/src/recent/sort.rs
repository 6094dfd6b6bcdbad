//! What can become of a frame, by its flags alone.

use crate::cause::{Action, Cause};
use crate::classify::Class;
use crate::classify::flags::{TcpFlags, class};

/// What can become of a frame, by its flags alone: what can only pass is never mistaken for what can only be dropped.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A TCP segment with ACK that carries a connection on, or ends one direction of it: whether it passes, the connection
    /// tells.
    Data = 1,
    /// A UDP datagram.
    Datagram = 2,
    /// A TCP segment with any other flags: whether those are impossible, its cause tells.
    Other = 3,
    /// A SYN, named with its source: whether that is banned.
    Opening = 4,
    /// A SYN from whomever: whether somebody listens.
    Greeting = 5,
}

impl Sort {
    /// Whether this cause is kept for frames of this sort.
    ///
    /// What claims a connection, or is a datagram, is remembered only to pass, so that no mistake drops it.
    pub fn keeps(self, cause: Cause) -> bool {
        match self {
            Sort::Data | Sort::Datagram => matches!(cause, Cause::InConnection | Cause::InFlow | Cause::Udp),
            Sort::Greeting => matches!(cause, Cause::NewConnection | Cause::ClosedPort),
            Sort::Opening => matches!(cause, Cause::Banned | Cause::BannedNetwork | Cause::Denied),
            Sort::Other => IMPOSSIBLE_CAUSES >> cause.index() & 1 != 0,
        }
    }

    /// What becomes of frames of this sort of which something is kept; `None` where that depends on what is kept.
    pub fn action(self) -> Option<Action> {
        match self {
            Sort::Data | Sort::Datagram => Some(Action::Pass),
            Sort::Other | Sort::Opening => Some(Action::Drop),
            Sort::Greeting => None,
        }
    }

    /// The sort of a segment with these flags, as [`WireFlags`].
    ///
    /// Two comparisons, where the table of what is impossible would take more than to ask in vain for the few segments
    /// that accept, cancel or reset something, of which nothing is kept.
    #[inline(always)] // as `glance`, of which it is a part
    pub(super) fn of(WireFlags(flags): WireFlags) -> Sort {
        const CARRIES_OR_ENDS: u16 =
            (TcpFlags::SYN | TcpFlags::RST | TcpFlags::ACK | TcpFlags::RESERVED).to_be();
        const OPENS: u16 = CARRIES_OR_ENDS | TcpFlags::FIN.to_be();

        if flags & CARRIES_OR_ENDS == TcpFlags::ACK.to_be() {
            Sort::Data
        } else if flags & OPENS == TcpFlags::SYN.to_be() {
            Sort::Opening
        } else {
            Sort::Other
        }
    }
}

/// The flags of a segment as they lie in its header: turning them round would take longer than comparing them.
#[derive(Clone, Copy)]
pub(super) struct WireFlags(pub(super) u16);

impl WireFlags {
    /// Of the two bytes in which they are, the first of which has the header's length beside.
    #[inline(always)] // as above
    pub(super) fn of(bytes: [u8; 2]) -> WireFlags {
        WireFlags(u16::from_ne_bytes(bytes) & 0x0fff_u16.to_be())
    }
}

/// The causes for which [`class`] says that flags are impossible: a bit for each.
const IMPOSSIBLE_CAUSES: u64 = {
    let mut causes = 0;
    let mut bits = 0;
    while bits < 0x1000 {
        if let Class::Impossible(cause) = class(TcpFlags::from_bits(bits)) {
            causes |= 1 << cause as u8;
        }
        bits += 1;
    }
    causes
};

const _: () = assert!(Cause::ALL.len() <= 64, "each has its bit");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::Part;

    #[test]
    fn what_is_kept_of_a_sort_has_its_action() {
        for sort in [Sort::Data, Sort::Datagram, Sort::Other, Sort::Opening] {
            let kept: Vec<_> = Cause::ALL.iter().filter(|cause| sort.keeps(**cause)).collect();
            assert!(!kept.is_empty());
            assert!(kept.iter().all(|cause| Some(cause.action()) == sort.action()), "{sort:?}: {kept:?}");
        }
    }

    #[test]
    fn flags_are_sorted_as_they_are_classified() {
        for bits in 0..0x1000 {
            let flags = TcpFlags::from_bits(bits);
            let expected = match class(flags) {
                Class::NeedsConnection(Part::Carries | Part::Ends) => Sort::Data,
                Class::Opens => Sort::Opening,
                Class::NeedsConnection(Part::Accepts | Part::Cancels | Part::Resets)
                | Class::Impossible(_)
                | Class::Datagram
                | Class::Pings
                | Class::Associates
                | Class::NotJudged(_) => Sort::Other,
            };
            for beside in [0, 0xf000] {
                let flags = WireFlags::of((bits | beside).to_be_bytes());
                assert_eq!(Sort::of(flags), expected, "{bits:#05x}");
            }
        }
    }
}
