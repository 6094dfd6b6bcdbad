//! The doorkeeper: a source earns its record by a second contact.
//!
//! A flood from forged addresses makes one contact with each. Those meet in a small table, one place for many sources,
//! and push each other out; the records of sources that are under observation are not touched. Of such a crowd only one in
//! [`ONE_IN`] is let in, who is then treated as everybody is: so that each stays longer, and a flood costs less (*sample and
//! hold*: Estan, Varghese, *New Directions in Traffic Measurement and Accounting*, SIGCOMM 2002).
//!
//! The doorkeeper also knows at which places nobody has a record, who need not be looked for then.

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
    /// When a source of this place was last seen that has a record: see [`hour`]. 0 where none ever was.
    recorded: u8,
}

const _: () = assert!(size_of::<Knock>() == 16);

/// Whoever came less than this many seconds ago has just come. Among a hundred new sources a second, one in 20 meets another
/// by chance who has.
pub const JUST_COME: u32 = 32;

/// One in so many is let in of those who would push out somebody who has just come.
pub const ONE_IN: u32 = 32;

/// Who stands at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// Somebody who was not here before, or so long ago that it does not count, or whom somebody else pushed out.
    Stranger {
        /// Whether another is pushed out who had just come.
        crowds: bool,
    },
    /// A stranger who would push out another who had just come, and is not let in.
    TurnedAway,
    /// Somebody who repeats the one contact that he has made.
    Same,
    /// Somebody with a second contact.
    Known,
}

/// How long the doorkeeper remembers, in seconds: longer than a scanner can wait who is to be caught at all.
pub(super) const REMEMBERS: u32 = 24 * 3_600;

/// Whoever is pushed out sooner than this, in seconds, is pushed out by a crowd. Later it happens at a quiet door too:
/// in the course of a day two sources come to share a place now and then.
pub const CROWDED_WITHIN: u32 = 60;

impl Knock {
    /// Whether nobody was here yet.
    fn is_nobody(&self) -> bool {
        self.tag == 0 // which no visitor's is
    }

    /// Somebody is let in: the upper half of the spread of his address tells him from others in the same place.
    pub(super) fn let_in(&mut self, spread: u64, trial: &Trial) {
        let Trial { kind, port, key, at } = *trial;
        *self = Knock { tag: tag(spread), contact: key, at: at.0, port, kind: kind.number(), ..*self };
    }

    /// Who waited here has a record from now on.
    pub(super) fn admit(&mut self, now: Seconds) {
        *self = Knock { recorded: hour(now), ..Knock::default() };
    }

    /// Whether a source of this place may have a record.
    pub(super) fn may_be_recorded(&self, now: Seconds) -> bool {
        self.recorded != 0 && hour(now).wrapping_sub(self.recorded) <= hour(Seconds(REMEMBERS)) + 1
    }

    /// A source of this place was seen that has a record.
    pub(super) fn saw_recorded(&mut self, now: Seconds) {
        let now = hour(now);
        if self.recorded != now {
            self.recorded = now;
        }
    }

    /// Who this is to the doorkeeper, who remembers `self`.
    pub(super) fn greet(&self, spread: u64, contact: u32, now: Seconds) -> Visitor {
        let waits_since = now.since(Seconds(self.at));
        let is_remembered = !self.is_nobody() && waits_since < REMEMBERS;
        match (is_remembered, self.tag == tag(spread)) {
            (true, true) if self.contact == contact => Visitor::Same,
            (true, true) => Visitor::Known,
            (_, _) => {
                if is_remembered && waits_since < JUST_COME && !draws(spread, contact) {
                    return Visitor::TurnedAway;
                }
                Visitor::Stranger { crowds: is_remembered && waits_since < CROWDED_WITHIN }
            }
        }
    }

    /// The same visit, of which more is known now: what was only asked has been answered, or has failed.
    pub(super) fn ended(&mut self, kind: Kind) {
        if Kind::from_number(self.kind) == Kind::Asked {
            self.kind = kind.number();
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

/// Whether this contact of the source of this spread is the one in [`ONE_IN`]: nobody outside knows, and a source that
/// tries another port draws anew. By the bits of the spread that are in neither place nor tag.
fn draws(spread: u64, contact: u32) -> bool {
    let [_, _, low, high, ..] = spread.to_le_bytes();
    (u32::from(u16::from_le_bytes([low, high])) ^ contact).is_multiple_of(ONE_IN)
}

/// Which hour it is, of 4 096 seconds, in pairs: comes again after twelve days, and never is 0. Who looks then for a record
/// that is not there loses nothing but the time.
fn hour(now: Seconds) -> u8 {
    let [hour, ..] = (now.0 >> 12).to_le_bytes();
    hour | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: u64 = 0x1111_1111_0000_0000;
    const OTHER: u64 = 0x2222_2222_0000_0000;

    fn trial(kind: Kind, at: Seconds) -> Trial {
        Trial { kind, port: 80, key: 1, at }
    }

    fn knock(spread: u64, kind: Kind, at: Seconds) -> Knock {
        let mut knock = Knock::default();
        knock.let_in(spread, &trial(kind, at));
        knock
    }

    #[test]
    fn a_second_contact_is_known_and_a_repeated_one_is_not() {
        let now = Seconds(100);
        assert_eq!(Knock::default().greet(ONE, 1, now), Visitor::Stranger { crowds: false });
        let knock = knock(ONE, Kind::Closed, now);
        assert_eq!(knock.greet(ONE, 1, now), Visitor::Same);
        assert_eq!(knock.greet(ONE, 2, now), Visitor::Known);
        assert_eq!(knock.greet(ONE, 2, now.after(REMEMBERS)), Visitor::Stranger { crowds: false });
    }

    #[test]
    fn of_those_who_push_out_who_has_just_come_one_in_so_many_is_let_in() {
        let now = Seconds(100);
        let knock = knock(ONE, Kind::Closed, now);
        let let_in = |visitor| match visitor {
            Visitor::Stranger { crowds: true } => true,
            Visitor::TurnedAway => false,
            other @ (Visitor::Stranger { crowds: false } | Visitor::Same | Visitor::Known) => {
                panic!("{other:?}")
            }
        };
        let by_port = (0..10 * ONE_IN).filter(|contact| let_in(knock.greet(OTHER, *contact, now))).count();
        let by_source = (0..10 * u64::from(ONE_IN))
            .filter(|bits| let_in(knock.greet(OTHER | bits << 16, 2, now)))
            .count();
        assert_eq!([by_port, by_source], [10, 10]);
        for (waited, crowds) in [(JUST_COME, true), (CROWDED_WITHIN, false)] {
            for contact in 0..10 * ONE_IN {
                let later = knock.greet(OTHER, contact, now.after(waited));
                assert_eq!(later, Visitor::Stranger { crowds });
            }
        }
    }

    #[test]
    fn where_somebody_has_a_record_is_known_for_a_day_whoever_else_comes() {
        let noon = Seconds(500 * REMEMBERS);
        let mut place = knock(ONE, Kind::Closed, noon);
        assert!(!place.may_be_recorded(noon));
        place.admit(noon);
        assert_eq!(place.greet(ONE, 2, noon), Visitor::Stranger { crowds: false });
        place.let_in(OTHER, &trial(Kind::Closed, noon));
        assert!(place.may_be_recorded(noon.after(REMEMBERS)));
        assert!(!place.may_be_recorded(noon.after(REMEMBERS + 3 * 4_096)));
        place.saw_recorded(noon.after(REMEMBERS));
        assert!(place.may_be_recorded(noon.after(2 * REMEMBERS)));
    }

    #[test]
    fn only_an_open_question_can_still_be_settled() {
        let mut asked = knock(ONE, Kind::Asked, Seconds(1));
        asked.ended(Kind::Answered);
        assert_eq!(asked.first().kind, Kind::Answered);
        let mut closed = knock(ONE, Kind::Closed, Seconds(1));
        closed.ended(Kind::Answered);
        assert_eq!(closed.first().kind, Kind::Closed);
    }
}
