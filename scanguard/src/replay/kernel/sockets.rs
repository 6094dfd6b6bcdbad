//! Real sockets for the program to find.
//!
//! A connection to somewhere that does not exist is made by `TCP_REPAIR`: the kernel then takes it for established
//! without sending anything, and forgets it without a word when it is closed.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::sys::socket::sockopt::{ReuseAddr, TcpRepair};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, connect, listen,
    setsockopt, socket,
};
use scanguard_common::flow::Socket;
use scanguard_common::key::Address;
use scanguard_common::parse::Packet;
use scanguard_common::parse::network::{Family, IpProtocol};
use scanguard_common::speech::Flow;

use super::super::lately::Lately;
use super::ground::LOOPBACK;
use crate::prefix;

/// Those that are open now. A process may have a thousand files open, unless its limit was raised.
pub(super) struct Sockets {
    connections: Lately<Flow, OwnedFd>,
    listeners: Lately<u16, OwnedFd>,
    bound: Lately<u16, OwnedFd>,
}

const AT_ONCE: u32 = 256;

impl Default for Sockets {
    fn default() -> Sockets {
        Sockets {
            connections: Lately::new(AT_ONCE),
            listeners: Lately::new(AT_ONCE),
            bound: Lately::new(AT_ONCE),
        }
    }
}

impl Sockets {
    /// Makes sure that the look-up for this packet finds just that. Says whether it could be done.
    pub(super) fn arrange(&mut self, packet: &Packet, wanted: Socket) -> bool {
        match packet.transport.protocol {
            IpProtocol::TCP => {}
            IpProtocol::UDP => return self.arrange_bound(packet, wanted),
            _ => return true,
        }
        let (flow, port) = (Flow::of_incoming(packet), packet.transport.ports.destination.0);
        if wanted != Socket::Connected {
            self.connections.remove(&flow);
        }
        match wanted {
            Socket::Connected => {
                self.connections.touch(&flow).is_some()
                    || keep(&mut self.connections, flow, connection(packet))
            }
            Socket::Listening => {
                self.listeners.touch(&port).is_some()
                    || keep(&mut self.listeners, port, listener(packet, port))
            }
            Socket::Absent => {
                self.listeners.remove(&port);
                true
            }
            Socket::CompletesCookie => false, // the kernel alone makes cookies
        }
    }

    /// The same of a datagram: of UDP, the model knows of ports that are bound, and of no more.
    fn arrange_bound(&mut self, packet: &Packet, wanted: Socket) -> bool {
        let port = packet.transport.ports.destination.0;
        match wanted {
            Socket::Listening => {
                self.bound.touch(&port).is_some() || keep(&mut self.bound, port, bound(packet, port))
            }
            Socket::Absent => {
                self.bound.remove(&port);
                true
            }
            Socket::Connected | Socket::CompletesCookie => false,
        }
    }
}

fn keep<K: Copy + Eq + Hash>(cache: &mut Lately<K, OwnedFd>, key: K, made: nix::Result<OwnedFd>) -> bool {
    match made {
        Ok(socket) => {
            cache.put(key, socket);
            true
        }
        Err(errno) => {
            tracing::info!("a socket could not be made: {errno}");
            false
        }
    }
}

/// A connection between this host and the sender of a packet.
fn connection(packet: &Packet) -> nix::Result<OwnedFd> {
    let ports = packet.transport.ports;
    let local = end(packet.destination, ports.destination.0);
    let remote = end(packet.source, ports.source.0);
    let socket = made(packet.family, STREAM)?;
    setsockopt(&socket, TcpRepair, &1)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(local))?;
    connect(socket.as_raw_fd(), &SockaddrStorage::from(remote))?;
    Ok(socket)
}

/// A listener on all addresses of the packet's family.
fn listener(packet: &Packet, port: u16) -> nix::Result<OwnedFd> {
    let socket = on_all_addresses(packet, port, STREAM)?;
    listen(&socket, Backlog::new(1)?)?;
    Ok(socket)
}

/// A socket for datagrams from everybody.
fn bound(packet: &Packet, port: u16) -> nix::Result<OwnedFd> {
    on_all_addresses(packet, port, (SockType::Datagram, SockProtocol::Udp))
}

fn on_all_addresses(packet: &Packet, port: u16, kind: (SockType, SockProtocol)) -> nix::Result<OwnedFd> {
    // Only the wildcard of IPv6 serves both families.
    let socket = made(Family::V6, kind).or_else(|_| made(packet.family, kind))?;
    setsockopt(&socket, ReuseAddr, &true)?;
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    bind(socket.as_raw_fd(), &SockaddrStorage::from(any))?;
    Ok(socket)
}

const STREAM: (SockType, SockProtocol) = (SockType::Stream, SockProtocol::Tcp);

fn made(family: Family, (kind, protocol): (SockType, SockProtocol)) -> nix::Result<OwnedFd> {
    let family = match family {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    };
    socket(family, kind, SockFlag::SOCK_CLOEXEC, protocol)
}

/// An address as sockets take it: one that is valid on a link only with the link.
fn end(address: Address, port: u16) -> SocketAddr {
    match prefix::address(address.bytes()) {
        IpAddr::V4(address) => SocketAddrV4::new(address, port).into(),
        IpAddr::V6(address) => {
            let scope = if address.is_unicast_link_local() { LOOPBACK } else { 0 };
            SocketAddrV6::new(address, port, 0, scope).into()
        }
    }
}
