//! What the host is going to say.
//!
//! A capture begins in the middle of things: connections exist that it never saw opened, and ports are open before
//! anything left them. What the host says later tells. So a second reader goes ahead of the first, as far as a bounded
//! table reaches: over the whole of most captures, and over the next million packets of a larger one.

use std::fs;
use std::path::Path;

use scanguard_common::classify::flags::TcpFlags;
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::parse::{Packet, parse};
use scanguard_common::refusal::{Leaving, Refusal, leaving};
use scanguard_common::speech::Flow;

use super::doors;
use super::end::End;
use super::lately::Lately;
use super::local::Local;
use crate::capture::Capture;
use crate::error::Error;

/// What the host says next in a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// SYN: it opens a connection.
    Opens,
    /// SYN/ACK: it accepts one.
    Accepts,
    /// Anything else that only a connection sends.
    Carries,
    /// RST: there is nothing, or nothing any more.
    Refuses,
}

/// The reader that goes ahead, and what it has found.
pub(super) struct Foresight {
    /// Gone once it is at the end, or where the file can be read only once.
    ahead: Option<Capture>,
    local: Local,
    flows: Lately<Flow, Coming>,
    ports: Lately<End, FirstAnswer>,
    /// How many frames it has read.
    read: u64,
    /// How many frames were judged, the present one included.
    present: u64,
}

/// What this side says in a flow, by the numbers of the frames, which begin at 1.
#[derive(Clone, Copy, Debug, Default)]
struct Coming {
    first: Option<(u64, Next)>,
    first_refusal: Option<u64>,
    last_carried: u64,
}

/// The first answer that a port gave: in which frame, and whether it was open.
type FirstAnswer = (u64, bool);

/// How many frames the reader is ahead.
const LEAD: u64 = 1 << 20;
/// How many flows it keeps in mind, and how many ports: what the lead has where every fourth packet is of another flow, and
/// half as many, because flows that it has read of twice stay longer.
const FLOWS: u32 = 3 << 17;

impl Foresight {
    /// Begins to read ahead, where the file can be read twice.
    pub(super) fn of(path: &Path, local: &Local) -> Result<Foresight, Error> {
        let again = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
        let ahead = if again { Some(Capture::open(path)?) } else { None };
        Ok(Foresight {
            ahead,
            local: local.clone(),
            flows: Lately::new(FLOWS),
            ports: Lately::new(FLOWS),
            read: 0,
            present: 0,
        })
    }

    /// Which frame is judged now, from 1.
    pub(super) fn present(&self) -> u64 {
        self.present
    }

    /// Goes on to the next frame.
    pub(super) fn advance(&mut self) {
        self.present += 1;
        while self.read < self.present + LEAD && self.read_one() {}
    }

    /// What the host says next in this flow, as far as is known.
    pub(super) fn next(&self, flow: &Flow) -> Option<Next> {
        let coming = self.flows.get(flow)?;
        let speech = coming.first.filter(|(number, _)| *number > self.present);
        let refusal = coming.first_refusal.filter(|number| *number > self.present);
        match (speech, refusal) {
            (Some((spoken, _)), Some(refused)) if refused < spoken => Some(Next::Refuses),
            (Some((_, next)), _) => Some(next),
            (None, Some(_)) => Some(Next::Refuses),
            (None, None) => None,
        }
    }

    /// Whether the host goes on to say more than an answer to a SYN.
    pub(super) fn carries(&self, flow: &Flow) -> bool {
        self.flows.get(flow).is_some_and(|coming| coming.last_carried > self.present)
    }

    /// Whether a port that has not answered yet will be open when it does.
    pub(super) fn will_open(&self, end: End) -> bool {
        self.ports.get(&end).is_some_and(|(number, open)| *number > self.present && *open)
    }

    /// Reads one frame, and says whether there may be more. That the file is damaged the other reader will find out.
    fn read_one(&mut self) -> bool {
        let Some(capture) = &mut self.ahead else { return false };
        let Ok(Some(record)) = capture.next() else {
            self.ahead = None;
            return false;
        };
        self.read += 1;
        let Ok(packet) = parse(&record.frame) else { return true };
        let (leaves, _) = doors(&record.frame, Some(&packet), &self.local);
        if leaves {
            let number = self.read;
            if let Some(end) = End::refused_by(&record.frame, &packet) {
                self.ports.touch_or(end, || (number, false));
            }
            if let Some(next) = said(&packet) {
                self.note(&packet, next);
            }
        }
        true
    }

    fn note(&mut self, packet: &Packet, next: Next) {
        let number = self.read;
        let coming = self.flows.touch_or(Flow::of_outgoing(packet), Coming::default);
        match next {
            Next::Refuses => {
                coming.first_refusal.get_or_insert(number);
            }
            Next::Opens | Next::Accepts | Next::Carries => {
                coming.first.get_or_insert((number, next));
            }
        }
        let is_datagram = packet.transport.protocol == IpProtocol::UDP;
        match next {
            // One datagram may be the answer to a probe.
            Next::Carries if !is_datagram || coming.first.is_some_and(|(first, _)| first < number) => {
                coming.last_carried = number;
            }
            Next::Carries | Next::Accepts | Next::Opens | Next::Refuses => {}
        }
        if is_datagram || next == Next::Accepts {
            self.ports.touch_or(End::behind(packet), || (number, true));
        }
    }
}

/// What a packet that leaves says of its flow.
fn said(packet: &Packet) -> Option<Next> {
    let flags = packet.transport.segment.flags;
    match leaving(packet) {
        Leaving::Speech if packet.transport.protocol != IpProtocol::TCP => Some(Next::Carries),
        Leaving::Speech if !flags.has(TcpFlags::SYN) => Some(Next::Carries),
        Leaving::Speech if flags.has(TcpFlags::ACK) => Some(Next::Accepts),
        Leaving::Speech => Some(Next::Opens),
        Leaving::Refusal(Refusal::ClosedPort | Refusal::Stray) => Some(Next::Refuses),
        Leaving::Refusal(Refusal::Unreachable | Refusal::Abort) | Leaving::Other => None,
    }
}
