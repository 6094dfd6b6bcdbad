//! What is known of one source.

use super::decay::{STEP, decayed};
use super::kind::{Kind, Weights};
use super::pending::Pending;
use super::witness::Trial;
use crate::time::Seconds;

/// How many bits remember which contacts were made: one bit for each, so that now and then a new one is taken for an
/// old one, in the source's favour.
pub const FILTER_BITS: u32 = 128;

/// After so many contacts the filter is emptied: half full, it would take every second new one for an old one.
const FILTER_HOLDS: u16 = 64;

/// How many contacts can wait for their outcome at the same time; beyond it the oldest is forgotten.
pub(super) const PENDING: usize = 3;

/// The evidence about one source: one cache line.
///
/// Two processors may write it at the same time; every mixture of two records is a valid one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source {
    score: u32,
    faded: u32,
    since: u32,
    last: u32,
    contacts: u16,
    failed: u16,
    answered: u16,
    label: u8,
    kind: u8,
    filter: [u32; 4],
    pending: [Pending; PENDING],
}

const _: () = assert!(size_of::<Source>() == 64, "one cache line");

impl Source {
    /// A source of which nothing is known.
    pub const UNKNOWN: Source = Source {
        score: 0,
        faded: 0,
        since: 0,
        last: 0,
        contacts: 0,
        failed: 0,
        answered: 0,
        label: 0,
        kind: 0,
        filter: [0; 4],
        pending: [Pending::NONE; PENDING],
    };

    /// Begins to observe a source of which nothing was known.
    pub(super) fn begin(&mut self, now: Seconds) {
        self.faded = now.0;
        self.since = now.0;
        self.last = now.0;
    }

    /// Lets time do its work: what was held against the source fades.
    pub(super) fn pass_time(&mut self, now: Seconds, half_life: u32) {
        let passed = now.since(Seconds(self.faded));
        if passed >= STEP {
            self.score = decayed(self.score, passed, half_life);
            self.faded = now.0;
        }
        self.last = now.0;
    }

    /// The contact that waits in this place, if its answer is overdue: it has failed.
    pub(super) fn take_overdue(&mut self, place: usize, now: Seconds) -> Option<Trial> {
        let place = self.pending.get_mut(place)?;
        let waiting = *place;
        if !waiting.is_overdue(now) {
            return None;
        }
        *place = Pending::NONE;
        Some(Trial { kind: Kind::Silence, port: waiting.port(), key: waiting.contact(), at: now })
    }

    /// Takes in how a contact ended: whether that is news, because it was the first of its kind.
    pub(super) fn take(&mut self, trial: &Trial) -> bool {
        match trial.kind {
            Kind::Asked => {
                self.wait(trial);
                false
            }
            Kind::Answered
            | Kind::Closed
            | Kind::Silence
            | Kind::OutOfState
            | Kind::Forged
            | Kind::Decoy
            | Kind::Signature => self.is_first(trial.key) && self.count(trial.kind),
        }
    }

    /// Counts a contact whose outcome is known.
    fn count(&mut self, kind: Kind) -> bool {
        if kind == Kind::Answered {
            self.answered = self.answered.saturating_add(1);
            self.score = self.score.saturating_sub(Weights::CLOSED);
        } else {
            self.failed = self.failed.saturating_add(1);
            self.score = self.score.saturating_add(Weights::against(kind));
            self.kind = kind.number();
        }
        true
    }

    /// Whether this contact was not counted yet, which it is from now on.
    fn is_first(&mut self, contact: u32) -> bool {
        let bit = contact % FILTER_BITS;
        let mask = 1 << (bit % u32::BITS);
        let Some(word) = self.filter.get_mut((bit / u32::BITS) as usize) else { return false };
        if *word & mask != 0 {
            return false;
        }
        *word |= mask;
        self.contacts = self.contacts.wrapping_add(1);
        if self.contacts.is_multiple_of(FILTER_HOLDS) {
            self.filter = [0; 4];
        }
        true
    }

    /// Whether this contact was counted already.
    fn was_counted(&self, contact: u32) -> bool {
        let bit = contact % FILTER_BITS;
        self.filter.get((bit / u32::BITS) as usize).is_some_and(|word| word >> (bit % u32::BITS) & 1 != 0)
    }

    fn wait(&mut self, trial: &Trial) {
        if self.was_counted(trial.key) || self.awaits(trial.key) {
            return;
        }
        let waiting = Pending::new(trial.key, trial.port, trial.at);
        let free = self.pending.iter_mut().find(|place| place.is_free());
        match free {
            Some(place) => *place = waiting,
            None => self.pending = [self.pending[1], self.pending[2], waiting],
        }
    }

    /// Whether this contact waits for its outcome.
    pub(super) fn awaits(&self, contact: u32) -> bool {
        self.pending.iter().any(|waiting| waiting.is(contact))
    }

    /// Notes which tool the source uses: the number of its signature, not 0.
    pub(super) fn recognise(&mut self, label: u8) {
        if label != 0 {
            self.label = label;
        }
    }

    /// Begins anew, as is done when it was banned: a ban is the answer to all that was held against it.
    pub(super) fn forgive(&mut self) {
        self.score = 0;
        self.filter = [0; 4];
        self.pending = [Pending::NONE; PENDING];
    }

    /// How much is held against it, in units of [`Weights::UNIT`], as of the last contact.
    pub fn score(&self) -> u32 {
        self.score
    }

    /// How much of the score is left now.
    pub fn score_at(&self, now: Seconds, half_life: u32) -> u32 {
        decayed(self.score, now.since(Seconds(self.faded)), half_life)
    }

    /// Since when it is known.
    pub fn since(&self) -> Seconds {
        Seconds(self.since)
    }

    /// When it was last heard of.
    pub fn last(&self) -> Seconds {
        Seconds(self.last)
    }

    /// How many first contacts it made, of which so many failed and so many were answered.
    pub fn contacts(&self) -> [u16; 3] {
        [self.contacts, self.failed, self.answered]
    }

    /// The number of the signature of its tool; 0 where none is known.
    pub fn label(&self) -> u8 {
        self.label
    }

    /// How the last contact ended that was held against it.
    pub fn kind(&self) -> Kind {
        Kind::from_number(self.kind)
    }
}
