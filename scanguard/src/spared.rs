//! Whom this host depends on: its own addresses, its gateways and its resolvers. They are never banned.

mod watch;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::{fs, io};

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteVia};
use rtnetlink::{Handle, RouteMessageBuilder};
use scanguard_common::schema::MAX_SPARED;

pub(crate) use self::watch::Watch;
use crate::clock;
use crate::error::Error;
use crate::lock::Lock;
use crate::maps::Maps;
use crate::netlink;
use crate::pin::Pins;
use crate::prefix::{Prefix, key_of_source};

/// Why an address is spared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// It is this host's own.
    Own = 1,
    /// A route leads through it.
    Gateway = 2,
    /// This host asks it for names.
    Resolver = 3,
}

impl Why {
    /// The reason of this number.
    pub(crate) fn from_number(number: u32) -> Option<Why> {
        [Why::Own, Why::Gateway, Why::Resolver].into_iter().find(|why| *why as u32 == number)
    }

    /// What it is, for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Why::Own => "an address of this host",
            Why::Gateway => "a gateway of this host",
            Why::Resolver => "a name server of this host",
        }
    }
}

/// Everybody whom this host depends on, as of now.
pub(crate) async fn read() -> anyhow::Result<Vec<(IpAddr, Why)>> {
    let mut known = netlink::ask(async |handle| ask(&handle).await).await?;
    known.extend(resolvers()?.into_iter().map(|address| (address, Why::Resolver)));
    known.sort_unstable();
    known.dedup();
    Ok(known)
}

/// Has the programs spare them: those that were spared and are not known any more are not. Whoever was banned before it
/// was known is pardoned, and bans of which nothing counts any more are forgotten.
pub(crate) async fn refresh(maps: &mut Maps) -> anyhow::Result<()> {
    spare(maps, &read().await?)
}

/// The same with those who are known already.
pub(crate) fn spare(maps: &mut Maps, known: &[(IpAddr, Why)]) -> anyhow::Result<()> {
    let keys = keys(known);
    maps.spare(&keys)?;
    for (source, why) in banned_among(maps, &keys)? {
        maps.lift(source)?;
        tracing::warn!("{}: its ban was lifted, because it is {}", Prefix::of_source(source), why.name());
    }
    maps.forget_bans(maps.rules()?.judgement().terms, clock::seconds()?)
}

/// The same for a command that only reads, where anything has changed, so that nobody is shown as banned who is not to
/// be. Where another command is at work, the next one will do.
pub(crate) async fn renew(pins: &Pins) -> anyhow::Result<()> {
    let (maps, keys) = (Maps::open(pins)?, keys(&read().await?));
    let is_current = maps.spared()?.into_iter().eq(keys.iter().map(|(source, why)| (*source, *why as u32)));
    if !is_current || !banned_among(&maps, &keys)?.is_empty() {
        refresh_in_passing(pins).await?;
    }
    Ok(())
}

/// Those whose bans hold all the same.
fn banned_among(maps: &Maps, keys: &BTreeMap<IpAddr, Why>) -> anyhow::Result<Vec<(IpAddr, Why)>> {
    let now = clock::seconds()?;
    let mut banned = Vec::new();
    for (source, why) in keys {
        if maps.ban(*source)?.is_some_and(|ban| ban.holds(now)) {
            banned.push((*source, *why));
        }
    }
    Ok(banned)
}

/// The same as [`refresh`] for a process that may be in another's way: false where another command is at work, and it has
/// to be tried again.
async fn refresh_in_passing(pins: &Pins) -> anyhow::Result<bool> {
    match Lock::take().await {
        Ok(_lock) => refresh(&mut Maps::open(pins)?).await.map(|()| true),
        Err(error) if matches!(error.downcast_ref(), Some(Error::Locked { .. })) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The sources that are theirs, as the engine knows sources: over IPv6 whole networks. Where there are more than the
/// table holds, this host's own come first.
fn keys(known: &[(IpAddr, Why)]) -> BTreeMap<IpAddr, Why> {
    let mut by_importance: Vec<_> = known.iter().map(|(address, why)| (*why, *address)).collect();
    by_importance.sort_unstable();
    let mut keys = BTreeMap::new();
    for (why, address) in by_importance {
        if keys.len() < MAX_SPARED as usize {
            keys.entry(key_of_source(address)).or_insert(why);
        } else if !keys.contains_key(&key_of_source(address)) {
            tracing::warn!("{address}: may be banned although it is {}: the table is full", why.name());
        }
    }
    keys
}

async fn ask(handle: &Handle) -> anyhow::Result<Vec<(IpAddr, Why)>> {
    let addresses: Vec<AddressMessage> =
        handle.address().get().execute().try_collect().await.context("listing addresses")?;
    let mut known: Vec<_> = addresses.iter().flat_map(|message| own(&message.attributes)).collect();
    for family in [
        RouteMessageBuilder::<std::net::Ipv4Addr>::new().build(),
        RouteMessageBuilder::<Ipv6Addr>::new().build(),
    ] {
        let routes: Vec<RouteMessage> =
            handle.route().get(family).execute().try_collect().await.context("listing routes")?;
        known.extend(routes.iter().flat_map(|route| gateways(&route.attributes)).map(gateway));
    }
    Ok(known)
}

/// The address of one interface, and who is at the other end where only one can be.
fn own(attributes: &[AddressAttribute]) -> Vec<(IpAddr, Why)> {
    let (mut local, mut address) = (None, None);
    for attribute in attributes {
        if let AddressAttribute::Local(found) = attribute {
            local = Some(*found);
        } else if let AddressAttribute::Address(found) = attribute {
            address = Some(*found);
        }
    }
    match (local, address) {
        (Some(local), Some(peer)) if local != peer => vec![(local, Why::Own), gateway(peer)],
        (Some(own), _) | (None, Some(own)) => vec![(own, Why::Own)],
        (None, None) => Vec::new(),
    }
}

fn gateway(address: IpAddr) -> (IpAddr, Why) {
    (address, Why::Gateway)
}

/// The gateways of one route, which may have several.
fn gateways(attributes: &[RouteAttribute]) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for attribute in attributes {
        if let RouteAttribute::Gateway(RouteAddress::Inet(address))
        | RouteAttribute::Via(RouteVia::Inet(address)) = attribute
        {
            found.push(IpAddr::V4(*address));
        } else if let RouteAttribute::Gateway(RouteAddress::Inet6(address))
        | RouteAttribute::Via(RouteVia::Inet6(address)) = attribute
        {
            found.push(IpAddr::V6(*address));
        } else if let RouteAttribute::MultiPath(hops) = attribute {
            found.extend(hops.iter().flat_map(|hop| gateways(&hop.attributes)));
        }
    }
    found
}

/// The name servers of this host, also those that a local one asks.
fn resolvers() -> anyhow::Result<Vec<IpAddr>> {
    let mut found = Vec::new();
    for path in ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"] {
        match fs::read_to_string(path) {
            Ok(text) => found.extend(name_servers(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("reading {path}")),
        }
    }
    Ok(found)
}

/// The addresses of the `nameserver` lines of resolv.conf(5); that of a link may end with the link's name.
fn name_servers(text: &str) -> impl Iterator<Item = IpAddr> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (keyword, address) = (words.next()?, words.next()?);
        let (address, _) = address.split_once('%').unwrap_or((address, ""));
        (keyword == "nameserver").then(|| address.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::route::RouteNextHop;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[tokio::test(flavor = "current_thread")]
    async fn this_hosts_loopback_address_is_its_own() {
        let known = read().await.expect("rtnetlink answers");
        assert!(known.contains(&(address("127.0.0.1"), Why::Own)), "{known:?}");
    }

    #[test]
    fn gateways_are_found_wherever_a_route_has_them() {
        let inet = |last| RouteAddress::Inet([192, 0, 2, last].into());
        let mut hop = RouteNextHop::default();
        hop.attributes = vec![RouteAttribute::Gateway(inet(2))];
        let via = RouteVia::Inet6("2001:db8::1".parse().expect("an address"));
        let attributes = [
            RouteAttribute::Destination(inet(9)),
            RouteAttribute::Gateway(inet(1)),
            RouteAttribute::MultiPath(vec![hop]),
            RouteAttribute::Via(via),
        ];
        assert_eq!(gateways(&attributes), ["192.0.2.1", "192.0.2.2", "2001:db8::1"].map(address));
    }

    #[test]
    fn the_other_end_of_a_cable_for_two_is_a_gateway() {
        let attributes = |local: &str, other: &str| {
            own(&[AddressAttribute::Address(address(other)), AddressAttribute::Local(address(local))])
        };
        let own = (address("192.0.2.1"), Why::Own);
        assert_eq!(attributes("192.0.2.1", "192.0.2.1"), [own]);
        assert_eq!(attributes("192.0.2.1", "192.0.2.2"), [own, (address("192.0.2.2"), Why::Gateway)]);
    }

    #[test]
    fn name_servers_are_read_and_nothing_else_is() {
        let text = "# nameserver 192.0.2.9\nsearch example.org\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\n\
                    nameserver\nnameservers 192.0.2.8\n";
        assert_eq!(name_servers(text).collect::<Vec<_>>(), ["192.0.2.53", "fe80::1"].map(address));
    }

    #[test]
    fn over_ipv6_the_network_is_spared_and_the_own_come_first() {
        let many = (0..MAX_SPARED + 10).map(|number| (IpAddr::V4(number.into()), Why::Gateway));
        let known: Vec<_> = many.chain([(address("2001:db8::5"), Why::Own)]).collect();
        let keys = keys(&known);
        assert_eq!(keys.len(), MAX_SPARED as usize);
        assert_eq!(keys.get(&address("2001:db8::")), Some(&Why::Own));
    }
}
