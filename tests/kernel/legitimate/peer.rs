//! A peer whose TCP is our own: it says what no socket of this kernel says, and other systems do.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use scanguard_common::classify::flags::TcpFlags;
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::parse::parse;
use scanguard_common::parse::transport::Segment;
use scanguard_harness::{Capture, Frame, GUARDED_MAC, Host, INTERFACE, Injector, OUTSIDE_MAC, Tcp};

use super::stage::PATIENCE;

/// The addresses of peers, which no host has, so that no kernel answers in their place.
const PEERS: [&str; 2] = ["10.77.0.99", "fd77::99"];

/// What every stack offers since 1983, and no more (RFC 9293 §3.7.1).
pub(super) const MSS: [u8; 4] = [2, 4, 0x05, 0xb4];

/// One connection of such a peer.
pub(super) struct Peer {
    injector: Injector,
    capture: Capture,
    from: SocketAddr,
    to: SocketAddr,
    /// The number of the next byte that it says.
    next: u32,
    /// The number of the next byte that it expects.
    expected: u32,
}

impl Peer {
    /// A peer on the cable between the hosts that will talk to this address of the guarded host.
    pub(super) fn of(guarded: &Host, outside: &Host, port: u16, to: SocketAddr) -> Result<Peer> {
        let [v4, v6] = PEERS;
        let address: IpAddr = if to.is_ipv4() { v4 } else { v6 }.parse()?;
        let mac = OUTSIDE_MAC.map(|byte| format!("{byte:02x}")).join(":");
        guarded.ip(&format!("neigh replace {address} lladdr {mac} dev {INTERFACE} nud permanent"))?;
        Ok(Peer {
            injector: Injector::on(outside, INTERFACE)?,
            capture: Capture::on(outside, INTERFACE)?,
            from: (address, port).into(),
            to,
            next: 0x1000_0000,
            expected: 0,
        })
    }

    /// The number of the next byte that it says.
    pub(super) fn sequence(&self) -> u32 {
        self.next
    }

    /// A segment that goes on where the last one ended.
    pub(super) fn segment(&self, flags: &str) -> Tcp {
        let acknowledged = if flags.contains('A') { self.expected } else { 0 };
        Frame::between(self.from.ip(), self.to.ip())
            .tcp(self.from.port(), self.to.port())
            .flags(flags)
            .seq(self.next)
            .ack(acknowledged)
    }

    /// Sends a segment as it is.
    pub(super) fn send(&self, segment: &Tcp) -> Result<()> {
        self.injector.send(&segment.build())
    }

    /// Sends a segment without options cut in two, as a router does whose next link is small: the header and a little
    /// of what follows, and the rest.
    pub(super) fn send_in_two(&self, segment: &Tcp) -> Result<()> {
        const FIRST: usize = 32;
        let (ip, behind) =
            (Frame::between(self.from.ip(), self.to.ip()), if self.to.is_ipv4() { 34 } else { 54 });
        let segment = segment.build().split_off(behind);
        let (first, rest) = segment.split_at_checked(FIRST).context("too short to be cut")?;
        for (offset, more, part) in [(0, true, first), (FIRST / 8, false, rest)] {
            let fragment = ip.clone().fragment(u16::try_from(offset)?, more);
            self.injector.send(&fragment.build(IpProtocol::TCP.0, part))?;
        }
        Ok(())
    }

    /// Asks for a connection with this SYN, and hears that it is granted.
    pub(super) fn asks(&mut self, syn: &Tcp) -> Result<()> {
        self.send(syn)?;
        let answer = self.hears(TcpFlags::SYN | TcpFlags::ACK).context("waiting for SYN and ACK")?;
        self.next += 1;
        self.expected = answer.sequence.wrapping_add(1);
        ensure!(answer.acknowledgement == self.next, "the SYN was not acknowledged: {answer:?}");
        Ok(())
    }

    /// Opens a connection as most do.
    pub(super) fn opens(&mut self) -> Result<()> {
        self.asks(&self.segment("S").options(&MSS))?;
        self.send(&self.segment("A"))
    }

    /// Says something with these flags to a service that sends it back, and hears that.
    pub(super) fn says(&mut self, flags: &str, words: &str) -> Result<()> {
        self.send(&self.segment(flags).payload(words.as_bytes()))?;
        self.heard(words)
    }

    /// Hears that something was said, and acknowledges that.
    pub(super) fn heard(&mut self, words: &str) -> Result<()> {
        self.hears(TcpFlags::PSH | TcpFlags::ACK).with_context(|| format!("waiting for {words:?}"))?;
        let length = u32::try_from(words.len())?;
        (self.next, self.expected) = (self.next + length, self.expected.wrapping_add(length));
        self.send(&self.segment("A"))
    }

    /// Ends a connection, with these flags, after the other side has ended it too.
    pub(super) fn ends(&mut self, flags: &str) -> Result<()> {
        self.send(&self.segment(flags))?;
        self.hears(TcpFlags::FIN | TcpFlags::ACK).context("waiting for FIN")?;
        (self.next, self.expected) = (self.next + 1, self.expected.wrapping_add(1));
        self.send(&self.segment("A"))
    }

    /// Waits for a segment with all of these flags.
    pub(super) fn hears(&self, flags: u16) -> Result<Segment> {
        let mut heard = None;
        self.capture.wait_for(PATIENCE, |frame| {
            let is_from_there = frame.get(6..12) == Some(&GUARDED_MAC);
            let segment = parse(frame).ok().filter(|packet| {
                let ports = packet.transport.ports;
                (ports.source.0, ports.destination.0) == (self.to.port(), self.from.port())
            });
            heard = segment.map(|packet| packet.transport.segment).filter(|segment| segment.flags.has(flags));
            is_from_there && heard.is_some()
        })?;
        heard.with_context(|| format!("nothing with the flags {flags:#x} came"))
    }
}
