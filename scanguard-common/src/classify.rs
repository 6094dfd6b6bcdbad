//! Step 2, classify: what a packet's headers and flags alone say. No look-up is needed for that.

pub mod flags;
pub(crate) mod headers;
pub mod signature;

use crate::cause::Cause;
use crate::parse::Packet;
use crate::parse::network::IpProtocol;

/// What a packet says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// No stack ever sends this.
    Impossible(Cause),
    /// It asks for a connection. Linux answers it as a SYN whatever other bits there are.
    Opens,
    /// It is a normal segment if there is a connection, and a probe if there is none.
    NeedsConnection(Part),
    /// A UDP datagram, which says nothing of itself.
    Datagram,
    /// It asks whether the host is there: an echo request.
    Pings,
    /// It asks for an association of SCTP.
    Associates,
    /// It belongs to a protocol that is not judged any further.
    NotJudged(Cause),
}

/// The part that a segment plays in the connection it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// SYN and ACK: answers a SYN of ours.
    Accepts,
    /// ACK, with or without data.
    Carries,
    /// FIN and ACK: ends one direction.
    Ends,
    /// FIN alone: some stacks cancel an attempt to connect with it.
    Cancels,
    /// RST, with or without ACK: ends both directions at once. Never answered by anybody.
    Resets,
}

/// Classifies a packet: what is impossible first, because then nothing else counts.
pub fn classify(packet: &Packet) -> Class {
    if let Some(cause) = headers::impossible(packet) {
        return Class::Impossible(cause);
    }
    match packet.transport.protocol {
        IpProtocol::TCP => flags::class(packet.transport.segment.flags),
        IpProtocol::UDP => Class::Datagram,
        IpProtocol::ICMP | IpProtocol::ICMPV6 if is_ping(packet) => Class::Pings,
        IpProtocol::SCTP if packet.transport.message.kind == SCTP_INIT => Class::Associates,
        other => Class::NotJudged(not_judged(other)),
    }
}

/// The chunk that asks for an association, always the only one of its packet (RFC 9260 §3.3.2). The one that follows
/// from the same side, COOKIE ECHO, returns what was given out in answer to it, so that nobody gets in without.
const SCTP_INIT: u8 = 1;

/// Whether it is an echo request (RFC 792, RFC 4443 §4.1).
fn is_ping(packet: &Packet) -> bool {
    packet.transport.message.kind == packet.family.echo_request()
}

/// The cause for which packets of this protocol pass.
fn not_judged(protocol: IpProtocol) -> Cause {
    match protocol {
        IpProtocol::ICMP | IpProtocol::ICMPV6 => Cause::Icmp,
        IpProtocol::SCTP => Cause::Sctp,
        _ => Cause::OtherProtocol,
    }
}
