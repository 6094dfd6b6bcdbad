//! The host behind the capture: what the kernel knew, as far as its own packets tell.
//!
//! All tables are as large as the program's or larger, and forget as those do: what was not used for long.

mod scene;

use std::cell::{Cell, RefCell};
use std::net::IpAddr;

use scanguard_common::cause::{Action, Cause};
use scanguard_common::classify::flags::TcpFlags;
use scanguard_common::classify::signature::Label;
use scanguard_common::closed::Refused;
use scanguard_common::evidence::Kind;
use scanguard_common::flow::{Destination, LEARNING, Socket};
use scanguard_common::incident::Target;
use scanguard_common::key::{Address, spread_port};
use scanguard_common::mark::{self, Reason};
use scanguard_common::parse::Packet;
use scanguard_common::parse::link::{self, MacAddress};
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::policy::Role;
use scanguard_common::refusal::{Leaving, leaving};
use scanguard_common::schema::{MAX_STRAY_SOURCES, REFUSED_PLACES};
use scanguard_common::speech::{Flow, Listened, Listener, Spoken};
use scanguard_common::stray::Budget;
use scanguard_common::time::{Nanos, Seconds};

use super::connection::Connection;
use super::dropped::Dropped;
use super::end::End;
use super::foresight::{Foresight, Next};
use super::lately::Lately;
use super::ledger::{Came, Ledger, SEED};
use super::local::Local;
use super::policy::Choices;
use super::traces::Traces;
use crate::capture::CapturedFrame;

/// What is known of the host at one moment of the capture.
pub(super) struct Host {
    local: Local,
    choices: Choices,
    foresight: Foresight,
    /// When the capture begins, and so the guard.
    since: Option<Nanos>,
    now: Nanos,
    connections: Lately<Flow, Connection>,
    /// Ports that have answered: whether they were open when they did last.
    ports: Lately<End, bool>,
    /// When a program was last seen listening, by the places of listeners; 0 for never.
    listened: Vec<Nanos>,
    refused: Vec<Refused>,
    ledger: Ledger,
    traces: Traces,
    strays: RefCell<Lately<Address, Budget>>,
    /// As if the host had one processor.
    strays_of_all: Cell<Budget>,
    resets: RefCell<Lately<Address, Budget>>,
    dropped: Dropped,
    seen: bool,
}

/// How many connections are followed, and of how many ports it is known whether they are open.
const CONNECTIONS: u32 = 1 << 18;

impl Host {
    /// The host of these addresses, guarded as was chosen.
    pub(super) fn new(local: Local, choices: Choices, foresight: Foresight) -> Host {
        let spared = [local.clone(), choices.allowed.clone()];
        let ledger = Ledger::new(choices.judgement, spared);
        let traces = Traces::of(choices.public);
        Host {
            local,
            choices,
            foresight,
            since: None,
            now: Nanos::default(),
            connections: Lately::new(CONNECTIONS),
            ports: Lately::new(CONNECTIONS),
            listened: vec![Nanos::default(); Listener::ALL as usize],
            refused: vec![Refused::default(); REFUSED_PLACES as usize],
            ledger,
            traces,
            strays: RefCell::new(Lately::new(MAX_STRAY_SOURCES)),
            strays_of_all: Cell::new(Budget::default()),
            resets: RefCell::new(Lately::new(MAX_STRAY_SOURCES)),
            dropped: Dropped::default(),
            seen: false,
        }
    }

    /// Goes on to the next frame of the capture, and its time.
    pub(super) fn advance(&mut self, now: Nanos) {
        self.now = now;
        self.since.get_or_insert(now);
        self.traces.advance(now);
        self.foresight.advance();
    }

    /// The time of the frame.
    pub(super) fn now(&self) -> Nanos {
        self.now
    }

    /// What its operator chose.
    pub(super) fn choices(&self) -> &Choices {
        &self.choices
    }

    /// Its addresses.
    pub(super) fn local(&self) -> &Local {
        &self.local
    }

    /// Whether nothing was seen to leave, so that nothing is known of its connections and ports.
    pub(super) fn is_blind(&self) -> bool {
        !self.seen
    }

    /// Whether the flow is a conversation, now or later: this side says more in it than an answer to a SYN.
    pub(super) fn carries(&self, flow: &Flow) -> bool {
        let carried = self.connections.get(flow).is_some_and(|connection| connection.carried);
        carried || self.foresight.carries(flow)
    }

    /// Remembers what became of a packet that arrived, for what follows from that.
    pub(super) fn pass_or_drop(&mut self, packet: &Packet, flow: &Flow, action: Action) {
        let begins = begins(packet);
        match action {
            Action::Pass => self.dropped.passed(flow, begins),
            Action::Drop => {
                let exists =
                    || self.connections.get(flow).is_some_and(|connection| connection.exists(self.now));
                self.dropped.lost(flow, begins.then(|| !exists()));
            }
        }
    }

    /// Whether a packet that leaves only answers one that was dropped.
    pub(super) fn answers_in_vain(&self, flow: &Flow) -> bool {
        self.dropped.is_last(flow)
    }

    /// Whether a packet that arrives would not have been sent, because it goes on with what the host would not have
    /// said.
    pub(super) fn would_not_come(&self, packet: &Packet, flow: &Flow) -> bool {
        packet.transport.protocol == IpProtocol::TCP && !begins(packet) && self.dropped.is_begun_in_vain(flow)
    }

    /// Whether the host would not have said this, because what it answers was dropped. Its port is open nevertheless.
    pub(super) fn would_not_say(&mut self, packet: &Packet, flow: &Flow, leaving: Leaving) -> bool {
        let is_open = leaving == Leaving::Speech;
        let is_in_vain = self.dropped.answer(flow, is_open);
        if is_in_vain && is_open {
            self.ports.put(End::behind(packet), true);
        }
        is_in_vain
    }

    /// Holds a packet that came in, or would have, against its source, or for it.
    pub(super) fn hold(&mut self, packet: &Packet, kind: Kind, reason: &Reason) -> Came {
        self.ledger.hold(packet, kind, reason, self.now)
    }

    /// Whether a packet that is dropped for this cause is one too many of a crowd: then nothing follows.
    pub(super) fn turns_away(&mut self, packet: &Packet, cause: Cause) -> bool {
        self.ledger.turns_away(packet, cause, self.now)
    }

    /// Looks for the mark of a tool in a packet that was decided about.
    pub(super) fn find_mark(&mut self, frame: &CapturedFrame<'_>, packet: &Packet, cause: Cause) -> Label {
        if mark::knocks(cause) { mark::find(frame, packet, &mut self.traces) } else { Label::NONE }
    }

    /// Remembers whom the host speaks to, unless it only accepts a connection, or does so from a published port.
    fn speak_to(&mut self, packet: &Packet) {
        let transport = &packet.transport;
        let accepts = transport.segment.flags.has(TcpFlags::SYN | TcpFlags::ACK);
        let rule = self.choices.port_rule(transport.ports.source);
        if !accepts && !rule.is_public(transport.protocol) {
            self.ledger.speak_to(packet.destination, self.now);
        }
    }

    /// Every window in which a shared scan was recognised, with the destination.
    pub(super) fn incidents(&self) -> Vec<(IpAddr, Target)> {
        self.ledger.incidents()
    }

    /// Why new contacts of a source are refused, if so.
    pub(super) fn refuses(&self, source: Address) -> Option<Cause> {
        self.ledger.refuses(source, self.now)
    }

    /// Remembers that the port is closed from which a reset would have left.
    pub(super) fn remember_refusal(&mut self, cause: Cause, packet: &Packet) {
        if cause != Cause::ResetSilenced {
            return;
        }
        let (protocol, port) = (packet.transport.protocol.0, packet.transport.ports.source.0);
        let spread = spread_port(packet.source, protocol, port, SEED);
        if let Some(refused) = self.refused.get_mut(refused_place(spread)) {
            *refused = Refused::at(spread, Seconds::of(self.now));
        }
    }

    /// Whether the port that a packet is for was refused a moment ago.
    pub(super) fn was_refused(&self, packet: &Packet) -> bool {
        let spread = spread_of_port(packet);
        let refused = self.refused.get(refused_place(spread));
        refused.is_some_and(|refused| refused.lately(spread, Seconds::of(self.now)))
    }

    /// Whether connections of others are still being learned.
    pub(super) fn is_learning(&self) -> bool {
        self.since.is_none_or(|since| self.now.since(since) < LEARNING)
    }

    /// Learns from what arrives, whether it would have been dropped or not: at this host it was not.
    pub(super) fn hear(&mut self, packet: &Packet, flow: &Flow) {
        if packet.transport.protocol == IpProtocol::TCP
            && let Some(connection) = self.connections.touch(flow)
        {
            connection.hear(packet, self.now);
        }
    }

    /// Learns from what leaves, and remembers what the program remembers.
    pub(super) fn say(&mut self, frame: &CapturedFrame<'_>, packet: &Packet, flow: &Flow) {
        self.seen = true;
        let leaving = leaving(packet);
        if let Some(end) = End::refused_by(frame, packet) {
            self.ports.put(end, false);
        }
        let is_tcp = packet.transport.protocol == IpProtocol::TCP;
        match leaving {
            Leaving::Speech => {
                let now = self.now;
                self.speak_to(packet);
                let connection = self.connections.touch_or(*flow, || Connection::new(now));
                if is_tcp && packet.transport.segment.flags.has(TcpFlags::SYN | TcpFlags::ACK) {
                    // Where both ask at once, both accept, and nobody listens.
                    if !connection.asks() {
                        self.ports.put(End::behind(packet), true);
                    }
                    if let Some(then) = self.listened.get_mut(Listener::of_outgoing(packet).place() as usize)
                    {
                        *then = now;
                    }
                }
                if !is_tcp {
                    self.ports.put(End::behind(packet), true);
                }
                connection.say(packet, now);
            }
            Leaving::Refusal(_) | Leaving::Other => {
                if is_tcp && let Some(connection) = self.connections.touch(flow) {
                    connection.say(packet, self.now);
                }
            }
        }
    }

    /// Which socket the segment or datagram would find.
    ///
    /// Of UDP, a socket is known by what it says: a port that answers is bound, until it is refused by ICMP. One that
    /// neither answers nor is refused may be either, because Linux limits the rate of refusals; it counts as unbound,
    /// which drops nothing.
    pub(super) fn socket(&self, packet: &Packet, flow: &Flow) -> Socket {
        if self.choices.policy.role == Role::Gateway {
            return Socket::Absent; // it is for a host behind this one
        }
        if packet.transport.protocol == IpProtocol::UDP {
            return if self.is_open(packet) { Socket::Listening } else { Socket::Absent };
        }
        let connection = self.connections.get(flow);
        if connection.is_some_and(|connection| connection.exists(self.now)) {
            return Socket::Connected;
        }
        let is_open = self.is_open(packet);
        match self.foresight.next(flow) {
            Some(Next::Carries) if connection.is_none() => Socket::Connected,
            Some(Next::Accepts) => Socket::Listening,
            Some(Next::Refuses) if opens(packet) => Socket::Absent,
            Some(Next::Carries | Next::Opens | Next::Refuses) | None if is_open => Socket::Listening,
            Some(Next::Carries | Next::Opens | Next::Refuses) | None => Socket::Absent,
        }
    }

    /// Whether the port that a packet is for was open when it answered last, or else will be when it does first.
    fn is_open(&self, packet: &Packet) -> bool {
        let end = End::aimed_at(packet);
        self.ports.get(&end).copied().unwrap_or_else(|| self.foresight.will_open(end))
    }

    /// For whom a frame is. Which station the host is nobody says, but its addresses are known.
    pub(super) fn destination(&self, frame: &CapturedFrame<'_>, packet: &Packet) -> Destination {
        let Some(station) = link::destination(frame) else { return Destination::Unknown };
        let is_here = self.local.contains(packet.destination);
        if is_ip_group(station) || station.is_group() && !is_here {
            return Destination::Group;
        }
        if frame.is_overheard() || !is_here {
            return Destination::OtherStation;
        }
        match self.choices.policy.role {
            Role::Host => Destination::Ours,
            Role::Gateway => Destination::OursOrTranslated,
        }
    }

    /// When this side last spoke in a flow. What it goes on with was begun before.
    fn spoken(&self, flow: &Flow) -> Option<Nanos> {
        match self.connections.get(flow) {
            Some(connection) => Some(connection.spoken),
            None if flow.protocol() == IpProtocol::TCP
                && self.foresight.next(flow) == Some(Next::Carries) =>
            {
                Some(self.now)
            }
            None => None,
        }
    }

    /// Whether this side has spoken in a flow, so lately that an answer may still come.
    pub(super) fn has_spoken(&self, flow: &Flow) -> bool {
        self.spoken(flow).is_some_and(|then| Spoken::at(then).counts(flow.protocol(), self.now))
    }

    /// Whether a program listened somewhere a few minutes ago.
    pub(super) fn listened_lately(&self, listener: Listener) -> bool {
        Listened::at(self.listened_at(listener)).lately(self.now)
    }

    /// When a program was last seen listening there; 0 for never.
    fn listened_at(&self, listener: Listener) -> Nanos {
        self.listened.get(listener.place() as usize).copied().unwrap_or_default()
    }

    /// Spends on one stray of this sender.
    pub(super) fn spend_on_stray(&self, sender: Address) -> bool {
        let Some(rest) = self.strays_of_all.get().spend_of_all(self.now) else { return false };
        let has_own = self.spend(&self.strays, sender, Budget::spend);
        if has_own {
            self.strays_of_all.set(rest);
        }
        has_own
    }

    /// Spends on one reset that answers such a segment.
    pub(super) fn spend_on_reset(&self, peer: Address) -> bool {
        self.spend(&self.resets, peer, Budget::spend_on_answer)
    }

    fn spend(
        &self,
        budgets: &RefCell<Lately<Address, Budget>>,
        address: Address,
        spend: fn(Budget, Nanos) -> Option<Budget>,
    ) -> bool {
        let mut budgets = budgets.borrow_mut();
        let budget = budgets.touch_or(address, Budget::default);
        match spend(*budget, self.now) {
            Some(rest) => {
                *budget = rest;
                true
            }
            None => false,
        }
    }
}

/// Whether IP is sent to a group of stations by this address: to all, or to a multicast group (RFC 1112 §6.4, RFC 2464
/// §7). Not by its group bit alone, which captures made anonymous have wherever it fell.
fn is_ip_group(MacAddress(station): MacAddress) -> bool {
    station == [0xff; 6] || station.starts_with(&[0x01, 0x00, 0x5e]) || station.starts_with(&[0x33, 0x33])
}

fn opens(packet: &Packet) -> bool {
    let flags = packet.transport.segment.flags;
    flags.has(TcpFlags::SYN) && !flags.has(TcpFlags::ACK)
}

/// Whether a packet begins a conversation, if there is none: a SYN, a datagram, a ping.
fn begins(packet: &Packet) -> bool {
    match packet.transport.protocol {
        IpProtocol::TCP => opens(packet),
        IpProtocol::ICMP | IpProtocol::ICMPV6 => {
            packet.transport.message.kind == packet.family.echo_request()
        }
        other => other == IpProtocol::UDP,
    }
}

/// The spread of the port that a packet is for.
pub(super) fn spread_of_port(packet: &Packet) -> u64 {
    let (protocol, port) = (packet.transport.protocol.0, packet.transport.ports.destination.0);
    spread_port(packet.destination, protocol, port, SEED)
}

fn refused_place(spread: u64) -> usize {
    usize::try_from(spread % u64::from(REFUSED_PLACES)).unwrap_or_default()
}
