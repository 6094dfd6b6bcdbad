//! Which addresses belong to the host.

use scanguard_common::key::Address;

use crate::prefix::{self, Prefix};

/// A set of addresses, as few prefixes as one types.
#[derive(Clone, Debug, Default)]
pub(crate) struct Local(Vec<(u128, u128)>);

impl Local {
    /// The addresses of these prefixes.
    pub(crate) fn of(prefixes: &[Prefix]) -> Local {
        let masked = |prefix: &Prefix| {
            let (address, bits) = prefix.mapped();
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            (u128::from_be_bytes(address) & mask, mask)
        };
        Local(prefixes.iter().map(masked).collect())
    }

    /// Whether an address is one of them.
    pub(crate) fn contains(&self, address: Address) -> bool {
        let address = u128::from_be_bytes(address.bytes());
        self.0.iter().any(|(network, mask)| address & mask == *network)
    }
}

/// Whether an address is one that no packet leaves a host with (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3).
pub(super) fn is_loopback(address: Address) -> bool {
    prefix::address(address.bytes()).is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_local_if_any_prefix_holds_it() {
        let prefixes = ["192.0.2.0/24", "198.51.100.7", "2001:db8::/32", "0.0.0.0/0"];
        let parsed = prefixes.map(|given| Prefix::parse(given).expect("a prefix"));
        let [net, host, v6, all_v4] = parsed.map(|prefix| Local::of(&[prefix]));
        assert!(net.contains(Address::v4([192, 0, 2, 255])) && !net.contains(Address::v4([192, 0, 3, 0])));
        assert!(
            host.contains(Address::v4([198, 51, 100, 7])) && !host.contains(Address::v4([198, 51, 100, 6]))
        );
        let other = Address::v6([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
        assert!(v6.contains(other) && !all_v4.contains(other));
        assert!(all_v4.contains(Address::v4([1, 2, 3, 4])));
        assert!(!Local::default().contains(other));
    }
}
