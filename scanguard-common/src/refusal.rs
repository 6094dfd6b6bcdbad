//! The second door: what leaves. This host's own refusals are what a scanner listens for.
//!
//! A refusal is proof that a probe has hit something closed, whoever it was for: a socket that does not exist, or a
//! guest behind this host. So where the first door cannot know, this one does. Whatever else leaves is speech, and
//! remembered as such.

use crate::cause::Cause;
use crate::classify::flags::TcpFlags;
use crate::key::Address;
use crate::parse::Packet;
use crate::parse::network::{Family, IpProtocol};
use crate::parse::transport::{Message, Segment};
use crate::speech::{Flow, Listener};

/// What a packet that leaves says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// It carries on a conversation.
    Speech,
    /// It turns something away.
    Refusal(Refusal),
    /// Neither: it ends a connection, or belongs to a protocol without conversations.
    Other,
}

/// How something is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// RST to a segment without ACK: a SYN mostly.
    ClosedPort,
    /// RST to a segment with ACK that belongs to no connection.
    Stray,
    /// SCTP's ABORT: there is no such association, or no such port.
    Abort,
    /// ICMP: no such port, no such protocol, or it is forbidden.
    Unreachable,
}

/// Says what a packet that leaves is.
///
/// A reset that answers a segment with ACK takes its number from there and has no ACK; one that answers a segment
/// without has the number 0 (RFC 9293 §3.10.7.1). Those that end a connection have ACK and a number of their own.
pub fn leaving(packet: &Packet) -> Leaving {
    let transport = &packet.transport;
    match transport.protocol {
        IpProtocol::TCP => {
            let Segment { flags, sequence, .. } = transport.segment;
            match (flags.has(TcpFlags::RST), flags.has(TcpFlags::ACK)) {
                (false, _) => Leaving::Speech,
                (true, false) => Leaving::Refusal(Refusal::Stray),
                (true, true) if sequence == 0 => Leaving::Refusal(Refusal::ClosedPort),
                (true, true) => Leaving::Other,
            }
        }
        IpProtocol::SCTP if transport.message.kind == SCTP_ABORT => Leaving::Refusal(Refusal::Abort),
        IpProtocol::UDP | IpProtocol::SCTP => Leaving::Speech,
        IpProtocol::ICMP | IpProtocol::ICMPV6 if refuses(packet.family, transport.message) => {
            Leaving::Refusal(Refusal::Unreachable)
        }
        _ => Leaving::Other,
    }
}

/// The chunk that ends an association, or refuses one (RFC 9260 §3.3.7).
const SCTP_ABORT: u8 = 6;

/// Whether an ICMP message turns something away. Those without which networks do not work are not meant:
/// fragmentation needed, packet too big, time exceeded, no route.
fn refuses(family: Family, message: Message) -> bool {
    let Message { kind, code } = message;
    match family {
        // RFC 792 and RFC 1812 §5.2.7.1: protocol, port, network and host prohibited, administratively prohibited.
        Family::V4 => kind == 3 && matches!(code, 2 | 3 | 9 | 10 | 13),
        // RFC 4443 §3.1: prohibited, port, policy, reject route; §3.4: unrecognized next header.
        Family::V6 => (kind == 1 && matches!(code, 1 | 4 | 5 | 6)) || (kind, code) == (4, 1),
    }
}

/// The questions that a refusal raises.
pub trait Memory {
    /// Whether the packet comes from an address of this host, from itself or from a guest whose address it translates,
    /// or from one of those for whom this host is the gateway. Asked last.
    fn is_ours(&self, packet: &Packet) -> bool;

    /// Whether the operator lets closed ports answer.
    fn closed_ports_answer(&self) -> bool;

    /// Whether the operator has allowed the peer.
    fn allows(&self, peer: Address) -> bool;

    /// Whether this side has spoken in the flow.
    fn has_spoken(&self, flow: &Flow) -> bool;

    /// Whether an ICMP message turns an answer away: it quotes a packet of a flow in which this side has spoken.
    fn quotes_an_answer(&self, message: &Packet) -> bool;

    /// Whether a program listened there a few minutes ago.
    fn listened_lately(&self, listener: Listener) -> bool;

    /// Spends on one reset to this peer: false when its [`Budget`](crate::stray::Budget) is empty.
    fn spend_on_reset(&self, peer: Address) -> bool;
}

/// Decides about a refusal: the cause for which it is silenced, or `None` where it may leave.
pub fn silence<M: Memory>(refusal: Refusal, packet: &Packet, memory: &M) -> Option<Cause> {
    let peer = packet.destination;
    if memory.allows(peer) {
        return None;
    }
    let cause = match refusal {
        Refusal::Unreachable | Refusal::ClosedPort | Refusal::Abort if memory.closed_ports_answer() => {
            return None;
        }
        Refusal::Unreachable if memory.quotes_an_answer(packet) => return None,
        Refusal::Unreachable => Cause::UnreachableSilenced,
        Refusal::ClosedPort if memory.listened_lately(Listener::of_outgoing(packet)) => return None,
        Refusal::ClosedPort => Cause::ResetSilenced,
        Refusal::Stray | Refusal::Abort if memory.has_spoken(&Flow::of_outgoing(packet)) => return None,
        Refusal::Abort => Cause::ResetSilenced,
        Refusal::Stray if memory.spend_on_reset(packet.receiver()) => return None,
        Refusal::Stray => Cause::StraySilenced,
    };
    memory.is_ours(packet).then_some(cause)
}
