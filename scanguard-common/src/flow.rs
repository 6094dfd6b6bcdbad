//! Step 3, look up: which conversation a packet belongs to, and who knows.
//!
//! The questions are asked here and answered elsewhere: by the kernel's tables in the XDP program, by a
//! model in the tests.

use crate::key::Address;
use crate::parse::Packet;
use crate::parse::link::MacAddress;
use crate::parse::transport::Port;

/// What the socket table says about a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// A connection, established or in whatever state before and after: request, TIME_WAIT and the rest.
    Connected,
    /// Only a listener, and the segment is the ACK that completes a handshake by SYN cookie (RFC 4987 §3.6).
    CompletesCookie,
    /// Only a listener.
    Listening,
    /// Nobody.
    Absent,
}

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

/// The questions that the packet itself cannot answer, in the order of what they cost: cheapest last.
pub trait Lookups {
    /// Which socket a TCP segment belongs to.
    fn socket(&self, packet: &Packet) -> Socket;

    /// For whom the packet is. Asked only where a drop is near.
    fn destination(&self, packet: &Packet) -> Destination;

    /// Whether the operator has allowed the source. Asked only where a drop is near.
    fn allows(&self, source: Address) -> bool;

    /// Whether this side has spoken in the packet's flow. Asked only where a drop is near.
    fn has_spoken(&self, packet: &Packet) -> bool;

    /// Whether a program listened on the port a few minutes ago. Asked only where a drop is near.
    fn listened_lately(&self, port: Port) -> bool;

    /// Spends on one stray of this sender: false when its [`Budget`](crate::stray::Budget) is empty.
    fn spend_on_stray(&self, sender: Address) -> bool;
}
