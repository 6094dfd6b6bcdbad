//! What the model of the host knows at one frame, for the program in the kernel to be told the same.

use std::cell::RefCell;

use scanguard_common::flow::{Destination, Socket};
use scanguard_common::key::Address;
use scanguard_common::parse::Packet;
use scanguard_common::parse::network::{Family, IpProtocol};
use scanguard_common::parse::transport::Port;
use scanguard_common::speech::{Flow, Listener};
use scanguard_common::stray::Budget;

use super::super::kernel::Scene;
use super::super::lately::Lately;
use super::Host;
use crate::capture::CapturedFrame;

impl Host {
    /// All that the program is going to ask about a frame that arrives.
    pub(in crate::replay) fn scene_of_incoming(
        &self,
        frame: &CapturedFrame<'_>,
        packet: Option<&Packet>,
    ) -> Scene {
        let is_ours = packet.is_some_and(|packet| is_this_host(self.destination(frame, packet)));
        self.scene(packet, is_ours)
    }

    /// All that the program is going to ask about a packet that leaves.
    pub(in crate::replay) fn scene_of_outgoing(&self, packet: &Packet) -> Scene {
        let mut answered = *packet;
        answered.turn_round();
        self.scene(Some(&answered), self.local.contains(packet.source))
    }

    fn scene(&self, packet: Option<&Packet>, is_ours: bool) -> Scene {
        let flow = packet.map(Flow::of_incoming);
        let sender = packet.map_or(Address::v4([0; 4]), Packet::sender);
        let listener = packet.map_or(Listener::at(Family::V4, Port(0)), Listener::of_incoming);
        let asked = packet.filter(|packet| has_sockets(packet.transport.protocol));
        let whole_at = |budgets: &RefCell<Lately<Address, Budget>>| {
            budgets.borrow().get(&sender).map(|budget| bits(*budget))
        };
        Scene {
            number: self.foresight.present(),
            now: self.now,
            flow,
            sender,
            listener,
            socket: asked.map_or(Socket::Absent, |packet| self.socket(packet, &Flow::of_incoming(packet))),
            is_ours,
            spoken: flow.and_then(|flow| self.spoken(&flow)),
            listened: self.listened_at(listener),
            refused_for: self.refuses(sender),
            is_learning: self.is_learning(),
            was_refused: packet.is_some_and(|packet| self.was_refused(packet)),
            left: packet.map(|packet| self.traces.left_by(packet)),
            strays: whole_at(&self.strays),
            strays_of_all: bits(self.strays_of_all.get()),
            resets: whole_at(&self.resets),
        }
    }
}

/// A budget as it lies in memory.
fn bits(budget: Budget) -> u64 {
    // SAFETY: it is a `repr(transparent)` record of one such number, of which every value is valid.
    unsafe { std::mem::transmute(budget) }
}

fn is_this_host(destination: Destination) -> bool {
    match destination {
        Destination::Ours | Destination::OursOrTranslated => true,
        Destination::Group | Destination::OtherStation | Destination::Forwarded | Destination::Unknown => {
            false
        }
    }
}

fn has_sockets(protocol: IpProtocol) -> bool {
    matches!(protocol, IpProtocol::TCP | IpProtocol::UDP)
}
