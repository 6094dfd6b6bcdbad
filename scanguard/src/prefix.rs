//! Addresses and prefixes, as people write them and as the allowlist keeps them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use scanguard_common::key::{Address, MAPPED_PREFIX_BITS};
use scanguard_common::{incident, network};

use crate::error::Error;

/// A prefix without host bits; a single address is the longest of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Prefix(IpNet);

impl Prefix {
    /// Reads an address, or a prefix in CIDR notation.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCidr`] with what is wrong and what may have been meant.
    pub(crate) fn parse(given: &str) -> Result<Prefix, Error> {
        let invalid = |why: String| Error::InvalidCidr { given: given.to_owned(), why };
        let net = match (given.parse::<IpNet>(), given.parse::<IpAddr>()) {
            (Ok(net), _) => net,
            (_, Ok(address)) => IpNet::from(address),
            (Err(_), Err(_)) => {
                return Err(invalid(
                    "is no address and no prefix; write it like 192.0.2.0/24, 192.0.2.7 or 2001:db8::/32"
                        .into(),
                ));
            }
        };
        let trunc = net.trunc();
        if net != trunc {
            return Err(invalid(format!(
                "has bits set behind its first {}; write {trunc}, or {}/{} for this host alone",
                net.prefix_len(),
                net.addr(),
                net.max_prefix_len(),
            )));
        }
        let prefix = Prefix(unmapped(net));
        if prefix.covers_mapped_space() {
            return Err(invalid(
                "would cover every IPv4 address too, because both families share one table; write 2000::/3 for \
                 all of IPv6 that is routed, and 0.0.0.0/0 for all of IPv4"
                    .into(),
            ));
        }
        Ok(prefix)
    }

    /// The prefix as the maps have it: 16 bytes and up to 128 bits, IPv4 in its mapped form.
    pub(crate) fn mapped(&self) -> ([u8; 16], u32) {
        let (address, skipped) = match self.0 {
            IpNet::V4(net) => (Address::v4(net.addr().octets()), MAPPED_PREFIX_BITS),
            IpNet::V6(net) => (Address::v6(net.addr().octets()), 0),
        };
        (address.bytes(), u32::from(self.0.prefix_len()) + u32::from(skipped))
    }

    /// The prefix of a map's key; `None` where it has more bits than an address.
    pub(crate) fn from_mapped(address: [u8; 16], bits: u32) -> Option<Prefix> {
        let net = Ipv6Net::new(Ipv6Addr::from(address), u8::try_from(bits).ok()?).ok()?;
        Some(Prefix(unmapped(IpNet::V6(net))))
    }

    /// One source, as the engine knows sources.
    pub(crate) fn of_source(source: IpAddr) -> Prefix {
        let bits = if source.is_ipv4() { 32 } else { SOURCE_BITS };
        Prefix(IpNet::new_assert(source, bits).trunc())
    }

    /// The network of an address, as the engine bans networks.
    pub(crate) fn of_network(address: IpAddr) -> Prefix {
        let bits = if address.is_ipv4() { network::IPV4_BITS } else { network::IPV6_BITS };
        Prefix(IpNet::new_assert(address, bits).trunc())
    }

    /// Its first address.
    pub(crate) fn first(&self) -> IpAddr {
        self.0.addr()
    }

    /// A network that takes part in a shared scan.
    pub(crate) fn of_share(share: incident::Prefix) -> Prefix {
        Prefix(IpNet::new_assert(address(share.address().bytes()), share.bits()))
    }

    /// The source that this prefix is, or that its one address belongs to; `None` where it is wider.
    pub(crate) fn source(&self) -> Option<IpAddr> {
        let bits = if self.0.addr().is_ipv4() { 32 } else { SOURCE_BITS };
        (self.0.prefix_len() == bits || self.0.prefix_len() == self.0.max_prefix_len())
            .then(|| key_of_source(self.0.addr()))
    }

    /// Whether an address lies within it.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// Whether all of another prefix lies within it.
    pub(crate) fn covers(&self, other: &Prefix) -> bool {
        self.0.contains(&other.0)
    }

    /// Whether IPv4's mapped form lies within this IPv6 prefix.
    fn covers_mapped_space(&self) -> bool {
        match self.0 {
            IpNet::V4(_) => false,
            IpNet::V6(net) => net.contains(&Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0)),
        }
    }
}

/// How many bits of an IPv6 address the engine knows a source by.
const SOURCE_BITS: u8 = 64;

/// By which address the engine knows the source that an address belongs to: see `Packet::sender`.
pub(crate) fn key_of_source(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from(Address::v6(address.octets()).network().bytes()).into(),
    }
}

/// IPv6 prefixes within IPv4's mapped form are IPv4 prefixes.
fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let v4 = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(MAPPED_PREFIX_BITS));
    v4.and_then(|(address, bits)| Ipv4Net::new(address, bits).ok()).map_or(net, IpNet::V4)
}

/// The address as people write it, IPv4 without its mapped form.
pub(crate) fn address(bytes: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(bytes).to_canonical()
}

/// The address as the engine has it.
pub(crate) fn key(address: IpAddr) -> Address {
    match address {
        IpAddr::V4(address) => Address::v4(address.octets()),
        IpAddr::V6(address) => Address::v6(address.octets()),
    }
}

/// The address as the maps have it: 16 bytes, IPv4 in its mapped form.
pub(crate) fn mapped(address: IpAddr) -> [u8; 16] {
    key(address).bytes()
}

impl fmt::Display for Prefix {
    /// As CIDR; a single address without a length.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            self.0.addr().fmt(formatter)
        } else {
            self.0.fmt(formatter)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(given: &str) -> String {
        Prefix::parse(given).map_or_else(|error| error.to_string(), |prefix| prefix.to_string())
    }

    #[test]
    fn addresses_and_prefixes_are_understood() {
        for given in ["192.0.2.0/24", "192.0.2.7", "2001:db8::/32", "2001:db8::1", "0.0.0.0/0", "2000::/3"] {
            assert_eq!(parsed(given), given);
        }
        assert_eq!(parsed("192.0.2.7/32"), "192.0.2.7");
        assert_eq!(parsed("2001:db8::1/128"), "2001:db8::1");
        assert_eq!(parsed("::ffff:192.0.2.0/120"), "192.0.2.0/24");
    }

    #[test]
    fn host_bits_are_refused_and_the_prefix_is_suggested() {
        assert_eq!(
            parsed("192.0.2.7/24"),
            "192.0.2.7/24: has bits set behind its first 24; write 192.0.2.0/24, or 192.0.2.7/32 for this host alone"
        );
        assert!(parsed("2001:db8::1/32").contains("write 2001:db8::/32, or 2001:db8::1/128"));
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for given in ["", "eth0", "192.0.2.0/33", "192.0.2", "192.0.2.0/", "2001:db8::/129", "192.0.2.0/24 "]
        {
            assert!(parsed(given).starts_with(&format!("{given}: is no address and no prefix; ")), "{given}");
        }
    }

    #[test]
    fn a_prefix_that_would_swallow_all_of_ipv4_is_refused() {
        for given in ["::/0", "::/1", "::/80", "::/64"] {
            assert!(parsed(given).contains("would cover every IPv4 address too"), "{given}");
        }
        assert_eq!(parsed("8000::/1"), "8000::/1");
    }

    #[test]
    fn the_mapped_form_leads_back() {
        for given in ["192.0.2.0/24", "0.0.0.0/0", "192.0.2.7", "2001:db8::/32", "::1"] {
            let prefix = Prefix::parse(given).expect("well-formed");
            let (address, bits) = prefix.mapped();
            assert_eq!(Prefix::from_mapped(address, bits), Some(prefix));
        }
        assert_eq!(Prefix::parse("192.0.2.0/24").expect("well-formed").mapped().1, 120);
        assert_eq!(Prefix::from_mapped([0; 16], 129), None);
    }

    #[test]
    fn a_source_is_an_address_or_over_ipv6_a_network() {
        let source = |given: &str| {
            Some(Prefix::of_source(Prefix::parse(given).expect("well-formed").source()?).to_string())
        };
        assert_eq!(source("192.0.2.7").as_deref(), Some("192.0.2.7"));
        assert_eq!(source("2001:db8::7").as_deref(), Some("2001:db8::/64"));
        assert_eq!(source("2001:db8::/64").as_deref(), Some("2001:db8::/64"));
        for wider_or_narrower in ["192.0.2.0/24", "2001:db8::/48", "2001:db8::/96"] {
            assert_eq!(source(wider_or_narrower), None);
        }
    }
}
