//! Frames as they are on the cable, past every protocol of the sending host.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, setsockopt, socket, sockopt};

use crate::Host;

/// Room for some hundred thousand small frames that nobody has read yet.
const CAPTURE_BUFFER: usize = 256 << 20;

/// Longer than any frame on the cable.
const LONGEST_FRAME: usize = 65_536;

/// Puts frames on the cable as they are.
#[derive(Debug)]
pub struct Injector {
    socket: File,
}

impl Injector {
    /// Opens an interface of a host for sending.
    ///
    /// # Errors
    ///
    /// Fails when there is no such interface.
    pub fn on(host: &Host, interface: &str) -> Result<Self> {
        // Protocol 0 receives nothing: an injector must not fill up with what it never reads.
        let socket = host.within(|| open(interface, 0)).with_context(|| describe(host, interface))?;
        Ok(Self { socket: socket.into() })
    }

    /// Sends one frame, from its Ethernet header to the end of its payload.
    ///
    /// # Errors
    ///
    /// Fails when the interface does not take it: it is down, or the frame is shorter than an Ethernet header or longer
    /// than the MTU.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        let sent = (&self.socket)
            .write(frame)
            .with_context(|| format!("sending a frame of {} bytes", frame.len()))?;
        ensure!(sent == frame.len(), "only {sent} bytes of a frame of {} were sent", frame.len());
        Ok(())
    }
}

/// Sees every frame that arrives at an interface, before any protocol of the host does.
///
/// What the host itself sends is not recorded, and the outermost VLAN tag is already taken off.
#[derive(Debug)]
pub struct Capture {
    socket: File,
}

impl Capture {
    /// Starts recording what arrives at an interface of a host.
    ///
    /// # Errors
    ///
    /// Fails when there is no such interface.
    pub fn on(host: &Host, interface: &str) -> Result<Self> {
        let everything = u16::try_from(libc::ETH_P_ALL).context("ETH_P_ALL is a 16-bit number")?;
        let socket =
            host.within(|| open(interface, everything)).with_context(|| describe(host, interface))?;
        setsockopt(&socket, sockopt::RcvBufForce, &CAPTURE_BUFFER).context("enlarging a capture buffer")?;
        ignore_outgoing(&socket).context("capturing only what arrives")?;
        Ok(Self { socket: socket.into() })
    }

    /// Waits for `time` to pass and returns all frames recorded since the last call.
    ///
    /// # Errors
    ///
    /// Fails when frames were lost, so that silence is never mistaken for proof.
    pub fn frames_after(&self, time: Duration) -> Result<Vec<Vec<u8>>> {
        std::thread::sleep(time);
        let mut frames = Vec::new();
        while let Some(frame) = self.next(Duration::ZERO)? {
            frames.push(frame);
        }
        ensure!(self.lost()? == 0, "the capture lost frames: its buffer was full");
        Ok(frames)
    }

    /// Does the same as [`frames_after`](Self::frames_after), but leaves out what neighbours say unasked: ARP, neighbour
    /// discovery, multicast reports.
    ///
    /// # Errors
    ///
    /// Fails when frames were lost.
    pub fn answers_after(&self, time: Duration) -> Result<Vec<Vec<u8>>> {
        let mut frames = self.frames_after(time)?;
        frames.retain(|frame| !is_neighbours_talk(frame));
        Ok(frames)
    }

    /// Waits until a frame arrives that `wanted` accepts, and forgets the ones before it; `None` when time is up.
    ///
    /// # Errors
    ///
    /// Fails when the interface is gone.
    pub fn wait_for(
        &self,
        limit: Duration,
        mut wanted: impl FnMut(&[u8]) -> bool,
    ) -> Result<Option<Vec<u8>>> {
        let deadline = Instant::now() + limit;
        while let Some(frame) = self.next(deadline.saturating_duration_since(Instant::now()))? {
            if wanted(&frame) {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    fn next(&self, limit: Duration) -> Result<Option<Vec<u8>>> {
        let mut ready = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        let limit = u16::try_from(limit.as_millis()).context("a capture waits a minute at most")?;
        if poll(&mut ready, limit).context("waiting for a frame")? == 0 {
            return Ok(None);
        }
        let mut frame = vec![0; LONGEST_FRAME];
        let length = (&self.socket).read(&mut frame).context("reading a frame")?;
        frame.truncate(length);
        Ok(Some(frame))
    }

    /// How many frames the full buffer refused since the last call.
    fn lost(&self) -> Result<u32> {
        let mut statistics = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let mut length = libc::socklen_t::try_from(size_of_val(&statistics))?;
        // SAFETY: the kernel writes at most `length` bytes, the size of the record that the pointer is to.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &raw mut length,
            )
        };
        Errno::result(result).context("reading the statistics of a capture")?;
        Ok(statistics.tp_drops)
    }
}

fn is_neighbours_talk(frame: &[u8]) -> bool {
    const HOP_BY_HOP: u8 = 0;
    const ICMPV6: u8 = 58;
    let is_discovery = |kind: Option<&u8>| matches!(kind, Some(130..=137 | 143));
    match frame.get(12..14) {
        Some([0x08, 0x06]) => true,
        // Multicast reports carry a router alert, a hop-by-hop option of eight bytes.
        Some([0x86, 0xdd]) => match frame.get(20) {
            Some(&HOP_BY_HOP) => frame.get(54) == Some(&ICMPV6) && is_discovery(frame.get(62)),
            Some(&ICMPV6) => is_discovery(frame.get(54)),
            _ => false,
        },
        _ => false,
    }
}

/// Opens a packet socket bound to an interface of the calling thread's network namespace.
fn open(interface: &str, protocol: u16) -> Result<OwnedFd> {
    // Bound before it receives anything, so that it never records from another interface.
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None::<SockProtocol>)?;
    let address = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET)?,
        sll_protocol: protocol.to_be(),
        sll_ifindex: if_nametoindex(interface)?.try_into()?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = libc::socklen_t::try_from(size_of_val(&address))?;
    // SAFETY: the pointer is to a `sockaddr_ll` on this stack, and `length` is its size.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    Errno::result(result)?;
    Ok(socket)
}

fn ignore_outgoing(socket: &OwnedFd) -> io::Result<()> {
    /// From `linux/if_packet.h`.
    const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
    let on: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of_val(&on)).map_err(io::Error::other)?;
    // SAFETY: the pointer is to an int on this stack, and `length` is its size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            PACKET_IGNORE_OUTGOING,
            (&raw const on).cast(),
            length,
        )
    };
    Errno::result(result)?;
    Ok(())
}

fn describe(host: &Host, interface: &str) -> String {
    format!("opening interface {interface} of {}", host.name())
}
