//! What a contact can be, and how much each kind weighs.

use core::hint::black_box;

use crate::cause::Cause;
use crate::classify::signature::Label;

/// How a first contact ended.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nobody knows yet: whoever was asked may answer, refuse or keep silent.
    Asked = 0,
    /// It was answered.
    Answered = 1,
    /// It hit something closed: the port, or the protocol.
    Closed = 2,
    /// It was not answered in time.
    Silence = 3,
    /// It claimed a connection that did not exist, and bore a scanner's mark.
    OutOfState = 4,
    /// It had headers or flags that no stack writes.
    Forged = 5,
    /// It touched a decoy.
    Decoy = 6,
    /// It bore the signature of a known tool.
    Signature = 7,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Kind; 8] = [
        Kind::Asked,
        Kind::Answered,
        Kind::Closed,
        Kind::Silence,
        Kind::OutOfState,
        Kind::Forged,
        Kind::Decoy,
        Kind::Signature,
    ];

    /// The number that stands for it in map memory.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The kind of this number; where there is none, the one that weighs nothing.
    pub fn from_number(number: u8) -> Kind {
        match number {
            1 => Kind::Answered,
            2 => Kind::Closed,
            3 => Kind::Silence,
            4 => Kind::OutOfState,
            5 => Kind::Forged,
            6 => Kind::Decoy,
            7 => Kind::Signature,
            _ => Kind::Asked,
        }
    }

    /// What the operator calls it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Asked => "asked",
            Kind::Answered => "answered",
            Kind::Closed => "closed",
            Kind::Silence => "no-answer",
            Kind::OutOfState => "out-of-state",
            Kind::Forged => "forged",
            Kind::Decoy => "decoy",
            Kind::Signature => "signature",
        }
    }

    /// Whether the contact failed.
    pub fn is_held_against(self) -> bool {
        Weights::against(self) > 0
    }

    /// What the cause of one packet says of its source; `None` where it says nothing.
    ///
    /// Backscatter (SYN/ACK, RST) and forged sources say nothing, because the source they name did not send them. Nor
    /// do strays, which survive restarts, and ports that listened a while ago. What is dropped because of a ban is not
    /// held against the source a second time.
    pub fn of(cause: Cause) -> Option<Kind> {
        match cause {
            Cause::ClosedPort | Cause::ResetSilenced | Cause::UnreachableSilenced => Some(Kind::Closed),
            Cause::UnprovenPort => Some(Kind::Asked),
            Cause::AckProbe | Cause::MaimonProbe | Cause::FinProbe => Some(Kind::OutOfState),
            Cause::TcpNull
            | Cause::TcpXmas
            | Cause::TcpFullXmas
            | Cause::TcpSynFin
            | Cause::TcpSynRst
            | Cause::TcpFinRst
            | Cause::TcpNoAck
            | Cause::TcpReserved
            | Cause::TinyFragment
            | Cause::OverlappingFragment
            | Cause::IpOptions
            | Cause::PortZero
            | Cause::IcmpProbe => Some(Kind::Forged),
            Cause::DecoyPort => Some(Kind::Decoy),
            Cause::ToolSignature => Some(Kind::Signature),
            Cause::SynAckProbe
            | Cause::StrayFlood
            | Cause::Land
            | Cause::BadSource
            | Cause::Banned
            | Cause::BannedNetwork
            | Cause::Denied
            | Cause::PingSilenced
            | Cause::StraySilenced
            | Cause::InConnection
            | Cause::NewConnection
            | Cause::SynCookie
            | Cause::Stray
            | Cause::StrayReset
            | Cause::Allowed
            | Cause::NotUnicast
            | Cause::OtherStation
            | Cause::Forwarded
            | Cause::MaybeTranslated
            | Cause::UnknownDestination
            | Cause::Udp
            | Cause::Icmp
            | Cause::Sctp
            | Cause::OtherProtocol
            | Cause::Arp
            | Cause::NotIp
            | Cause::TooManyTags
            | Cause::TruncatedLink
            | Cause::TruncatedNetwork
            | Cause::TruncatedTransport
            | Cause::WrongIpVersion
            | Cause::BadIpHeaderLength
            | Cause::BadIpLength
            | Cause::BadDataOffset
            | Cause::TooManyExtensions
            | Cause::LaterFragment
            | Cause::InFlow
            | Cause::RecentPort => None,
        }
    }
}

/// How much each kind of first contact moves a score, in units of 1/1024 of a natural logarithm.
///
/// All weights are logarithms of likelihood ratios: how much likelier a scanner makes such a contact than anybody else
/// does. The two of Jung et al. are kept: of a benign source's first contacts 80 % are answered, of a scanner's 20 %,
/// so that one that fails weighs ln(0.8/0.2) and one that is answered the same, downwards.
///
/// The others would weigh far more by what was measured (impossible flags: none among 68 700 benign segments, and all of
/// an XMAS scan's). They are capped, at ln 16, ln 64 and ln 256, which is two, three and four closed ports: a source's
/// address can be forged, and no single packet should say more than a few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights;

impl Weights {
    /// One natural logarithm.
    pub const UNIT: u32 = 1_024;
    /// ln 4.
    pub const CLOSED: u32 = 1_420;
    /// ln 16.
    pub const OUT_OF_STATE: u32 = 2_839;
    /// ln 64.
    pub const FORGED: u32 = 4_259;
    /// ln 256.
    pub const SIGNATURE: u32 = 5_678;

    /// What the mark of a tool says of whoever sent it, by itself: what was measured of it, capped as above.
    pub fn of_mark(mark: Label) -> u32 {
        /// ln 2, rounded up, so that eight bits are exactly the cap.
        const BIT: u32 = 710;
        (u32::from(mark.bits()) * BIT).min(Weights::SIGNATURE)
    }

    /// What a contact of this kind adds to a score; what it takes away is [`CLOSED`](Self::CLOSED), if it was answered.
    pub fn against(kind: Kind) -> u32 {
        /// In the order of [`Kind::ALL`]. In memory: as a `match` it would have the verifier read what follows once for each.
        static AGAINST: [u32; Kind::ALL.len()] = [
            0,
            0,
            Weights::CLOSED,
            Weights::CLOSED,
            Weights::OUT_OF_STATE,
            Weights::FORGED,
            Weights::FORGED,
            Weights::SIGNATURE,
        ];

        // The compiler knows that there are no more kinds, and the verifier does not.
        let place = black_box(kind.number()) & 7;
        AGAINST.get(usize::from(place)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(kind.number()), kind);
        }
        assert_eq!(Kind::from_number(u8::MAX), Kind::Asked);
    }

    #[test]
    fn each_kind_weighs_what_is_said_of_it() {
        for kind in Kind::ALL {
            let weight = match kind {
                Kind::Asked | Kind::Answered => 0,
                Kind::Closed | Kind::Silence => Weights::CLOSED,
                Kind::OutOfState => Weights::OUT_OF_STATE,
                Kind::Forged | Kind::Decoy => Weights::FORGED,
                Kind::Signature => Weights::SIGNATURE,
            };
            assert_eq!(Weights::against(kind), weight, "{}", kind.name());
        }
    }

    #[test]
    fn weights_are_the_logarithms_they_claim_to_be() {
        for (weight, ratio) in [
            (Weights::CLOSED, 0.8_f64 / 0.2),
            (Weights::OUT_OF_STATE, 16.0),
            (Weights::FORGED, 64.0),
            (Weights::SIGNATURE, 256.0),
        ] {
            let truth = ratio.ln() * f64::from(Weights::UNIT);
            assert!((f64::from(weight) - truth).abs() <= 0.5, "{weight} and not {truth}");
        }
    }

    #[test]
    fn nobody_is_blamed_for_what_passes_but_for_asking() {
        for cause in Cause::ALL.iter().copied() {
            let kind = Kind::of(cause);
            if cause.action() == crate::cause::Action::Pass {
                assert!(matches!(kind, None | Some(Kind::Asked)), "{}", cause.name());
            }
        }
    }
}
