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

    /// Signs what it says to a peer, and hears nothing of that peer which is not signed alike (RFC 2385).
    pub(crate) fn signing_for(self, peer: IpAddr) -> Result<Socket> {
        const KEY: &[u8] = b"a secret";
        const ADDRESS: usize = size_of::<libc::sockaddr_storage>();
        // `struct tcp_md5sig`: the family, a port that is not looked at, the address; lengths; the key.
        let mut signature = match peer {
            IpAddr::V4(peer) => {
                [&u16::try_from(libc::AF_INET)?.to_ne_bytes()[..], &[0; 2], &peer.octets()].concat()
            }
            IpAddr::V6(peer) => {
                [&u16::try_from(libc::AF_INET6)?.to_ne_bytes()[..], &[0; 6], &peer.octets()].concat()
            }
        };
        signature.resize(ADDRESS, 0);
        signature.extend([0; 2]);
        signature.extend(u16::try_from(KEY.len())?.to_ne_bytes());
        signature.extend([0; 4]);
        signature.extend(KEY);
        signature.resize(ADDRESS + 8 + 80, 0);
        // SAFETY: the kernel reads as many bytes as it is told, which live until it returns.
        let result = unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_MD5SIG,
                signature.as_ptr().cast(),
                libc::socklen_t::try_from(signature.len())?,
            )
        };
        Errno::result(result).context("having segments signed")?;
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
