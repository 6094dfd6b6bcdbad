//! Which ports were seen to be closed a moment ago.
//!
//! The socket table does not know what a packet filter redirects, what belongs to a guest, or what is bound to a device
//! above this one. The refusal that leaves does: it is proof, whoever made it. So the second door writes down which
//! port was refused, and the first drops what else comes for it, for a while.

use crate::dated::Dated;
use crate::time::Seconds;

/// How long a refusal is believed, in seconds: a service that starts behind a redirection is reached after so long at
/// the latest, which is when a client's third try comes (RFC 6298 §2.1: after 1, 3 and 7 seconds).
pub const BELIEVED_FOR: u32 = 6;

/// One place of the table: which port, and when it was refused.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused(Dated);

impl Refused {
    /// A port with this spread, refused now.
    pub fn at(spread: u64, now: Seconds) -> Refused {
        Refused(Dated::at(spread, now))
    }

    /// Whether it is this port, and was refused lately.
    pub fn lately(self, spread: u64, now: Seconds) -> bool {
        self.0.age(spread, now).is_some_and(|age| age < u64::from(BELIEVED_FOR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: u64 = 0x1111_1111_1100_0000;

    #[test]
    fn a_refusal_is_believed_for_a_while_and_of_one_port() {
        let refused = Refused::at(ONE, Seconds(7));
        assert!(refused.lately(ONE, Seconds(7)));
        assert!(refused.lately(ONE, Seconds(7 + BELIEVED_FOR - 1)));
        assert!(!refused.lately(ONE, Seconds(7 + BELIEVED_FOR)));
        assert!(!refused.lately(ONE + (1 << 24), Seconds(7)));
    }
}
