//! What is known of networks: their bans, and where peers are.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::Context as _;
use scanguard_common::ban::Ban;
use scanguard_common::key::spread;
use scanguard_common::network::{Peer, network};
use scanguard_common::policy::PortRule;
use scanguard_common::schema::PEER_PLACES;

use super::sources::{entries, found};
use super::{Maps, Wire, is_absent};
use crate::clock;
use crate::prefix::{key, mapped};

impl Maps {
    /// Every ban of a network, those that have expired included.
    pub(crate) fn network_bans(&self) -> anyhow::Result<Vec<(IpAddr, Ban)>> {
        entries(&self.banned_nets).context("reading the map BANNED_NETS")
    }

    /// The last ban of the network that begins with an address.
    pub(crate) fn network_ban(&self, first: IpAddr) -> anyhow::Result<Option<Ban>> {
        found(self.banned_nets.get(&mapped(first), 0)).context("reading the map BANNED_NETS")
    }

    /// Lifts the ban of a network and forgets why it was banned.
    pub(crate) fn lift_network(&mut self, first: IpAddr) -> anyhow::Result<()> {
        for removed in [self.banned_nets.remove(&mapped(first)), self.networks.remove(&mapped(first))] {
            match removed {
                Ok(()) => {}
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(error).with_context(|| format!("lifting the ban of {first}")),
            }
        }
        self.forget_decisions()
    }

    /// Has the programs know that these are peers now.
    pub(crate) fn know_peers(&mut self, peers: &BTreeSet<IpAddr>) -> anyhow::Result<()> {
        let (seed, now) = (self.rules()?.seed(), clock::seconds()?);
        let places: BTreeSet<u64> =
            peers.iter().map(|peer| spread(network(key(*peer)), seed) % u64::from(PEER_PLACES)).collect();
        for place in places {
            let place = u32::try_from(place).context("a place of the map PEERS")?;
            self.peers.set(place, Wire(Peer::at(now)), 0).context("writing the map PEERS")?;
        }
        Ok(())
    }

    /// What the operator said of a port.
    pub(crate) fn port_rule(&self, port: u16) -> anyhow::Result<PortRule> {
        let Wire(rule) = self.port_rules.get(&port.into(), 0).context("reading the map PORT_RULES")?;
        Ok(rule)
    }
}
