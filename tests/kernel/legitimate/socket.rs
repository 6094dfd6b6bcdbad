//! Sockets on which something is set before they are bound or connected, which the standard library has no words for.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{self, Backlog, SetSockOpt, SockaddrStorage, setsockopt};
use scanguard_harness::Host;

use super::stage::patient;

/// A socket of a host, as yet without an address.
pub(crate) struct Socket(OwnedFd);

impl Socket {
    /// A TCP socket of the family that the address belongs to.
    pub(crate) fn tcp(host: &Host, family: IpAddr) -> Result<Socket> {
        Socket::new(host, family, libc::IPPROTO_TCP)
    }

    /// A Multipath TCP socket (RFC 8684).
    pub(crate) fn multipath_tcp(host: &Host, family: IpAddr) -> Result<Socket> {
        Socket::new(host, family, libc::IPPROTO_MPTCP)
    }

    /// A socket of the Stream Control Transmission Protocol (RFC 9260) that is used as one of TCP is.
    pub(crate) fn sctp(host: &Host, family: IpAddr) -> Result<Socket> {
        Socket::new(host, family, libc::IPPROTO_SCTP)
    }

    /// Sets an option.
    pub(crate) fn with<O: SetSockOpt>(self, option: O, value: &O::Val) -> Result<Socket> {
        setsockopt(&self.0, option, value).context("setting a socket option")?;
        Ok(self)
    }

    /// Gives it an address of its own.
    pub(crate) fn bound_to(self, address: impl Into<SocketAddr>) -> Result<Socket> {
        let address = address.into();
        socket::bind(self.0.as_raw_fd(), &SockaddrStorage::from(address))
            .with_context(|| format!("binding to {address}"))?;
        Ok(self)
    }

    /// Listens.
    pub(crate) fn listen(self) -> Result<TcpListener> {
        socket::listen(&self.0, Backlog::new(16)?).context("listening")?;
        Ok(self.0.into())
    }

    /// Connects.
    pub(crate) fn connect(self, to: SocketAddr) -> Result<TcpStream> {
        socket::connect(self.0.as_raw_fd(), &SockaddrStorage::from(to))
            .with_context(|| format!("connecting to {to}"))?;
        patient(self.0.into())
    }

    fn new(host: &Host, family: IpAddr, protocol: libc::c_int) -> Result<Socket> {
        let family = if family.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        host.within(|| {
            // SAFETY: the call takes three numbers and no pointer.
            let descriptor =
                unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, protocol) };
            let descriptor = Errno::result(descriptor)
                .with_context(|| format!("opening a socket of protocol {protocol} on {}", host.name()))?;
            // SAFETY: the kernel has just made it, so nobody else owns it.
            Ok(Socket(unsafe { OwnedFd::from_raw_fd(descriptor) }))
        })
    }
}
