//! The slow, obvious answer to every question that the engine asks.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use scanguard_common::cause::Cause;
use scanguard_common::decide::decide;
use scanguard_common::flow::{Destination, Lookups, Socket, station};
use scanguard_common::key::Address;
use scanguard_common::parse::link::{self, MacAddress};
use scanguard_common::parse::transport::Port;
use scanguard_common::parse::{Packet, parse};
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
    listened: HashSet<u16>,
    spoken: HashSet<(IpAddr, u16, IpAddr, u16)>,
    now: Cell<Nanos>,
    strays: RefCell<HashMap<Address, Budget>>,
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
            now: Cell::new(Nanos(0)),
            strays: RefCell::new(HashMap::new()),
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

    /// Remembers that a program listened on the port, and does no longer.
    #[must_use]
    pub fn having_listened(mut self, port: u16) -> World {
        self.listened.insert(port);
        self
    }

    /// Remembers that this side spoke, over TCP, in a flow that no socket knows any more: remote side first.
    #[must_use]
    pub fn having_spoken(mut self, remote: (IpAddr, u16), local: (IpAddr, u16)) -> World {
        self.spoken.insert((remote.0, remote.1, local.0, local.1));
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
        match parse(frame) {
            Ok(packet) => decide(&packet, &Asked { world: self, frame }),
            Err(cause) => cause,
        }
    }
}

/// The world, asked about one frame.
struct Asked<'a> {
    world: &'a World,
    frame: &'a [u8],
}

impl Lookups for Asked<'_> {
    fn socket(&self, packet: &Packet) -> Socket {
        let ports = packet.transport.ports;
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
        station(mac, self.world.mac).unwrap_or_else(|| {
            let destination = ip(packet.destination);
            let is_own = destination.is_loopback() || self.world.own_addresses.contains(&destination);
            match (self.world.forwards, is_own) {
                (false, _) => Destination::Ours,
                (true, true) => Destination::OursOrTranslated,
                (true, false) => Destination::Forwarded,
            }
        })
    }

    fn allows(&self, source: Address) -> bool {
        self.world.allowed.contains(&ip(source))
    }

    fn has_spoken(&self, packet: &Packet) -> bool {
        self.world.spoken.contains(&name(packet))
    }

    fn listened_lately(&self, port: Port) -> bool {
        self.world.listened.contains(&port.0)
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
