//! Which networks take part, and with how many sources.

use crate::key::Address;

/// A network as it is given to one owner: an IPv4 /24, or an IPv6 /48.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix([u32; 2]);

/// What stands in the first word of an IPv4 network: an IPv6 source that began like this would be a group.
const IPV4: u32 = u32::MAX;

impl Prefix {
    /// The network of a source.
    pub fn of(source: Address) -> Prefix {
        match source.words() {
            [0, 0, _, address] => Prefix([IPV4, address & u32::from_ne_bytes([255, 255, 255, 0])]),
            [high, low, ..] => Prefix([high, low & u32::from_ne_bytes([255, 255, 0, 0])]),
        }
    }

    /// Whether it is the same: both words at once, because each comparison is a fork in the way of the verifier.
    fn is(self, other: Prefix) -> bool {
        let ([a, b], [c, d]) = (self.0, other.0);
        a ^ c | b ^ d == 0
    }

    /// Its first address.
    pub fn address(self) -> Address {
        let [high, low] = self.0;
        let ([a, b, c, d], [e, f, g, h]) = (high.to_ne_bytes(), low.to_ne_bytes());
        if high == IPV4 {
            Address::v4([e, f, g, h])
        } else {
            Address::v6([a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0])
        }
    }

    /// How many bits of an address it has.
    pub fn bits(self) -> u8 {
        let [high, _] = self.0;
        if high == IPV4 { 24 } else { 48 }
    }
}

/// How many networks are kept apart.
pub const SHARES: usize = 16;

/// A network, and how many sources in it took part; free where their number is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    prefix: Prefix,
    sources: u32,
}

impl Share {
    /// Which network.
    pub fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// About how many sources.
    pub fn sources(&self) -> u32 {
        self.sources
    }
}

/// The networks with the most sources.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    found: u32,
    places: [Share; SHARES],
}

const _: () = assert!(size_of::<Shares>() == 4 + 12 * SHARES);

impl Shares {
    /// None.
    pub(super) const NONE: Shares =
        Shares { found: 0, places: [Share { prefix: Prefix([0; 2]), sources: 0 }; SHARES] };

    /// Counts one more source.
    ///
    /// Where no place is free, the network with the fewest sources gives way to the new one, which inherits their
    /// number: so whoever has more than one in [`SHARES`] of all sources is never missing, and no number is too high by
    /// more than that part of them (Metwally, Agrawal, El Abbadi, *Efficient Computation of Frequent and Top-k Elements
    /// in Data Streams*, 2005). Up to [`SHARES`] networks are counted exactly.
    pub(super) fn count(&mut self, prefix: Prefix) {
        self.find(prefix);
        if let Some(share) = self.places.get_mut(self.found as usize & (SHARES - 1)) {
            share.prefix = prefix;
            share.sources = share.sources.saturating_add(1);
        }
    }

    /// Finds the place of a network, or the one that it is to take. It is passed on in memory: known as one of sixteen
    /// numbers, it would have the verifier look at all that follows sixteen times.
    #[inline(never)] // or the compiler would keep it in a register all the same
    fn find(&mut self, prefix: Prefix) {
        let mut fewest = u32::MAX;
        for (place, share) in (0..).zip(&self.places) {
            if share.prefix.is(prefix) && share.sources != 0 {
                self.found = place;
                return;
            }
            if share.sources < fewest {
                fewest = share.sources;
                self.found = place;
            }
        }
    }

    /// All that there are, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Share> {
        self.places.iter().filter(|share| share.sources != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(number: u8) -> Prefix {
        Prefix::of(Address::v4([198, 51, number, 1]))
    }

    fn sources(shares: &Shares, prefix: Prefix) -> u32 {
        shares.all().find(|share| share.prefix == prefix).map_or(0, Share::sources)
    }

    #[test]
    fn networks_are_a_24_and_a_48() {
        let v4 = Prefix::of(Address::v4([192, 0, 2, 7]));
        assert_eq!((v4.address(), v4.bits()), (Address::v4([192, 0, 2, 0]), 24));
        let v6 = |last| Address::v6([0x20, 1, 0x0d, 0xb8, 0, 1, last, 1, 0, 0, 0, 0, 0, 0, 0, last]);
        let prefix = Prefix::of(v6(2));
        let first = Address::v6([0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!((prefix.address(), prefix.bits()), (first, 48));
        assert_eq!(Prefix::of(v6(3)), prefix);
    }

    #[test]
    fn as_many_networks_as_there_are_places_are_counted_exactly() {
        let mut shares = Shares::NONE;
        let networks = 0..u8::try_from(SHARES).expect("few");
        for round in 0..=20 {
            networks
                .clone()
                .filter(|number| *number >= round)
                .for_each(|number| shares.count(network(number)));
        }
        for number in networks {
            assert_eq!(sources(&shares, network(number)), u32::from(number) + 1);
        }
    }

    #[test]
    fn a_network_with_a_large_share_is_found_among_many_with_small_ones() {
        let mut shares = Shares::NONE;
        let mut all = 0;
        for _ in 0..10 {
            (0..100).for_each(|other| shares.count(network(other)));
            (0..50).for_each(|number| shares.count(network(200 + number % 2)));
            all += 150;
        }
        for large in [network(200), network(201)] {
            let (found, truth, slack) = (sources(&shares, large), 250, all / 16);
            assert!((truth..=truth + slack).contains(&found), "{found} sources, and not {truth}");
        }
    }
}
