//! Step 3, look up: answers the engine's questions from the model of the host.

use scanguard_common::flow::{Destination, Lookups, Socket};
use scanguard_common::key::Address;
use scanguard_common::parse::Packet;
use scanguard_common::parse::transport::Port;
use scanguard_common::policy::ClosedPorts;
use scanguard_common::refusal::Memory;
use scanguard_common::speech::Flow;

use super::host::Host;
use crate::capture::CapturedFrame;

/// The host, asked about one frame that arrives.
pub(super) struct Incoming<'a> {
    host: &'a Host,
    frame: &'a CapturedFrame<'a>,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(host: &'a Host, frame: &'a CapturedFrame<'a>) -> Incoming<'a> {
        Incoming { host, frame }
    }
}

impl Lookups for Incoming<'_> {
    fn socket(&self, packet: &Packet) -> Socket {
        self.host.socket(packet, &Flow::of_incoming(packet))
    }

    fn destination(&self, packet: &Packet) -> Destination {
        self.host.destination(self.frame, packet)
    }

    fn allows(&self, source: Address) -> bool {
        self.host.choices().allowed.contains(source)
    }

    fn has_spoken(&self, packet: &Packet) -> bool {
        self.host.has_spoken(&Flow::of_incoming(packet))
    }

    fn listened_lately(&self, port: Port) -> bool {
        self.host.listened_lately(port)
    }

    fn spend_on_stray(&self, sender: Address) -> bool {
        self.host.spend_on_stray(sender)
    }
}

/// The host, asked about one packet that leaves.
pub(super) struct Outgoing<'a>(&'a Host);

impl<'a> Outgoing<'a> {
    pub(super) fn new(host: &'a Host) -> Outgoing<'a> {
        Outgoing(host)
    }
}

impl Memory for Outgoing<'_> {
    fn is_ours(&self, packet: &Packet) -> bool {
        self.0.local().contains(packet.source)
    }

    fn closed_ports_answer(&self) -> bool {
        self.0.choices().policy.closed_ports == ClosedPorts::Pass
    }

    fn allows(&self, peer: Address) -> bool {
        self.0.choices().allowed.contains(peer)
    }

    fn has_spoken(&self, flow: &Flow) -> bool {
        self.0.has_spoken(flow)
    }

    fn listened_lately(&self, port: Port) -> bool {
        self.0.listened_lately(port)
    }

    fn spend_on_reset(&self, peer: Address) -> bool {
        self.0.spend_on_reset(peer)
    }
}
