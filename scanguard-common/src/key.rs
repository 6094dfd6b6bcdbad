//! What records are kept under.

/// An address: 16 bytes in the order of the wire, IPv4 in its IPv4-mapped form (RFC 4291 §2.5.5.2), so that
/// one type and one table serve both families.
///
/// An IPv6 packet that claims a mapped address as its source gains nothing by the likeness: Linux discards
/// it (since 5.5, "ipv6: drop incoming packets having a v4mapped source address").
///
/// Kept as four words because a BPF program has no loads that ignore alignment: as sixteen bytes it would
/// travel in sixteen registers.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address([u32; 4]);

const _: () = assert!(size_of::<Address>() == 16);

/// The number of bits that stand before an IPv4 address in its mapped form.
pub const MAPPED_PREFIX_BITS: u8 = 96;

impl Address {
    /// An IPv4 address.
    pub const fn v4(address: [u8; 4]) -> Address {
        Address([0, 0, u32::from_ne_bytes([0, 0, 0xff, 0xff]), u32::from_ne_bytes(address)])
    }

    /// An IPv6 address.
    pub fn v6(address: [u8; 16]) -> Address {
        let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3] = address;
        Address([
            u32::from_ne_bytes([a0, a1, a2, a3]),
            u32::from_ne_bytes([b0, b1, b2, b3]),
            u32::from_ne_bytes([c0, c1, c2, c3]),
            u32::from_ne_bytes([d0, d1, d2, d3]),
        ])
    }

    /// The address of which [`words`](Self::words) are these, in pairs.
    pub(crate) fn from_words([[a, b], [c, d]]: [[u32; 2]; 2]) -> Address {
        Address([a, b, c, d])
    }

    /// The 16 bytes in the order of the wire.
    pub fn bytes(self) -> [u8; 16] {
        let [a, b, c, d] = self.0;
        let [a0, a1, a2, a3] = a.to_ne_bytes();
        let [b0, b1, b2, b3] = b.to_ne_bytes();
        let [c0, c1, c2, c3] = c.to_ne_bytes();
        let [d0, d1, d2, d3] = d.to_ne_bytes();
        [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3]
    }

    /// The same as four words, without changing the order of the bytes; an IPv4 address is the last.
    pub fn words(self) -> [u32; 4] {
        self.0
    }

    /// The address of these words: see [`words`](Self::words).
    pub(crate) fn of_words(words: [u32; 4]) -> Address {
        Address(words)
    }

    /// Whether it is an IPv6 address of its link alone (RFC 4291 §2.5.6): routers and neighbours speak from those.
    pub fn is_link_local(self) -> bool {
        let [first, ..] = self.0;
        u32::from_be(first) >> 22 == 0xfe80 >> 6
    }

    /// The /64 that an IPv6 address lies in: the address without its interface identifier (RFC 4291 §2.5.1).
    pub fn network(self) -> Address {
        let [a, b, ..] = self.0;
        Address([a, b, 0, 0])
    }
}

/// Spreads a key over 64 bits, with a seed that an attacker does not know: without it he could choose
/// addresses that share one slot of a direct-mapped table and so hide each other.
///
/// This is the finaliser of MurmurHash3, once for each half: multiplications and shifts only, which is all
/// that a BPF program has.
pub fn spread(address: Address, seed: u64) -> u64 {
    let [a, b, c, d] = address.0.map(u64::from);
    let high = a << 32 | b;
    let low = c << 32 | d;
    mix(mix(high ^ seed) ^ low)
}

/// Spreads a pair of addresses in the same way.
pub fn spread_pair(first: Address, second: Address, seed: u64) -> u64 {
    spread(second, spread(first, seed))
}

/// Spreads one port of one host in the same way.
pub fn spread_port(address: Address, protocol: u8, port: u16, seed: u64) -> u64 {
    mix(spread(address, seed) ^ (u64::from(protocol) << 16 | u64::from(port)))
}

/// Spreads what is between two ports in the same way. The ports are mixed first: else whoever has many addresses could choose
/// one for each port so that all of them are spread alike, whatever the seed.
pub fn spread_flow(remote: (Address, u16), local: (Address, u16), protocol: u32, seed: u64) -> u64 {
    let ports = u64::from(remote.1) << 16 | u64::from(local.1);
    spread_pair(remote.0, local.0, mix((ports << 32 | u64::from(protocol)) ^ seed))
}

fn mix(mut bits: u64) -> u64 {
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ (bits >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_is_kept_in_its_mapped_form() {
        let address = Address::v4([192, 0, 2, 1]);
        assert_eq!(address.bytes(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1]);
    }

    #[test]
    fn no_address_makes_up_for_another_port() {
        let flow = |network: u64, port: u16| {
            let mut remote = [0x5a; 16];
            remote[..8].copy_from_slice(&network.to_ne_bytes());
            spread_flow((Address::v6(remote), port), (Address::v4([192, 0, 2, 2]), 80), 6, 7)
        };
        for (bits, at) in (1..=u16::MAX).flat_map(|bits| [0, 16, 32, 48].map(|at| (bits, at))) {
            for turned in [bits, bits.swap_bytes()] {
                assert_ne!(flow(0, 1024), flow(u64::from(turned) << at, 1024 ^ bits));
            }
        }
    }

    #[test]
    fn neighbouring_addresses_spread_over_a_table_and_the_seed_moves_them() {
        const SLOTS: u64 = 4096;
        let slot = |host: u8, seed| spread(Address::v4([192, 0, 2, host]), seed) % SLOTS;
        let mut slots: [u64; 256] = core::array::from_fn(|host| slot(host.to_le_bytes()[0], 1));
        slots.sort_unstable();
        let distinct = 1 + slots.windows(2).filter(|pair| pair[0] != pair[1]).count();
        // 256 balls into 4096 bins: 248 bins expected, standard deviation below 3.
        assert!(distinct > 236, "{distinct} distinct slots");
        assert!((0..=255).any(|host| slot(host, 1) != slot(host, 2)));
    }
}
