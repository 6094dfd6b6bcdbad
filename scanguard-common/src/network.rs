//! Bans of whole networks: where many sources of one are banned at once, the others are likely to be the same scanner's.
//!
//! A network is what is given to one owner as a rule: an IPv4 /24, or an IPv6 /56 (RFC 6177). One ban of it refuses the
//! new contacts of addresses that have done nothing yet, so it is given only
//!
//! - while bans of so many of its sources hold at the same time as the policy says, [`USUAL`] of them unless it says
//!   otherwise. Each of them was mistaken for a scanner with the small chance that the preset states; and whoever forges
//!   addresses to have an innocent network banned needs that many times the closed ports that lead to one ban;
//! - where nobody in the network is a [`Peer`] of this host. One who becomes a peer later suspends it: a ban never stands
//!   against a network with a peer.
//!
//! As any ban, it refuses new contacts to what is not published, and ends by itself. Whoever is allowed, or this host
//! depends on, is not refused by it.

use crate::ban::Ban;
use crate::key::Address;
use crate::policy::Judgement;
use crate::time::Seconds;

/// How many sources of a network have to be banned at once, unless the policy says otherwise: to forge that many takes
/// forty closed ports with the balanced preset, while the owner of a /24 learns no more than forty of them.
pub const USUAL: u32 = 8;

/// The most that a policy may ask for: so many are remembered of each network.
pub const MOST: u32 = 16;

/// The same as the length of an array.
const PLACES: usize = MOST as usize;

/// How many bits of an IPv4 address are its network.
pub const IPV4_BITS: u8 = 24;

/// How many bits of an IPv6 address are its network.
pub const IPV6_BITS: u8 = 56;

/// The first address of the network of a source.
pub fn network(source: Address) -> Address {
    match source.words() {
        [0, 0, mapped, address] => {
            Address::of_words([0, 0, mapped, address & u32::from_ne_bytes([255, 255, 255, 0])])
        }
        [high, low, ..] => Address::of_words([high, low & u32::from_ne_bytes([255, 255, 255, 0]), 0, 0]),
    }
}

/// One source of a network that is banned: who, by part of its spread, and until when.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    tag: u32,
    until: u32,
}

/// Which sources of one network are banned: those whose bans end last.
///
/// Two processors may write it at the same time: every mixture of two records is a valid one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Network {
    place: u32,
    held: [Held; PLACES],
}

const _: () = assert!(size_of::<Network>() == 4 + 8 * PLACES);

impl Network {
    /// One in which nobody is banned.
    pub const QUIET: Network = Network { place: 0, held: [Held { tag: 0, until: 0 }; PLACES] };

    /// Takes in that a source is banned until then.
    fn hold(&mut self, tag: u32, until: Seconds) {
        self.find(tag);
        if let Some(held) = self.held.get_mut(self.place as usize & (PLACES - 1)) {
            *held = Held { tag, until: until.0 };
        }
    }

    /// Finds the place of a source, or the one whose ban ends first. It is passed on in memory: known as one of sixteen
    /// numbers, it would have the verifier look at all that follows sixteen times.
    #[inline(never)] // or the compiler would keep it in a register all the same
    fn find(&mut self, tag: u32) {
        let mut earliest = u32::MAX;
        for (place, held) in (0..).zip(&self.held) {
            if held.tag == tag {
                self.place = place;
                return;
            }
            if held.until < earliest {
                earliest = held.until;
                self.place = place;
            }
        }
    }

    /// How many of its sources are banned now, as far as they are remembered.
    pub fn banned(&self, now: Seconds) -> u32 {
        self.held.iter().map(|held| u32::from(held.until > now.0)).sum()
    }
}

/// When somebody was last a peer, among all networks that share a place: so whoever is none may be taken for one, and
/// never the other way round.
///
/// A peer is whom this side has told something: in a connection, by a datagram, or by beginning a connection. Accepting
/// one is not enough, because a scanner gets as far; nor does a published port count, which bans leave alone.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer(u32);

const _: () = assert!(size_of::<Peer>() == 4);

impl Peer {
    /// How long a connection may be idle, in seconds, before it counts as forgotten (RFC 5382 §5, REQ-5).
    pub const LASTS: u32 = 124 * 60;

    /// Just now.
    pub fn at(now: Seconds) -> Peer {
        Peer(now.0.max(1))
    }

    /// Whether the connection may still be there.
    pub fn counts(self, now: Seconds) -> bool {
        self != Peer::default() && now.since(Seconds(self.0)) < Peer::LASTS
    }
}

/// Where networks are kept. Whatever is not there, or finds no room, is `None`.
pub trait Networks {
    /// The record of a network, which is [`Network::QUIET`] where it is new.
    fn record(&mut self, network: Address) -> Option<&mut Network>;

    /// Whether anybody in a network is a peer.
    fn has_peer(&mut self, network: Address, now: Seconds) -> bool;

    /// The last ban of a network.
    fn last_ban(&mut self, network: Address) -> Option<Ban>;

    /// Keeps the ban of a network: false where there is no room.
    fn keep_ban(&mut self, network: Address, ban: Ban) -> bool;
}

/// Takes in that a source was banned: for how many seconds its network is banned too, if it is from now on. `tag` is a
/// part of the source's spread.
#[inline(always)] // as of `witness`
pub fn widen<T: Networks>(
    networks: &mut T,
    source: Address,
    (tag, ban): (u32, Ban),
    rules: &Judgement,
    now: Seconds,
) -> Option<u32> {
    if rules.network_sources == 0 {
        return None;
    }
    let network = network(source);
    let record = networks.record(network)?;
    record.hold(tag, ban.until());
    if record.banned(now) < rules.network_sources || networks.has_peer(network, now) {
        return None;
    }
    let last = networks.last_ban(network).unwrap_or_default();
    if last.holds(now) {
        return None;
    }
    let next = last.again(ban.kind(), ban.label(), rules.terms, now);
    networks.keep_ban(network, next).then(|| next.until().since(next.since()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_a_24_and_a_56() {
        assert_eq!(network(Address::v4([192, 0, 2, 7])), Address::v4([192, 0, 2, 0]));
        let v6 = |last| Address::v6([0x20, 1, 0x0d, 0xb8, 0, 1, 2, last, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(network(v6(3)), v6(0));
    }

    #[test]
    fn a_source_counts_once_and_as_long_as_its_ban_holds() {
        let mut record = Network::QUIET;
        for until in [100, 200] {
            record.hold(7, Seconds(until));
        }
        record.hold(8, Seconds(150));
        assert_eq!([0, 149, 150, 199, 200].map(|now| record.banned(Seconds(now))), [2, 2, 1, 1, 0]);
    }

    #[test]
    fn where_there_is_no_room_the_ban_that_ends_first_gives_way() {
        let mut record = Network::QUIET;
        for tag in 1..=20 {
            record.hold(tag, Seconds(100 + tag));
        }
        assert_eq!(record.banned(Seconds(104)), 16);
        assert_eq!(record.banned(Seconds(105)), 15);
    }

    #[test]
    fn whoever_was_never_a_peer_is_none() {
        assert!(!Peer::default().counts(Seconds(0)) && !Peer::default().counts(Seconds(5)));
        assert!(Peer::at(Seconds(0)).counts(Seconds(0)));
        assert!(Peer::at(Seconds(5)).counts(Seconds(5 + Peer::LASTS - 1)));
        assert!(!Peer::at(Seconds(5)).counts(Seconds(5 + Peer::LASTS)));
    }
}
