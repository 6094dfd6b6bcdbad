//! What is known of one source.

use super::decay::{STEP, decayed};
use super::kind::{Kind, Weights};
use super::knock::REMEMBERS;
use super::pending::Pending;
use super::witness::Trial;
use crate::classify::signature::Label;
use crate::time::Seconds;

/// How many contacts are remembered, so that repeating one of them is no news: the latest that were counted.
///
/// A repetition counts anew only after so many others in between. A scanner gains nothing by it, and of whoever is none
/// most of those others were answered, which weighs more.
pub const REMEMBERED: usize = 8;

/// How many contacts can wait for their outcome at the same time. Beyond it the newest is not waited for: if it took the
/// place of the oldest, whoever asks quickly enough would never be found to have got no answer.
pub(super) const PENDING: usize = 3;

/// Where the number of contacts goes on that cannot grow any more: with the first place of those that are remembered.
const AGAIN: u16 = u16::MAX - 7;

const _: () = assert!(
    (AGAIN as usize).is_multiple_of(REMEMBERED) && u16::MAX as usize - AGAIN as usize == REMEMBERED - 1
);

/// The highest score: it stays below the threshold that bans nobody.
const HIGHEST: u32 = u32::MAX - 1;

/// The evidence about one source: one cache line.
///
/// Two processors may write it at the same time; every mixture of two records is a valid one. What they count of the
/// same source at the same moment is partly lost, because the BPF target has no atomic addition: of two that read the
/// same number, both write it plus one. Where C processors do nothing but that, at least one contact in C is counted.
/// For of each processor at most one addition falls between another's reading and writing, which are a few instructions
/// of a packet's thousands; so the additions that survive have cost at most C − 1 others each. (An interrupt between
/// the two can cost more, once.) That is the worst: two processors at full rate lose less than one contact in a hundred.
/// A scanner gains a few ports by it, and has to hit all receive queues in the same fraction of a microsecond.
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
    remembered: [u16; REMEMBERED],
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
        remembered: [0; REMEMBERED],
        pending: [Pending::NONE; PENDING],
    };

    /// Begins to observe a source of which nothing was known, or nothing for so long that the door has forgotten it.
    pub(super) fn begin(&mut self, now: Seconds) {
        if self.last == 0 || now.since(Seconds(self.last)) >= REMEMBERS {
            *self = Source { faded: now.0, since: now.0, last: now.0, ..Source::UNKNOWN };
        }
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
        if trial.kind == Kind::Asked {
            self.wait(trial);
            return false;
        }
        self.wait_no_longer(trial.key);
        self.is_first(trial.key) && self.count(trial.kind)
    }

    /// Counts a contact whose outcome is known.
    fn count(&mut self, kind: Kind) -> bool {
        if kind == Kind::Answered {
            self.answered = self.answered.saturating_add(1);
            self.score = self.score.saturating_sub(Weights::CLOSED);
        } else {
            self.failed = self.failed.saturating_add(1);
            self.score = self.score.saturating_add(Weights::against(kind)).min(HIGHEST);
            self.kind = kind.number();
        }
        true
    }

    /// Whether this contact was not counted yet, which it is from now on.
    fn is_first(&mut self, contact: u32) -> bool {
        if self.was_counted(contact) {
            return false;
        }
        if let Some(place) = self.remembered.get_mut(usize::from(self.contacts) % REMEMBERED) {
            *place = mark(contact);
        }
        self.contacts = self.contacts.checked_add(1).unwrap_or(AGAIN);
        true
    }

    /// Whether this contact was counted already.
    fn was_counted(&self, contact: u32) -> bool {
        self.remembered.contains(&mark(contact))
    }

    fn wait(&mut self, trial: &Trial) {
        if self.was_counted(trial.key) || self.awaits(trial.key) {
            return;
        }
        if let Some(place) = self.pending.iter_mut().find(|place| place.is_free()) {
            *place = Pending::new(trial.key, trial.port, trial.at);
        }
    }

    fn wait_no_longer(&mut self, contact: u32) {
        if let Some(place) = self.pending.iter_mut().find(|waiting| waiting.is(contact)) {
            *place = Pending::NONE;
        }
    }

    /// Whether this contact waits for its outcome.
    pub(super) fn awaits(&self, contact: u32) -> bool {
        self.pending.iter().any(|waiting| waiting.is(contact))
    }

    /// Notes which tool the source uses: the most telling of its marks counts, and counts once.
    ///
    /// What is certain is counted with each contact that bears it, by its [`Kind::Signature`]. A hint marks a kind of
    /// host and not a deed, so it is worth something only where the source had no better one. Of a segment of no
    /// connection it is the very thing for which that was dropped, and no further evidence.
    pub(super) fn recognise(&mut self, mark: Label, kind: Kind) {
        let (known, worth) = (Weights::of_mark(self.label()), Weights::of_mark(mark));
        if worth < known {
            return;
        }
        self.label = mark.number();
        if !mark.is_certain() && kind != Kind::OutOfState {
            self.score = self.score.saturating_add(worth - known).min(HIGHEST);
        }
    }

    /// Begins anew, as is done when it was judged: a ban is the answer to all that was held against it.
    pub(super) fn forgive(&mut self) {
        self.score = 0;
        self.remembered = [0; REMEMBERED];
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

    /// How many first contacts it made, of which so many failed and so many were answered: as far as can be counted.
    pub fn contacts(&self) -> [u16; 3] {
        [self.contacts, self.failed, self.answered]
    }

    /// How many first contacts failed.
    pub fn failures(&self) -> u16 {
        self.failed
    }

    /// The most telling mark of a tool that it bore.
    pub fn label(&self) -> Label {
        Label::from_number(self.label)
    }

    /// How the last contact ended that was held against it.
    pub fn kind(&self) -> Kind {
        Kind::from_number(self.kind)
    }
}

/// The half of a contact's spread by which it is remembered. Never 0, which is none.
fn mark(contact: u32) -> u16 {
    let [.., low, high] = contact.to_le_bytes();
    u16::from_le_bytes([low, high]).max(1)
}
