//! Step 3, look up: which conversation a packet belongs to, and who knows.
//!
//! The questions are asked here and answered elsewhere: by the kernel's tables in the XDP program, by a
//! model in the tests.

use crate::cause::Cause;
use crate::decide::{Mercy, Suspicion, mercy, suspect};
use crate::key::Address;
use crate::parse::Packet;
use crate::parse::link::MacAddress;
use crate::policy::PortRule;
use crate::speech::Listener;
use crate::time::Nanos;

/// What the socket table says about a segment or datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// A connection, established or in whatever state before and after: request, TIME_WAIT and the rest. Of UDP, a
    /// socket that is connected to the sender.
    Connected,
    /// Only a listener, and the segment is the ACK that completes a handshake by SYN cookie (RFC 4987 §3.6).
    CompletesCookie,
    /// Only a listener; of UDP, a socket that is bound and hears everybody.
    Listening,
    /// Nobody.
    Absent,
}

/// How long after the attach connections of guests are still being learned, in nanoseconds: those that were there
/// before, and in which this side has not spoken since.
pub const LEARNING: u64 = 300 * Nanos::SECOND;

/// For whom a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// This host, and nobody else: it does not forward.
    Ours,
    /// An address of this host, which forwards: address translation (NAT) may hand the packet on, to a guest or
    /// container whose connections this host's socket table does not know.
    OursOrTranslated,
    /// A group of stations: link-layer multicast or broadcast.
    Group,
    /// Another station of the link: the frame was only overheard.
    OtherStation,
    /// Another host, to which this one forwards.
    Forwarded,
    /// The question could not be answered.
    Unknown,
}

/// What the frame's link-layer destination says: anything but ours is an answer, ours needs a look at the
/// routes.
pub fn station(destination: MacAddress, own: MacAddress) -> Option<Destination> {
    if destination == own {
        None
    } else if destination.is_group() {
        Some(Destination::Group)
    } else {
        Some(Destination::OtherStation)
    }
}

/// The questions that the packet itself cannot answer.
pub trait Lookups {
    /// Which socket a TCP segment or a UDP datagram belongs to.
    fn socket(&self, packet: &Packet) -> Socket;

    /// Why new contacts of the source are refused: [`Cause::Banned`], [`Cause::Denied`], or not at all.
    fn ban(&self, packet: &Packet) -> Option<Cause>;

    /// What the operator said of the port that the packet is for.
    fn port_rule(&self, packet: &Packet) -> PortRule;

    /// Whether the operator lets this host answer pings.
    fn answers_pings(&self) -> bool;

    /// Whether a program listened there a few minutes ago.
    fn listened_lately(&self, listener: Listener) -> bool;

    /// Whether a packet from the same source to the same destination was just dropped for this cause, so that nothing
    /// speaks for this one either.
    fn was_dropped_lately(&self, packet: &Packet, cause: Cause) -> bool;

    /// Whether this side has spoken in the packet's flow. Asked only where a drop is near.
    fn has_spoken(&self, packet: &Packet) -> bool;

    /// Whether the operator has allowed the source. Asked only where a drop is near.
    fn allows(&self, source: Address) -> bool;

    /// For whom the packet is. Asked only where a drop is near.
    fn destination(&self, packet: &Packet) -> Destination;

    /// Whether a port without a socket is certainly closed: because nothing can redirect it, or because its refusal was
    /// seen a moment ago. Asked only where a drop is near.
    fn is_closed(&self, packet: &Packet) -> bool;

    /// Whether the connections of guests are still being learned: a while after the attach. Asked only where a drop is
    /// near.
    fn is_learning(&self) -> bool;

    /// Spends on one stray of this sender: false when its [`Budget`](crate::stray::Budget) is empty.
    fn spend_on_stray(&self, sender: Address) -> bool;

    /// What speaks against a packet. Whoever has to may find that out in a function of its own, by the same questions.
    fn suspect(&self, packet: &Packet) -> Suspicion
    where
        Self: Sized,
    {
        suspect(packet, self)
    }

    /// What speaks for a packet that is about to be dropped: in a function of its own, as above.
    fn mercy(&self, packet: &Packet) -> Mercy
    where
        Self: Sized,
    {
        mercy(packet, self)
    }
}
