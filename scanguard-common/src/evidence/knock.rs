//! The doorkeeper: a source earns its record by a second contact.
//!
//! A flood from forged addresses makes one contact with each. Those meet in a small table, one place for many sources,
//! and push each other out; the records of sources that are under observation are not touched.

use super::kind::Kind;
use super::witness::Trial;
use crate::time::Seconds;

/// One place at the door: who knocked there last, and how that ended. Free where all of it is zero.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Knock {
    tag: u32,
    contact: u32,
    at: u32,
    port: u16,
    kind: u8,
    _unused: u8,
}

const _: () = assert!(size_of::<Knock>() == 16);

/// Who stands at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// Somebody who was not here before, or so long ago that it does not count, or whom somebody else pushed out.
    Stranger {
        /// Whether another was pushed out who had just come.
        crowds: bool,
    },
    /// Somebody who repeats the one contact that he has made.
    Same,
    /// Somebody with a second contact.
    Known,
}

/// How long the doorkeeper remembers, in seconds: longer than a scanner can wait who is to be caught at all.
const REMEMBERS: u32 = 24 * 3_600;

/// Whoever is pushed out sooner than this, in seconds, is pushed out by a crowd. Later it happens at a quiet door too:
/// in the course of a day two sources come to share a place now and then.
pub const CROWDED_WITHIN: u32 = 60;

impl Knock {
    /// Nobody.
    pub(super) const NOBODY: Knock = Knock { tag: 0, contact: 0, at: 0, port: 0, kind: 0, _unused: 0 };

    /// Whether nobody was here yet.
    fn is_nobody(&self) -> bool {
        self.tag == 0 // which no visitor's is
    }

    /// Somebody knocks: the upper half of the spread of his address tells him from others in the same place.
    pub(super) fn new(spread: u64, trial: &Trial) -> Knock {
        let Trial { kind, port, key, at } = *trial;
        Knock { tag: tag(spread), contact: key, at: at.0, port, kind: kind.number(), _unused: 0 }
    }

    /// Who this is to the doorkeeper, who remembers `self`.
    pub(super) fn greet(&self, spread: u64, contact: u32, now: Seconds) -> Visitor {
        let waits_since = now.since(Seconds(self.at));
        let is_remembered = !self.is_nobody() && waits_since < REMEMBERS;
        match (is_remembered, self.tag == tag(spread)) {
            (true, true) if self.contact == contact => Visitor::Same,
            (true, true) => Visitor::Known,
            (_, _) => Visitor::Stranger { crowds: is_remembered && waits_since < CROWDED_WITHIN },
        }
    }

    /// The same visit, of which more is known now: what was only asked has been answered, or has failed.
    pub(super) fn ended(self, kind: Kind) -> Knock {
        match (Kind::from_number(self.kind), kind) {
            (Kind::Asked, _) => Knock { kind: kind.number(), ..self },
            (
                Kind::Answered
                | Kind::Closed
                | Kind::Silence
                | Kind::OutOfState
                | Kind::Forged
                | Kind::Decoy
                | Kind::Signature,
                _,
            ) => self,
        }
    }

    /// The first contact.
    pub(super) fn first(&self) -> Trial {
        let (kind, at) = (Kind::from_number(self.kind), Seconds(self.at));
        Trial { kind, port: self.port, key: self.contact, at }
    }
}

/// The half of a spread that has not chosen the place. Never 0, which no visitor has.
fn tag(spread: u64) -> u32 {
    let [.., t0, t1, t2, t3] = spread.to_le_bytes();
    u32::from_le_bytes([t0, t1, t2, t3]) | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: u64 = 0x1111_1111_0000_0000;
    const OTHER: u64 = 0x2222_2222_0000_0000;

    fn trial(kind: Kind, at: Seconds) -> Trial {
        Trial { kind, port: 80, key: 1, at }
    }

    #[test]
    fn a_second_contact_is_known_and_a_repeated_one_is_not() {
        let now = Seconds(100);
        assert_eq!(Knock::default().greet(ONE, 1, now), Visitor::Stranger { crowds: false });
        let knock = Knock::new(ONE, &trial(Kind::Closed, now));
        assert_eq!(knock.greet(ONE, 1, now), Visitor::Same);
        assert_eq!(knock.greet(ONE, 2, now), Visitor::Known);
        assert_eq!(knock.greet(OTHER, 2, now), Visitor::Stranger { crowds: true });
        assert_eq!(knock.greet(OTHER, 2, now.after(CROWDED_WITHIN)), Visitor::Stranger { crowds: false });
        assert_eq!(knock.greet(ONE, 2, now.after(REMEMBERS)), Visitor::Stranger { crowds: false });
    }

    #[test]
    fn only_an_open_question_can_still_be_settled() {
        let asked = Knock::new(ONE, &trial(Kind::Asked, Seconds(1)));
        assert_eq!(asked.ended(Kind::Answered).first().kind, Kind::Answered);
        let closed = Knock::new(ONE, &trial(Kind::Closed, Seconds(1)));
        assert_eq!(closed.ended(Kind::Answered).first().kind, Kind::Closed);
    }
}
