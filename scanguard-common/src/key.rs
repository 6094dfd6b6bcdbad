//! What records are kept under.

use crate::parse::network::Addresses;

/// An address as a key: 16 bytes, IPv4 in its IPv4-mapped form (RFC 4291 §2.5.5.2), so that one table serves
/// both families.
///
/// An IPv6 packet that claims a mapped address as its source gains nothing by the likeness: Linux discards
/// it (since 5.5, "ipv6: drop incoming packets having a v4mapped source address").
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address([u8; 16]);

/// The number of bits that stand before an IPv4 address in its mapped form.
pub const MAPPED_PREFIX_BITS: u8 = 96;

impl Address {
    /// The key of an IPv4 address.
    pub fn v4(address: [u8; 4]) -> Address {
        let [a, b, c, d] = address;
        Address([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }

    /// The key of an IPv6 address.
    pub fn v6(address: [u8; 16]) -> Address {
        Address(address)
    }

    /// The key of the source of a packet.
    pub fn of_source(addresses: &Addresses) -> Address {
        match *addresses {
            Addresses::V4 { source, .. } => Address::v4(source),
            Addresses::V6 { source, .. } => Address::v6(source),
        }
    }

    /// The key of the destination of a packet.
    pub fn of_destination(addresses: &Addresses) -> Address {
        match *addresses {
            Addresses::V4 { destination, .. } => Address::v4(destination),
            Addresses::V6 { destination, .. } => Address::v6(destination),
        }
    }

    /// The 16 bytes.
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }
}

/// Spreads a key over 64 bits, with a seed that an attacker does not know: without it he could choose
/// addresses that share one slot of a direct-mapped table and so hide each other.
///
/// This is the finaliser of MurmurHash3, once for each half: multiplications and shifts only, which is all
/// that a BPF program has.
pub fn spread(address: &Address, seed: u64) -> u64 {
    let [a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7] = address.0;
    let high = u64::from_ne_bytes([a0, a1, a2, a3, a4, a5, a6, a7]);
    let low = u64::from_ne_bytes([b0, b1, b2, b3, b4, b5, b6, b7]);
    mix(mix(high ^ seed) ^ low)
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
        assert_eq!(Address::v4([192, 0, 2, 1]).bytes(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1]);
    }

    #[test]
    fn neighbouring_addresses_spread_over_a_table_and_the_seed_moves_them() {
        const SLOTS: u64 = 4096;
        let slot = |host: u8, seed| spread(&Address::v4([192, 0, 2, host]), seed) % SLOTS;
        let mut slots: [u64; 256] = core::array::from_fn(|host| slot(host.to_le_bytes()[0], 1));
        slots.sort_unstable();
        let distinct = 1 + slots.windows(2).filter(|pair| pair[0] != pair[1]).count();
        // 256 balls into 4096 bins: 248 bins expected, standard deviation below 3.
        assert!(distinct > 236, "{distinct} distinct slots");
        assert!((0..=255).any(|host| slot(host, 1) != slot(host, 2)));
    }
}
