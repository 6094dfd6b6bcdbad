//! A signature as a number, which records and events keep.

use super::{Confidence, Signature};

/// The number of a signature: its index and one, or 0 for none.
///
/// The programs carry this and not the signature: what they look up by it they must find by a number that was compared
/// with the table's end, because the verifier does not know which values an enum has ("R2 max value is outside of the
/// allowed memory range").
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Label(u8);

/// Those that are certain, each as the bit of its label.
#[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
const CERTAIN: u64 = {
    let (mut bits, mut index) = (0, 0);
    while index < Signature::ALL.len() {
        if let Confidence::Certain = Signature::ALL[index].confidence() {
            bits |= 2 << index;
        }
        index += 1;
    }
    bits
};

/// What each is worth, in bits, by its label.
#[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
const BITS: [u8; Signature::ALL.len() + 1] = {
    let (mut bits, mut index) = ([0; Signature::ALL.len() + 1], 0);
    while index < Signature::ALL.len() {
        bits[index + 1] = Signature::ALL[index].bits();
        index += 1;
    }
    bits
};

const _: () = assert!(Signature::ALL.len() < 64, "each has its bit");

impl Label {
    /// None.
    pub const NONE: Label = Label(0);

    /// The label of this signature.
    pub const fn of(signature: Signature) -> Label {
        Label(signature as u8 + 1)
    }

    /// The label of this number, of which every value is one.
    pub const fn from_number(number: u8) -> Label {
        Label(number)
    }

    /// The number.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Which signature it is; `None` also where a newer program knows signatures that this code does not.
    pub fn signature(self) -> Option<Signature> {
        Signature::from_index(self.0.checked_sub(1)?)
    }

    /// This one or the other: a certain one, else this one, if there is any.
    #[must_use]
    pub fn or(self, other: Label) -> Label {
        let is_enough = self.is_certain() || self != Label::NONE && !other.is_certain();
        if is_enough { self } else { other }
    }

    /// Whether it is one for which a packet dies.
    pub fn is_certain(self) -> bool {
        CERTAIN.checked_shr(u32::from(self.0)).is_some_and(|bits| bits & 1 != 0)
    }

    /// What it is worth as evidence, in bits: see [`Signature::bits`].
    pub fn bits(self) -> u8 {
        BITS.get(usize::from(self.0)).copied().unwrap_or_default()
    }
}

impl From<Option<Signature>> for Label {
    fn from(signature: Option<Signature>) -> Label {
        signature.map_or(Label::NONE, |signature| Label(signature.index() + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_says_what_its_signature_says() {
        for signature in Signature::ALL.iter().copied() {
            let label = Label::from(Some(signature));
            assert_eq!(label.signature(), Some(signature));
            assert_eq!(label.bits(), signature.bits());
            assert_eq!(label.is_certain(), signature.confidence() == Confidence::Certain);
            assert_eq!(Label::from_number(label.number()), label);
        }
    }

    #[test]
    fn certainty_counts_more_than_who_came_first() {
        let [certain, other, hint] =
            [Signature::NmapSyn, Signature::Hping, Signature::SynMssOnly].map(|s| Label::from(Some(s)));
        assert_eq!(certain.or(other), certain);
        assert_eq!(certain.or(hint), certain);
        assert_eq!(hint.or(certain), certain);
        assert_eq!(hint.or(Label::NONE), hint);
        assert_eq!(Label::NONE.or(hint), hint);
    }

    #[test]
    fn any_other_number_is_none() {
        for number in [0, 31, 63, 64, u8::MAX] {
            let label = Label::from_number(number);
            assert_eq!((label.signature(), label.bits(), label.is_certain()), (None, 0, false), "{number}");
        }
        assert_eq!(Label::from(None), Label::NONE);
    }
}
