//! As which address this host is scanned, where address translation (NAT) stands before it.
//!
//! masscan and Mirai write the address that they scan into other fields than the destination, where no translator
//! changes it. masscan's IPv4 identification is address, port and sequence number folded together, so that what is left
//! without the last two is a constant: the low half of the public address, the same in every packet of every masscan.

use super::Traits;
use crate::parse::Packet;

/// How many public addresses can be told.
pub const PUBLIC_ADDRESSES: usize = 4;

/// What the caller knows beside the packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// IPv4 addresses by which others reach this host, other than its own, as numbers; 0 where there is none.
    pub public: [u32; PUBLIC_ADDRESSES],
    /// What was learned of such an address.
    pub learned: Ballot,
    /// The time of day in seconds since 1970; 0 where it is not known.
    pub unix_seconds: u32,
}

impl Knowledge {
    /// Whether this number is the packet's IPv4 destination, or a public address.
    pub(super) fn is_an_address_of_ours(&self, number: u32, packet: &Packet) -> bool {
        number == destination(packet) || number != 0 && self.public.contains(&number)
    }

    /// Whether masscan hides this constant when it scans the packet's IPv4 destination, or a public address.
    pub(super) fn explains(&self, constant: u16, packet: &Packet) -> bool {
        // 0 where it is the low half of one. Their product is 0 where it is that of any, which is one fork in the way of the
        // verifier and not two for each: no more than 15 bits of each are zero behind the last that is not.
        let differs = |address: u32| {
            let is_none = u64::from(address).wrapping_sub(1) >> 63;
            u64::from(address & 0xffff ^ u32::from(constant)) | (is_none * 0x1_0001)
        };
        self.public.into_iter().map(differs).fold(1, u64::wrapping_mul) == 0
            || differs(destination(packet)) == 0
            || self.learned.elected() == Some(constant)
    }

    /// Whether a timestamp is the time of day, give or take one. Where the time is not known, nothing is.
    pub(crate) fn is_about_now(&self, timestamp: u32) -> bool {
        const DAY: u32 = 86_400;
        self.unix_seconds != 0 && timestamp.abs_diff(self.unix_seconds) < DAY
    }
}

/// The destination of an IPv4 packet, as a number.
fn destination(packet: &Packet) -> u32 {
    let [.., address] = packet.destination.words();
    u32::from_be(address)
}

/// What is left of the identification without port and sequence number, of an IPv4 packet that may be fragmented.
pub fn masscan_constant(packet: &Packet, traits: &Traits) -> Option<u16> {
    let low_half = (packet.transport.segment.sequence & 0xffff) as u16;
    let rest = traits.identification ^ packet.transport.ports.destination.0 ^ low_half;
    traits.fragmentable.then_some(rest)
}

/// Learns the constant of all masscans: by a vote of the sources that were recognised by other marks.
///
/// A source votes with one of 32 ballots, drawn by a hash of its address, and has that one only, however much it sends.
/// A constant is elected while three ballots name it; until then the latest vote stands. A vote for another takes the
/// ballot away, so that a new public address takes over when most of its scanners have been seen. Whoever forges many
/// sources may have a wrong constant elected. Then the right one is missed, and the wrong one costs a hint in 65,536.
///
/// One for each destination address. Eight bytes, so that they are read and written whole; every value is a valid one.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ballot(u64);

const _: () = assert!(size_of::<Ballot>() == 8);

/// How many of the 32 must agree.
const QUORUM: u32 = 3;

impl Ballot {
    /// The record as it lies in memory.
    pub fn from_bits(bits: u64) -> Ballot {
        Ballot(bits)
    }

    fn new(constant: u16, voters: u32) -> Ballot {
        Ballot(u64::from(voters) << 32 | u64::from(constant))
    }

    fn constant(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    fn voters(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Counts one SYN of [`MasscanOld`](super::Signature::MasscanOld) or [`MasscanNew`](super::Signature::MasscanNew),
    /// with its [`masscan_constant`] and a hash of its source.
    #[must_use]
    pub fn after(self, constant: u16, source: u64) -> Ballot {
        let own = 1 << (source & 31);
        let voters = self.voters();
        if constant == self.constant() {
            Ballot::new(constant, voters | own)
        } else if voters.count_ones() < QUORUM {
            Ballot::new(constant, own)
        } else {
            Ballot::new(self.constant(), voters & !own)
        }
    }

    /// The constant, where enough agree.
    pub fn elected(self) -> Option<u16> {
        (self.voters().count_ones() >= QUORUM).then_some(self.constant())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn after_all(ballot: Ballot, constant: u16, sources: impl IntoIterator<Item = u64>) -> Ballot {
        sources.into_iter().fold(ballot, |ballot, source| ballot.after(constant, source))
    }

    /// A SYN to 192.0.2.7.
    fn syn() -> Packet {
        let mut frame = [0; 54];
        frame[12] = 8;
        frame[14..24].copy_from_slice(&[0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6]);
        frame[26..34].copy_from_slice(&[198, 51, 100, 1, 192, 0, 2, 7]);
        frame[46..48].copy_from_slice(&[0x50, 2]);
        parse(frame.as_slice()).expect("a SYN")
    }

    #[test]
    fn an_address_explains_its_own_constant_and_one_that_is_missing_none() {
        let public = |public| Knowledge { public, ..Knowledge::default() };
        let [low, high] = [0xcb00_7109, 0xcb00_0000];
        for (known, explained) in [
            (public([0; 4]), [true, false, false]),
            (public([low, 0, 0, 0]), [true, true, false]),
            (public([0, 0, 0, low]), [true, true, false]),
            (public([low, low, low, low]), [true, true, false]),
            (public([low, 0, high, 0]), [true, true, true]),
        ] {
            let explains = [0x0207, 0x7109, 0].map(|constant| known.explains(constant, &syn()));
            assert_eq!(explains, explained, "{:x?}", known.public);
        }
    }

    #[test]
    fn one_source_elects_nothing_however_often_it_votes() {
        assert_eq!(after_all(Ballot::default(), 7, [5; 1000]).elected(), None);
    }

    #[test]
    fn three_sources_elect_a_constant_and_one_that_dissents_changes_nothing() {
        let elected = after_all(Ballot::default(), 7, 0..5);
        assert_eq!(elected.elected(), Some(7));
        assert_eq!(after_all(elected, 8, [0; 1000]).elected(), Some(7));
        assert_eq!(after_all(Ballot::default(), 7, 0..2).elected(), None);
    }

    #[test]
    fn a_new_address_takes_over_when_its_scanners_have_been_seen() {
        let elected = after_all(Ballot::default(), 7, 0..32);
        assert_eq!(after_all(elected, 8, 0..40).elected(), Some(8));
    }

    #[test]
    fn zero_is_a_constant_like_any_other() {
        assert_eq!(Ballot::default().elected(), None);
        assert_eq!(after_all(Ballot::default(), 0, 0..3).elected(), Some(0));
    }

    #[test]
    fn a_record_of_any_bits_is_valid() {
        for bits in [u64::MAX, 1, 1 << 63, 0xffff_0000] {
            let _ = Ballot::from_bits(bits).after(1, 2).elected();
        }
    }

    #[test]
    fn the_time_of_day_is_good_for_a_day_and_unknown_for_none() {
        let at = |unix_seconds| Knowledge { unix_seconds, ..Knowledge::default() };
        let now = 1_795_337_263;
        assert!(at(now).is_about_now(now - 86_399) && at(now).is_about_now(now + 86_399));
        assert!(!at(now).is_about_now(now - 86_400) && !at(now).is_about_now(now + 86_400));
        assert!(!at(0).is_about_now(0) && !at(0).is_about_now(now));
    }
}
