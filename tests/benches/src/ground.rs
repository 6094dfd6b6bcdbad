//! What single paths are measured on: a host with real sockets, and those who send to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use anyhow::{Context, Result};
use scanguard_harness::{GUARDED_V4, GUARDED_V6, Lab};

/// A TCP port where a program listens.
pub(crate) const OPEN: u16 = 80;
/// A UDP port that a program is bound to.
pub(crate) const BOUND: u16 = 53;
/// A port where nothing listens.
pub(crate) const CLOSED: u16 = 9;

/// The lab, with a listener, a bound socket and a connection over each family.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) lab: Lab,
    _listener: TcpListener,
    _bound: UdpSocket,
    connections: Vec<(TcpStream, TcpStream)>,
}

/// One end of a connection.
pub(crate) type End = (IpAddr, u16);

impl Ground {
    pub(crate) fn prepare() -> Result<Ground> {
        let lab = Lab::new()?;
        let any = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let listener = lab.guarded.within(|| TcpListener::bind(any(OPEN)))?;
        let bound = lab.guarded.within(|| UdpSocket::bind(any(BOUND)))?;
        let mut connections = Vec::new();
        for address in [IpAddr::from(GUARDED_V4), GUARDED_V6.into()] {
            let client = lab.outside.within(|| TcpStream::connect((address, OPEN)))?;
            connections.push((client, listener.accept()?.0));
        }
        Ok(Ground { lab, _listener: listener, _bound: bound, connections })
    }

    /// Both ends of the connection over a family: the outside one, and the guarded host's.
    pub(crate) fn connection(&self, family: Family) -> Result<(End, End)> {
        let is_of_family = |(address, _): &End| address.is_ipv4() == (family == Family::V4);
        let mut ends = self.connections.iter().map(|(client, server)| Ok((end(client)?, end(server)?)));
        let found =
            ends.find(|ends: &Result<_>| ends.as_ref().map_or(true, |(outside, _)| is_of_family(outside)));
        found.context("there is a connection over each family")?
    }
}

fn end(stream: &TcpStream) -> Result<End> {
    let address = stream.local_addr()?;
    Ok((address.ip().to_canonical(), address.port()))
}

/// Which IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// How many strangers come; those with higher numbers never do, and may be on lists.
pub(crate) const STRANGERS: u32 = 3 << 22;

impl Family {
    /// A source that was banned, and is no stranger.
    pub(crate) fn banned(self) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::new(203, 0, 113, 66).into(),
            Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 1).into(),
        }
    }

    /// One that the operator banned.
    pub(crate) fn denied(self) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::new(203, 0, 113, 67).into(),
            Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 1, 0, 0, 0, 1).into(),
        }
    }

    /// A source of so many, far from the others' networks. Only the number's upper 24 bits count.
    pub(crate) fn stranger(self, number: u32) -> IpAddr {
        const FIRST: u8 = 100;
        let number = number & !0xff | u32::from(FIRST);
        match self {
            Family::V4 => Ipv4Addr::from(number.to_le_bytes()).into(),
            Family::V6 => {
                let [a, b, c, d] = number.to_le_bytes();
                let mut address = [0; 16];
                address[..8].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8, a, b, c, d]);
                Ipv6Addr::from(address).into()
            }
        }
    }
}
