//! Step 3, look up: answers the engine's questions from the model of the host.

use scanguard_common::cause::Cause;
use scanguard_common::flow::{Destination, Lookups, Socket};
use scanguard_common::key::Address;
use scanguard_common::parse::transport::Port;
use scanguard_common::parse::{Packet, quote};
use scanguard_common::policy::{Ping, PortRule, Role};
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

    fn ban(&self, packet: &Packet) -> Option<Cause> {
        self.host.bans(packet.sender()).then_some(Cause::Banned)
    }

    fn port_rule(&self, packet: &Packet) -> PortRule {
        self.host.choices().port_rule(packet.transport.ports.destination)
    }

    fn answers_pings(&self) -> bool {
        self.host.choices().policy.ping == Ping::Answer
    }

    /// Every packet is asked about anew: what was dropped lately is a matter of speed.
    fn was_dropped_lately(&self, _packet: &Packet, _cause: Cause) -> bool {
        false
    }

    fn is_closed(&self, packet: &Packet) -> bool {
        self.host.choices().policy.closed_ports.says_closed(|| self.host.was_refused(packet))
    }

    fn is_learning(&self) -> bool {
        self.host.is_learning()
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
pub(super) struct Outgoing<'a> {
    host: &'a Host,
    frame: &'a CapturedFrame<'a>,
}

impl<'a> Outgoing<'a> {
    pub(super) fn new(host: &'a Host, frame: &'a CapturedFrame<'a>) -> Outgoing<'a> {
        Outgoing { host, frame }
    }
}

impl Memory for Outgoing<'_> {
    fn is_ours(&self, packet: &Packet) -> bool {
        self.host.choices().policy.role == Role::Gateway || self.host.local().contains(packet.source)
    }

    fn closed_ports_answer(&self) -> bool {
        self.host.choices().policy.closed_ports.answer()
    }

    fn allows(&self, peer: Address) -> bool {
        self.host.choices().allowed.contains(peer)
    }

    fn has_spoken(&self, flow: &Flow) -> bool {
        self.host.has_spoken(flow)
    }

    fn quotes_an_answer(&self, message: &Packet) -> bool {
        quote::flow(self.frame, message).is_some_and(|flow| self.host.has_spoken(&flow))
    }

    fn listened_lately(&self, port: Port) -> bool {
        self.host.listened_lately(port)
    }

    fn spend_on_reset(&self, peer: Address) -> bool {
        self.host.spend_on_reset(peer)
    }
}
