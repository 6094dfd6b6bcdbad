//! Ports with their protocols, as people write them.

use std::collections::BTreeMap;
use std::fmt;

use scanguard_common::parse::network::IpProtocol;
use scanguard_common::policy::PortRule;

/// One port of one protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProtocolPort {
    pub(super) protocol: IpProtocol,
    pub(super) port: u16,
}

const PROTOCOLS: [(&str, IpProtocol); 3] =
    [("tcp", IpProtocol::TCP), ("udp", IpProtocol::UDP), ("sctp", IpProtocol::SCTP)];

impl ProtocolPort {
    /// Reads `tcp/443`.
    pub(super) fn parse(given: &str) -> Option<ProtocolPort> {
        let (name, port) = given.split_once('/')?;
        let (_, protocol) = PROTOCOLS.into_iter().find(|(known, _)| *known == name)?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        Some(ProtocolPort { protocol, port })
    }

    /// Reads the same of a decoy, which SCTP has none of.
    pub(super) fn parse_decoy(given: &str) -> Option<ProtocolPort> {
        ProtocolPort::parse(given).filter(|port| port.protocol != IpProtocol::SCTP)
    }
}

impl fmt::Display for ProtocolPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            PROTOCOLS.into_iter().find(|(_, known)| *known == self.protocol).map_or("?", |(name, _)| name);
        write!(formatter, "{name}/{}", self.port)
    }
}

/// The ports of which anything was said, and what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ports(pub(crate) BTreeMap<u16, PortRule>);

impl Ports {
    /// Those that are published, as people write them.
    pub(crate) fn public(&self) -> Vec<String> {
        self.written(PortRule::is_public)
    }

    /// Those that are decoys.
    pub(crate) fn decoys(&self) -> Vec<String> {
        self.written(PortRule::is_decoy)
    }

    fn written(&self, is: fn(PortRule, IpProtocol) -> bool) -> Vec<String> {
        let of = |(_, protocol)| {
            let ports = self.0.iter().filter(move |(_, rule)| is(**rule, protocol));
            ports.map(move |(port, _)| ProtocolPort { protocol, port: *port }.to_string())
        };
        PROTOCOLS.into_iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_with_their_protocol() {
        let tcp = ProtocolPort { protocol: IpProtocol::TCP, port: 443 };
        assert_eq!(ProtocolPort::parse("tcp/443"), Some(tcp));
        let sctp = ProtocolPort { protocol: IpProtocol::SCTP, port: 36_412 };
        assert_eq!(ProtocolPort::parse("sctp/36412"), Some(sctp));
        assert_eq!(ProtocolPort::parse_decoy("sctp/36412"), None);
        assert_eq!(ProtocolPort::parse_decoy("tcp/443"), Some(tcp));
        for given in ["443", "443/tcp", "tcp/0", "tcp/65536", "dccp/1", "tcp/", "tcp/443-444", ""] {
            assert_eq!(ProtocolPort::parse(given), None, "{given}");
        }
    }

    #[test]
    fn ports_are_written_as_they_are_read() {
        let rule = PortRule::default().with_public(IpProtocol::TCP).with_public(IpProtocol::UDP);
        let decoy = PortRule::default().with_decoy(IpProtocol::TCP);
        let ports = Ports([(443, rule), (23, decoy)].into());
        assert_eq!(ports.public(), ["tcp/443", "udp/443"]);
        assert_eq!(ports.decoys(), ["tcp/23"]);
    }
}
