//! Step 1, parse: bytes → [`Packet`], or the cause for which the frame passes unjudged.
//!
//! Lengths from the wire are believed only after they were checked against the frame and against each
//! other. Each check that can fail has a [`Cause`] of its own, so that a counter tells which one it was.

pub mod link;
pub mod network;
pub mod transport;

use crate::cause::Cause;
use crate::frame::Frame;
use link::MacAddress;
use network::Addresses;
use transport::Transport;

/// One frame, understood: everything a decision may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Whom the frame is for on its link.
    pub destination_mac: MacAddress,
    /// Source and destination address.
    pub addresses: Addresses,
    /// What the packet carries.
    pub transport: Transport,
}

impl Packet {
    /// Whether exactly one host is meant, by the frame's address and by the packet's.
    ///
    /// Subnet broadcasts (RFC 919 §7) cannot be told from the address alone; on Ethernet they arrive in
    /// broadcast frames, which this does tell.
    pub fn is_unicast(&self) -> bool {
        !self.destination_mac.is_group() && !self.addresses.destination_is_group()
    }
}

/// Parses one frame: Ethernet, up to two VLAN tags, IPv4 or IPv6, and the transport header.
///
/// # Errors
///
/// The cause for which this frame is not judged: it carries no IP, it is not the first fragment, or one of
/// its headers is cut short or contradicts itself.
pub fn parse<F: Frame + ?Sized>(frame: &F) -> Result<Packet, Cause> {
    let link = link::parse(frame)?;
    let network = network::parse(frame, &link)?;
    let transport = transport::parse(frame, &network)?;
    Ok(Packet { destination_mac: link.destination, addresses: network.addresses, transport })
}
