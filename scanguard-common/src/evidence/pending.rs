//! Contacts that were let through and whose outcome is not known yet.

use crate::time::Seconds;

/// How long an answer may take, in seconds, before the contact counts as failed.
pub const ANSWER_WITHIN: u16 = 3;

/// One contact that waits for its outcome; free where all of it is zero.
///
/// Its time has 16 bits: whether an answer is overdue is asked of seconds, not of days.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pending {
    contact: u32,
    port: u16,
    at: u16,
}

const _: () = assert!(size_of::<Pending>() == 8);

impl Pending {
    /// Nothing.
    pub(super) const NONE: Pending = Pending { contact: 0, port: 0, at: 0 };

    /// A contact that begins to wait now.
    pub(super) fn new(contact: u32, port: u16, now: Seconds) -> Pending {
        Pending { contact, port, at: now.low_bits() }
    }

    /// Whether nothing waits here.
    pub(super) fn is_free(self) -> bool {
        // All at once: each comparison by itself is a fork in the way of the verifier.
        self.contact | u32::from(self.port) | u32::from(self.at) == 0
    }

    /// Whether this is the contact that waits here.
    pub(super) fn is(self, contact: u32) -> bool {
        self.contact == contact && !self.is_free()
    }

    /// Whether its answer is overdue.
    pub(super) fn is_overdue(self, now: Seconds) -> bool {
        !self.is_free() && now.low_bits().wrapping_sub(self.at) > ANSWER_WITHIN
    }

    /// Which contact.
    pub(super) fn contact(self) -> u32 {
        self.contact
    }

    /// To which port.
    pub(super) fn port(self) -> u16 {
        self.port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_overdue_after_three_full_seconds_even_where_the_clock_wraps() {
        for start in [5, 65_534, 65_535, 65_536, 1_000_000] {
            let waiting = Pending::new(7, 80, Seconds(start));
            assert!(!waiting.is_overdue(Seconds(start)));
            assert!(!waiting.is_overdue(Seconds(start + 3)));
            assert!(waiting.is_overdue(Seconds(start + 4)));
        }
        assert!(!Pending::NONE.is_overdue(Seconds(1_000)));
    }
}
