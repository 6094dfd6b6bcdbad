//! What the operator chose, as a replay needs it.

use std::collections::BTreeMap;
use std::path::Path;

use scanguard_common::classify::signature::PUBLIC_ADDRESSES;
use scanguard_common::parse::transport::Port;
use scanguard_common::policy::{Judgement, Policy, PortRule, Role};

use super::local::Local;
use crate::config::Config;
use crate::error::Error;
use crate::prefix::Prefix;

/// A policy, and whom it exempts.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    /// What was chosen for the interface.
    pub(crate) policy: Policy,
    /// When a source is banned.
    pub(crate) judgement: Judgement,
    /// Ports that are published, or decoys.
    pub(crate) ports: BTreeMap<u16, PortRule>,
    /// By which addresses others reach the host, beside its own.
    pub(crate) public: [u32; PUBLIC_ADDRESSES],
    /// From whom nothing is dropped.
    pub(crate) allowed: Local,
    /// The same as they were written, for the kernel's own list.
    pub(crate) prefixes: Vec<Prefix>,
}

impl Choices {
    /// What a file says, or nothing where there is none, for a host or a gateway.
    ///
    /// # Errors
    ///
    /// [`Error::UnreadablePolicy`] and [`Error::InvalidPolicy`] where it cannot be read or understood.
    pub(crate) fn read(path: Option<&Path>, gateway: bool) -> Result<Choices, Error> {
        let config = path.map_or_else(|| Ok(Config::default()), Config::read)?;
        let role = if gateway { Role::Gateway } else { Role::Host };
        let (closed_ports, ping) = config.doors();
        let prefixes = config.allowed().to_vec();
        Ok(Choices {
            policy: Policy { closed_ports, ping, role },
            judgement: config.judgement(None),
            ports: config.ports().0,
            public: config.public_addresses(),
            allowed: Local::of(&prefixes),
            prefixes,
        })
    }

    /// What was said of a port.
    pub(super) fn port_rule(&self, port: Port) -> PortRule {
        self.ports.get(&port.0).copied().unwrap_or_default()
    }
}
