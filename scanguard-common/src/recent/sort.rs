//! What can become of a frame, by its flags alone.

use crate::cause::Cause;
use crate::classify::flags::{TcpFlags, class};
use crate::classify::{Class, Part};

/// What can become of a frame, by its flags alone: what can only pass is never mistaken for what can only be dropped.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A TCP segment with ACK that carries a connection on, or ends one direction of it: whether it passes, the connection
    /// tells.
    Data = 1,
    /// A UDP datagram.
    Datagram = 2,
    /// A TCP segment with flags that no stack sends.
    Impossible = 3,
    /// A SYN, named with its source: whether that is banned.
    Opening = 4,
    /// A SYN as a stack writes it, from whomever: whether somebody listens.
    Greeting = 5,
}

impl Sort {
    /// Whether this cause is kept for frames of this sort.
    ///
    /// What claims a connection, or is a datagram, or greets, is remembered only to pass, so that no mistake drops it.
    pub fn keeps(self, cause: Cause) -> bool {
        match self {
            Sort::Data | Sort::Datagram => matches!(cause, Cause::InConnection | Cause::InFlow | Cause::Udp),
            Sort::Greeting => cause == Cause::NewConnection,
            Sort::Opening => matches!(cause, Cause::Banned | Cause::BannedNetwork | Cause::Denied),
            Sort::Impossible => IMPOSSIBLE_CAUSES >> cause.index() & 1 != 0,
        }
    }

    /// The sort of a segment with these flags; `None` for those that accept, cancel or reset something.
    #[inline(always)] // as `glance`, of which it is a part
    pub(super) fn of(flags: TcpFlags) -> Option<Sort> {
        const IMPOSSIBLE: u64 = all(Sort::Impossible);
        const OPENING: u64 = all(Sort::Opening);
        const DATA: u64 = all(Sort::Data);

        let bit = 1_u64 << (flags.bits() & COUNTED);
        if DATA & bit != 0 && flags.bits() & TcpFlags::RESERVED == 0 {
            Some(Sort::Data)
        } else if IMPOSSIBLE & bit != 0 || flags.bits() & TcpFlags::RESERVED != 0 {
            Some(Sort::Impossible)
        } else if OPENING & bit != 0 {
            Some(Sort::Opening)
        } else {
            None
        }
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

/// All flags but those of congestion notification, which change nothing, and the reserved ones.
const COUNTED: u16 = 0x3f;

/// The values of the six flags that count for which [`class`] says that they are of this sort: a bit for each.
const fn all(wanted: Sort) -> u64 {
    let mut values = 0;
    let mut bits = 0;
    while bits <= COUNTED {
        let is_wanted = match class(TcpFlags::from_bits(bits)) {
            Class::Impossible(_) => matches!(wanted, Sort::Impossible),
            Class::Opens => matches!(wanted, Sort::Opening),
            Class::NeedsConnection(Part::Carries | Part::Ends) => matches!(wanted, Sort::Data),
            Class::NeedsConnection(Part::Accepts | Part::Cancels | Part::Resets)
            | Class::Datagram
            | Class::Pings
            | Class::Associates
            | Class::NotJudged(_) => false,
        };
        if is_wanted {
            values |= 1 << bits;
        }
        bits += 1;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_sorted_as_they_are_classified() {
        for bits in 0..0x1000 {
            let flags = TcpFlags::from_bits(bits);
            let expected = match class(flags) {
                Class::Impossible(_) => Some(Sort::Impossible),
                Class::NeedsConnection(Part::Carries | Part::Ends) => Some(Sort::Data),
                Class::Opens => Some(Sort::Opening),
                Class::NeedsConnection(Part::Accepts | Part::Cancels | Part::Resets)
                | Class::Datagram
                | Class::Pings
                | Class::Associates
                | Class::NotJudged(_) => None,
            };
            assert_eq!(Sort::of(flags), expected, "{bits:#05x}");
        }
    }
}
