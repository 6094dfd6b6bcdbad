//! Ports that are not like others.

use crate::parse::network::IpProtocol;

/// What the operator said of one port number: the default says nothing.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortRule(u32);

const _: () = assert!(size_of::<PortRule>() == 4);

impl PortRule {
    const PUBLIC_TCP: u32 = 1;
    const PUBLIC_UDP: u32 = 2;
    const DECOY_TCP: u32 = 4;
    const DECOY_UDP: u32 = 8;
    const PUBLIC_SCTP: u32 = 16;

    /// The same, but published: whoever is banned may still use it. Only TCP, UDP and SCTP have ports to publish.
    #[must_use]
    pub fn with_public(self, protocol: IpProtocol) -> PortRule {
        PortRule(self.0 | PortRule::public(protocol))
    }

    /// The same, but a decoy: nobody has any reason to touch it. Of TCP and UDP only, where it is known whether
    /// something listens.
    #[must_use]
    pub fn with_decoy(self, protocol: IpProtocol) -> PortRule {
        PortRule(self.0 | PortRule::decoy(protocol))
    }

    /// Whether whoever is banned may still use it.
    pub fn is_public(self, protocol: IpProtocol) -> bool {
        self.0 & PortRule::public(protocol) != 0
    }

    /// Whether nobody has any reason to touch it.
    pub fn is_decoy(self, protocol: IpProtocol) -> bool {
        self.0 & PortRule::decoy(protocol) != 0
    }

    fn public(protocol: IpProtocol) -> u32 {
        match protocol {
            IpProtocol::TCP => PortRule::PUBLIC_TCP,
            IpProtocol::UDP => PortRule::PUBLIC_UDP,
            IpProtocol::SCTP => PortRule::PUBLIC_SCTP,
            _ => 0,
        }
    }

    fn decoy(protocol: IpProtocol) -> u32 {
        match protocol {
            IpProtocol::TCP => PortRule::DECOY_TCP,
            IpProtocol::UDP => PortRule::DECOY_UDP,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_has_rules_of_its_own() {
        let rule = PortRule::default().with_public(IpProtocol::TCP).with_decoy(IpProtocol::UDP);
        let rule = rule.with_public(IpProtocol::SCTP).with_decoy(IpProtocol::SCTP);
        let said = |protocol| (rule.is_public(protocol), rule.is_decoy(protocol));
        assert_eq!(said(IpProtocol::TCP), (true, false));
        assert_eq!(said(IpProtocol::UDP), (false, true));
        assert_eq!(said(IpProtocol::SCTP), (true, false));
        assert_eq!(said(IpProtocol::ICMP), (false, false));
    }
}
