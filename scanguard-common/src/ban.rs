//! Bans: whom this host does not want to meet, and until when.
//!
//! A ban refuses new contacts and nothing else. Each repeat lasts twice as long as the one before, up to a ceiling, and
//! for each while without another, one repeat is forgotten. An expired ban is a memory: it refuses nothing, and whoever
//! reads it sees that by the clock.

use crate::classify::signature::Label;
use crate::evidence::Kind;
use crate::time::Seconds;

/// How many words of 32 bits hint at who may be banned: where a bit is not set, none of those is whose spread chooses it.
///
/// A look-up among bans takes a hash and as a rule two cache misses, while all hints together are 32 KiB, and most of those
/// who come to a port that is open are not banned. Bits are never taken back: that costs time alone.
pub const HINT_WORDS: u32 = 1 << 13;

/// The word behind them, which is not 0 where there is any hint.
pub const ANY_HINT: u32 = HINT_WORDS;

/// Where the hint at an address of this [`spread`](crate::key::spread) stands: which word, and which bit of it.
pub fn hint(spread: u64) -> (u32, u32) {
    let upper = (spread >> 32) as u32;
    (upper / (u32::MAX / HINT_WORDS + 1), 1 << (upper & 31))
}

/// How long bans last, all in seconds.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The first.
    pub first: u32,
    /// The longest.
    pub ceiling: u32,
    /// How long without another until one repeat is forgotten.
    pub forget: u32,
}

/// The ban of one source.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ban {
    since: u32,
    until: u32,
    repeats: u16,
    kind: u8,
    label: u8,
}

const _: () = assert!(size_of::<Ban>() == 12);

impl Ban {
    /// One more ban, from now on, of a source whose last is `self`: the default where there was none.
    ///
    /// `kind` is what was held against it last, `label` the mark of its tool.
    #[must_use]
    pub fn again(self, kind: Kind, label: Label, terms: Terms, now: Seconds) -> Ban {
        let repeats = self.repeats_at(terms, now);
        let doubled =
            terms.first.checked_shl(repeats.into()).filter(|length| length >> repeats == terms.first);
        let length = doubled.map_or(terms.ceiling, |length| length.min(terms.ceiling));
        Ban {
            since: now.0,
            until: now.after(length).0,
            repeats: repeats.saturating_add(1),
            kind: kind.number(),
            label: label.number(),
        }
    }

    /// Whether it refuses anything now.
    pub fn holds(self, now: Seconds) -> bool {
        now.0 < self.until
    }

    /// How many repeats are remembered now, this one included; 0 where the record may go.
    pub fn repeats_at(self, terms: Terms, now: Seconds) -> u16 {
        let quiet = now.since(Seconds(self.until)).checked_div(terms.forget).unwrap_or_default();
        self.repeats.saturating_sub(u16::try_from(quiet).unwrap_or(u16::MAX))
    }

    /// The same, lifted by the operator: it refuses nothing any more, and no repeat is remembered.
    #[must_use]
    pub fn lifted(self) -> Ban {
        Ban { until: 0, repeats: 0, ..self }
    }

    /// When it began.
    pub fn since(self) -> Seconds {
        Seconds(self.since)
    }

    /// When it ends.
    pub fn until(self) -> Seconds {
        Seconds(self.until)
    }

    /// How often the source was banned, this time included, as far as that is remembered.
    pub fn repeats(self) -> u16 {
        self.repeats
    }

    /// What was held against the source last.
    pub fn kind(self) -> Kind {
        Kind::from_number(self.kind)
    }

    /// The mark of its tool.
    pub fn label(self) -> Label {
        Label::from_number(self.label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { first: 600, ceiling: 86_400, forget: 86_400 };

    fn banned_again(ban: Ban, now: u32) -> Ban {
        ban.again(Kind::Closed, Label::NONE, TERMS, Seconds(now))
    }

    #[test]
    fn every_spread_has_a_hint_of_its_own_place() {
        for upper in [0, 1, 31, 32, 0x7fff_ffff, u32::MAX] {
            let (word, bit) = hint(u64::from(upper) << 32);
            assert!(word < HINT_WORDS && bit.is_power_of_two(), "{upper:#x}");
        }
        assert_ne!(hint(0), hint(1 << 32));
        assert_ne!(hint(0), hint(1 << 63));
    }

    #[test]
    fn each_repeat_lasts_twice_as_long_up_to_the_ceiling() {
        let mut ban = Ban::default();
        let mut lengths = Vec::new();
        for _ in 0..10 {
            ban = banned_again(ban, ban.until().0);
            lengths.push(ban.until().since(ban.since()));
        }
        assert_eq!(lengths, [600, 1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 76_800, 86_400, 86_400]);
    }

    #[test]
    fn a_ban_holds_until_its_end_and_no_longer() {
        let ban = banned_again(Ban::default(), 100);
        assert!(ban.holds(Seconds(100)) && ban.holds(Seconds(699)));
        assert!(!ban.holds(Seconds(700)));
        assert!(!Ban::default().holds(Seconds(0)));
        assert!(!ban.lifted().holds(Seconds(100)));
    }

    #[test]
    fn repeats_are_forgotten_one_by_one() {
        let ban = banned_again(banned_again(Ban::default(), 0), 600);
        assert_eq!(ban.repeats_at(TERMS, ban.until()), 2);
        assert_eq!(ban.repeats_at(TERMS, ban.until().after(86_399)), 2);
        assert_eq!(ban.repeats_at(TERMS, ban.until().after(86_400)), 1);
        assert_eq!(ban.repeats_at(TERMS, ban.until().after(3 * 86_400)), 0);
        let later = banned_again(ban, ban.until().0 + 86_400);
        assert_eq!(later.until().since(later.since()), 1_200);
    }

    #[test]
    fn a_record_of_any_bits_is_valid() {
        let odd = Ban { since: u32::MAX, until: u32::MAX, repeats: u16::MAX, kind: u8::MAX, label: u8::MAX };
        assert_eq!(banned_again(odd, 5).until(), Seconds(5 + 86_400));
    }
}
