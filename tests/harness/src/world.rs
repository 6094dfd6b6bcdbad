//! The slow, obvious answer to every question that the engine asks.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use scanguard_common::cause::Cause;
use scanguard_common::classify::signature::{Ballot, Knowledge, Label, Left};
use scanguard_common::decide::decide;
use scanguard_common::flow::{Destination, Lookups, Socket, station};
use scanguard_common::key::{Address, spread};
use scanguard_common::mark::{self, Reason};
use scanguard_common::parse::link::{self, MacAddress};
use scanguard_common::parse::network::{Family, IpProtocol};
use scanguard_common::parse::transport::Port;
use scanguard_common::parse::{Packet, parse};
use scanguard_common::policy::{ClosedPorts, PortRule, Role};
use scanguard_common::speech::Listener;
use scanguard_common::stray::Budget;
use scanguard_common::time::Nanos;

use crate::GUARDED_MAC;

/// A guarded host as plain lists: what it listens on, whom it talks to, what it forwards.
///
/// The kernel answers the same questions from its socket and routing tables; a test that gives both the same
/// frames finds out where they differ.
#[derive(Debug)]
pub struct World {
    mac: MacAddress,
    own_addresses: HashSet<IpAddr>,
    forwards: bool,
    listening: HashSet<u16>,
    connections: HashSet<(IpAddr, u16, IpAddr, u16)>,
    awaits_cookies: bool,
    allowed: HashSet<IpAddr>,
    listened: HashSet<Listener>,
    spoken: HashSet<(IpAddr, u16, IpAddr, u16)>,
    bound: HashSet<u16>,
    refused: HashSet<u16>,
    banned: HashSet<IpAddr>,
    port_rules: HashMap<u16, PortRule>,
    policy: ClosedPorts,
    is_gateway: bool,
    is_learning: bool,
    is_silent_to_pings: bool,
    now: Cell<Nanos>,
    strays: RefCell<HashMap<Address, Budget>>,
    traces: RefCell<Traces>,
}

impl World {
    /// A host with this one address that listens on nothing, talks to nobody and does not forward.
    pub fn with_addresses(own: impl IntoIterator<Item = IpAddr>) -> World {
        World {
            mac: MacAddress(GUARDED_MAC),
            own_addresses: own.into_iter().collect(),
            forwards: false,
            listening: HashSet::new(),
            connections: HashSet::new(),
            awaits_cookies: false,
            allowed: HashSet::new(),
            listened: HashSet::new(),
            spoken: HashSet::new(),
            bound: HashSet::new(),
            refused: HashSet::new(),
            banned: HashSet::new(),
            port_rules: HashMap::new(),
            policy: ClosedPorts::default(),
            is_gateway: false,
            is_learning: false,
            is_silent_to_pings: false,
            now: Cell::new(Nanos(0)),
            strays: RefCell::new(HashMap::new()),
            traces: RefCell::default(),
        }
    }

    /// Lets a program listen on a port of the wildcard address: the socket table then has a listener for whatever
    /// address a segment is for, be it ours or not.
    #[must_use]
    pub fn listening(mut self, port: u16) -> World {
        self.listening.insert(port);
        self
    }

    /// Adds a connection in whatever state but LISTEN, as the guarded host sees it: remote side first.
    #[must_use]
    pub fn connected(mut self, remote: (IpAddr, u16), local: (IpAddr, u16)) -> World {
        self.connections.insert((remote.0, remote.1, local.0, local.1));
        self
    }

    /// Forwards whatever is for another address.
    #[must_use]
    pub fn forwarding(mut self) -> World {
        self.forwards = true;
        self
    }

    /// Takes every ACK that finds only a listener for the completion of a SYN cookie.
    #[must_use]
    pub fn awaiting_cookies(mut self) -> World {
        self.awaits_cookies = true;
        self
    }

    /// Never drops anything from this source.
    #[must_use]
    pub fn allowing(mut self, source: IpAddr) -> World {
        self.allowed.insert(source);
        self
    }

    /// Remembers that a program listened on the port over this family, and does no longer.
    #[must_use]
    pub fn having_listened(mut self, family: Family, port: u16) -> World {
        self.listened.insert(Listener::at(family, Port(port)));
        self
    }

    /// Remembers that this side spoke, over TCP, in a flow that no socket knows any more: remote side first.
    #[must_use]
    pub fn having_spoken(mut self, remote: (IpAddr, u16), local: (IpAddr, u16)) -> World {
        self.spoken.insert((remote.0, remote.1, local.0, local.1));
        self
    }

    /// Binds a program to a UDP port.
    #[must_use]
    pub fn bound(mut self, port: u16) -> World {
        self.bound.insert(port);
        self
    }

    /// Remembers that a port was refused a moment ago.
    #[must_use]
    pub fn having_refused(mut self, port: u16) -> World {
        self.refused.insert(port);
        self
    }

    /// Decides elsewhere that a port is closed.
    #[must_use]
    pub fn with_closed_ports(mut self, policy: ClosedPorts) -> World {
        self.policy = policy;
        self
    }

    /// Refuses new contacts of this source: over IPv6 of its whole network.
    #[must_use]
    pub fn banning(mut self, source: IpAddr) -> World {
        self.banned.insert(match source {
            IpAddr::V4(_) => source,
            IpAddr::V6(host) => ip(Address::v6(host.octets()).network()),
        });
        self
    }

    /// Says something of a port.
    #[must_use]
    pub fn with_port_rule(mut self, port: u16, rule: PortRule) -> World {
        self.port_rules.insert(port, rule);
        self
    }

    /// Judges what it forwards as well.
    #[must_use]
    pub fn as_gateway(mut self) -> World {
        self.is_gateway = true;
        self
    }

    /// Is guarded since just now.
    #[must_use]
    pub fn learning(mut self) -> World {
        self.is_learning = true;
        self
    }

    /// Answers no pings.
    #[must_use]
    pub fn silent_to_pings(mut self) -> World {
        self.is_silent_to_pings = true;
        self
    }

    /// Sets the clock.
    pub fn set_now(&self, now: Nanos) {
        self.now.set(now);
    }

    /// Replaces what is known of a source's strays.
    pub fn set_budget(&self, source: Address, budget: Budget) {
        self.strays.borrow_mut().insert(source, budget);
    }

    /// Judges one frame as the program in the kernel would.
    pub fn judge(&self, frame: &[u8]) -> Cause {
        self.reason(frame).cause
    }

    /// The same, and whose mark the frame bears.
    pub fn reason(&self, frame: &[u8]) -> Reason {
        self.reason_unless(frame, |_, _| false)
    }

    /// The same, but no mark is looked for in what is one too many of a crowd.
    pub fn reason_unless(&self, frame: &[u8], is_turned_away: impl FnOnce(&Packet, Cause) -> bool) -> Reason {
        match parse(frame) {
            Ok(packet) => {
                let asked = Asked { world: self, frame };
                let cause = decide(&packet, &asked);
                let mark = if mark::knocks(cause) && !is_turned_away(&packet, cause) {
                    mark::find(frame, &packet, &mut *self.traces.borrow_mut())
                } else {
                    Label::NONE
                };
                mark::settle(cause, mark, &packet, &asked)
            }
            Err(cause) => Reason::of(cause),
        }
    }
}

/// What sources left behind, each in a place of its own.
#[derive(Debug, Default)]
struct Traces {
    left: HashMap<u64, Left>,
    ballots: HashMap<u64, Ballot>,
}

impl mark::Traces for Traces {
    /// Nothing needs to be hidden: two sources share a place once in 2⁶⁴.
    fn spread(&self, address: Address) -> u64 {
        spread(address, 0)
    }

    fn left(&mut self, spread: u64) -> Option<&mut Left> {
        Some(self.left.entry(spread).or_default())
    }

    fn ballot(&mut self, spread: u64) -> Option<&mut Ballot> {
        Some(self.ballots.entry(spread).or_default())
    }

    fn knowledge(&self, _: bool) -> Knowledge {
        Knowledge::default()
    }
}

/// The world, asked about one frame.
struct Asked<'a> {
    world: &'a World,
    frame: &'a [u8],
}

impl Lookups for Asked<'_> {
    fn was_dropped_lately(&self, _: &Packet, _: Cause) -> bool {
        false
    }

    fn ban(&self, packet: &Packet) -> Option<Cause> {
        self.world.banned.contains(&ip(packet.sender())).then_some(Cause::Banned)
    }

    fn port_rule(&self, packet: &Packet) -> PortRule {
        self.world.port_rules.get(&packet.transport.ports.destination.0).copied().unwrap_or_default()
    }

    fn answers_pings(&self) -> bool {
        !self.world.is_silent_to_pings
    }

    fn is_closed(&self, packet: &Packet) -> bool {
        let refused = self.world.refused.contains(&packet.transport.ports.destination.0);
        self.world.policy.says_closed(|| refused)
    }

    fn is_learning(&self) -> bool {
        self.world.is_learning
    }

    fn socket(&self, packet: &Packet) -> Socket {
        let ports = packet.transport.ports;
        if packet.transport.protocol == IpProtocol::UDP {
            let is_bound = self.world.bound.contains(&ports.destination.0);
            return if is_bound { Socket::Listening } else { Socket::Absent };
        }
        if self.world.connections.contains(&name(packet)) {
            return Socket::Connected;
        }
        if self.world.listening.contains(&ports.destination.0) {
            let completes = self.world.awaits_cookies && packet.transport.segment.may_complete_handshake();
            return if completes { Socket::CompletesCookie } else { Socket::Listening };
        }
        Socket::Absent
    }

    fn destination(&self, packet: &Packet) -> Destination {
        let Some(mac) = link::destination(self.frame) else { return Destination::Unknown };
        let role = if self.world.is_gateway { Role::Gateway } else { Role::Host };
        role.settle(station(mac, self.world.mac).unwrap_or_else(|| {
            let destination = ip(packet.destination);
            let is_own = destination.is_loopback() || self.world.own_addresses.contains(&destination);
            match (self.world.forwards, is_own) {
                (false, _) => Destination::Ours,
                (true, true) => Destination::OursOrTranslated,
                (true, false) => Destination::Forwarded,
            }
        }))
    }

    fn allows(&self, source: Address) -> bool {
        self.world.allowed.contains(&ip(source))
    }

    fn has_spoken(&self, packet: &Packet) -> bool {
        self.world.spoken.contains(&name(packet))
    }

    fn listened_lately(&self, listener: Listener) -> bool {
        self.world.listened.contains(&listener)
    }

    fn spend_on_stray(&self, sender: Address) -> bool {
        let mut strays = self.world.strays.borrow_mut();
        let budget = strays.entry(sender).or_default();
        match budget.spend(self.world.now.get()) {
            Some(rest) => {
                *budget = rest;
                true
            }
            None => false,
        }
    }
}

/// A connection as this host names it, of the packet that comes in.
fn name(packet: &Packet) -> (IpAddr, u16, IpAddr, u16) {
    let ports = packet.transport.ports;
    (ip(packet.source), ports.source.0, ip(packet.destination), ports.destination.0)
}

/// An address as the standard library writes it.
fn ip(address: Address) -> IpAddr {
    let v6 = Ipv6Addr::from(address.bytes());
    v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), |v4: Ipv4Addr| IpAddr::V4(v4))
}
