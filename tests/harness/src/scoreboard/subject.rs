//! What a scanner asks about.

use scanguard_common::parse::Packet;
use scanguard_common::parse::network::IpProtocol;

/// One thing that a scanner wants to know the state of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A TCP port where a web server listens.
    Open,
    /// A TCP port where nothing does.
    Closed,
    /// A TCP port that a packet filter of the host drops everything for.
    Filtered,
    /// A UDP port where a program answers.
    Bound,
    /// A UDP port where nothing is bound.
    Unbound,
    /// A UDP port that a packet filter drops everything for.
    FilteredUdp,
    /// An SCTP port: no host of the lab has SCTP.
    Sctp,
    /// The protocol of pings.
    Spoken,
    /// A protocol that nobody speaks (RFC 3692).
    Unspoken,
    /// Whether there is a host at all, or what runs on it.
    Host,
}

impl Subject {
    /// Its number, as scanners are given it.
    pub(super) fn number(self, is_v6: bool) -> u16 {
        match self {
            Self::Open | Self::Sctp | Self::Host => 80,
            Self::Closed => 81,
            Self::Filtered => 82,
            Self::Bound => 53,
            Self::Unbound => 54,
            Self::FilteredUdp => 55,
            Self::Spoken if is_v6 => IpProtocol::ICMPV6.0.into(),
            Self::Spoken => IpProtocol::ICMP.0.into(),
            Self::Unspoken => 253,
        }
    }

    /// What stands above its column.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Open => "open port",
            Self::Closed => "closed port",
            Self::Filtered | Self::FilteredUdp => "filtered port",
            Self::Bound => "bound port",
            Self::Unbound => "unbound port",
            Self::Sctp => "any port",
            Self::Spoken => "spoken protocol",
            Self::Unspoken => "unspoken protocol",
            Self::Host => "host",
        }
    }

    /// Whether `answer`, a packet of the guarded host's, is about this.
    pub(super) fn is_subject_of(self, answer: &Packet) -> bool {
        let transport = &answer.transport;
        let protocol = transport.protocol;
        let is_from_port = |of: IpProtocol| protocol == of && transport.ports.source.0 == self.number(false);
        match self {
            Self::Open | Self::Closed | Self::Filtered => is_from_port(IpProtocol::TCP),
            Self::Bound | Self::Unbound | Self::FilteredUdp => is_from_port(IpProtocol::UDP),
            Self::Sctp => is_from_port(IpProtocol::SCTP),
            Self::Spoken => matches!(protocol, IpProtocol::ICMP | IpProtocol::ICMPV6),
            Self::Unspoken => u16::from(protocol.0) == self.number(false),
            Self::Host => true,
        }
    }
}
