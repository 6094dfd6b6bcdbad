//! Runs the engine over a capture: what would have been dropped, from whom, and what that would have cost.
//!
//! The doors are those of the programs in the kernel, in the same order and on the same functions. What they ask the
//! kernel there they ask here, by [`lookup`], a model of the [`host`] behind the capture, which learns of its
//! connections and ports from what it said, and keeps evidence in a [`ledger`] and [`traces`]: [`connection`] knows a
//! connection by its segments, [`dropped`] what would not have been said, [`end`] a port by a packet, [`foresight`] reads
//! ahead for what the model cannot know yet. All of them remember what was seen [`lately`], in memory that does not grow
//! with the capture. What came of it is a [`report`]. [`kernel`] has the real program judge the same frames.

mod connection;
mod dropped;
mod end;
mod foresight;
mod host;
mod kernel;
mod lately;
pub(crate) mod ledger;
mod local;
mod lookup;
pub(crate) mod policy;
pub(crate) mod report;
mod traces;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use scanguard_common::cause::{Action, Cause};
use scanguard_common::classify::flags::TcpFlags;
use scanguard_common::decide::decide;
use scanguard_common::evidence::{Kind, name_quoted};
use scanguard_common::frame::Frame as _;
use scanguard_common::mark::{self, Reason};
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::parse::{Packet, parse};
use scanguard_common::refusal::{Leaving, leaving, silence};
use scanguard_common::speech::Flow;

use crate::capture::{Capture, CapturedFrame, Damage, Record, Way};
use crate::error::Error;
use crate::incident;
use foresight::Foresight;
use host::Host;
use kernel::Kernel;
pub(crate) use local::Local;
use local::is_loopback;
use lookup::{Incoming, Outgoing};
use policy::Choices;
use report::Report;

/// What is replayed, and as whom.
pub(crate) struct Replay {
    /// The capture.
    pub(crate) path: PathBuf,
    /// Which addresses are those of the host.
    pub(crate) local: Local,
    /// What its operator chose.
    pub(crate) choices: Choices,
    /// Whether the program in the kernel judges too.
    pub(crate) with_kernel: bool,
}

/// What came of it.
pub(crate) struct Outcome {
    /// As far as the capture could be read.
    pub(crate) report: Report,
    /// Why it could not be read to its end, where it could not.
    pub(crate) damage: Option<Damage>,
}

impl Replay {
    /// Judges every frame of the capture until it is at its end, or `stop` is set. Where the kernel is to judge it too,
    /// the calling thread does not leave the network namespace again that this is done in.
    ///
    /// # Errors
    ///
    /// Those of [`Capture::open`] and [`Kernel::prepare`], and [`Error::Disagreement`] where engine and kernel differ.
    pub(crate) fn run(self, stop: &AtomicBool) -> anyhow::Result<Outcome> {
        let mut capture = Capture::open(&self.path)?;
        let foresight = Foresight::of(&self.path, &self.local)?;
        let mut kernel = if self.with_kernel { Some(Kernel::prepare(&self.choices)?) } else { None };
        let mut host = Host::new(self.local, self.choices, foresight);
        let mut report = Report::default();
        let damage = loop {
            if stop.load(Ordering::Relaxed) {
                break None;
            }
            match capture.next() {
                Ok(Some(record)) => judge(&record, &mut host, &mut report, kernel.as_mut())?,
                Ok(None) => break None,
                Err(damage) => break Some(damage),
            }
        };
        report.unsupported = capture.unsupported();
        report.blind = host.is_blind();
        report.incidents = incident::merged(host.incidents());
        report.kernel = kernel.map(|kernel| kernel.judged());
        Ok(Outcome { report, damage })
    }
}

/// Takes one frame to the door that it passes, or to both where it stays among the addresses of the host.
fn judge(
    record: &Record<'_>,
    host: &mut Host,
    report: &mut Report,
    mut kernel: Option<&mut Kernel>,
) -> anyhow::Result<()> {
    let frame = &record.frame;
    host.advance(record.time);
    report.see(record.time);
    let packet = parse(frame);
    let (leaves, arrives) = doors(frame, packet.as_ref().ok(), host.local());
    if !leaves && !arrives {
        report.within += 1;
    }
    if leaves {
        go_out(frame, packet.as_ref().ok(), host, report, kernel.as_deref_mut())?;
    }
    if arrives {
        come_in(frame, packet.as_ref().map_err(|cause| *cause), host, report, kernel)?;
    }
    Ok(())
}

/// Which doors a frame passes: out, in.
///
/// A capture may say so itself. Else what comes from the host leaves, and all else arrives, be it for the host or only
/// overheard. What goes from one of its addresses to another does both, but for what cannot leave a host: its loopback
/// interface has no doors.
fn doors(frame: &CapturedFrame<'_>, packet: Option<&Packet>, local: &Local) -> (bool, bool) {
    if packet.is_some_and(|packet| is_loopback(packet.source) && is_loopback(packet.destination)) {
        return (false, false);
    }
    if let Some(way) = frame.way() {
        return (way == Way::Out, way == Way::In);
    }
    let Some(packet) = packet else { return (false, true) };
    let leaves = local.contains(packet.source);
    (leaves, !leaves || local.contains(packet.destination))
}

/// The first door: `scanguard_in`.
fn come_in(
    frame: &CapturedFrame<'_>,
    parsed: Result<&Packet, Cause>,
    host: &mut Host,
    report: &mut Report,
    kernel: Option<&mut Kernel>,
) -> anyhow::Result<()> {
    if let Ok(packet) = parsed
        && host.would_not_come(packet, &Flow::of_incoming(packet))
    {
        report.unasked += 1;
        return Ok(());
    }
    let scene = kernel.as_ref().map(|_| host.scene_of_incoming(frame, parsed.ok()));
    let (cause, reason) = match parsed {
        Ok(packet) => {
            let cause = decide(packet, &Incoming::new(host, frame));
            if host.turns_away(packet, cause) {
                (cause, None)
            } else {
                let mark = host.find_mark(frame, packet, cause);
                let reason = mark::settle(cause, mark, packet, &Incoming::new(host, frame));
                (reason.cause, Some(reason))
            }
        }
        Err(cause) => (cause, None),
    };
    if let Some((kernel, scene)) = kernel.zip(scene) {
        kernel.agree_on_incoming(frame, parsed.ok(), &scene, cause)?;
    }
    report.count_incoming(cause, frame.length());
    if let Ok(packet) = parsed {
        if let Some((kind, reason)) = reason.and_then(|reason| Some((reason.kind()?, reason))) {
            report.tell(host.hold(packet, kind, &reason));
        }
        let flow = Flow::of_incoming(packet);
        host.pass_or_drop(packet, &flow, cause.action());
        if cause.action() == Action::Drop {
            report.drop_of(packet, cause, host.now());
            if host.carries(&flow) {
                report.lose(packet, cause, host.now());
            }
        }
        host.hear(packet, &flow);
    }
    Ok(())
}

/// The second door: `scanguard_out`.
fn go_out(
    frame: &CapturedFrame<'_>,
    packet: Option<&Packet>,
    host: &mut Host,
    report: &mut Report,
    kernel: Option<&mut Kernel>,
) -> anyhow::Result<()> {
    let Some(packet) = packet else {
        report.count_outgoing(None, frame.length());
        return Ok(());
    };
    let flow = Flow::of_outgoing(packet);
    let leaving = leaving(packet);
    if host.would_not_say(packet, &flow, leaving) {
        report.unasked += 1;
        return Ok(());
    }
    if matches!(leaving, Leaving::Refusal(_)) && host.answers_in_vain(&flow) {
        // What it answers would not have arrived.
        report.unasked += 1;
        host.say(frame, packet, &flow);
        return Ok(());
    }
    let scene = kernel.as_ref().map(|_| host.scene_of_outgoing(packet));
    let cause = match leaving {
        Leaving::Speech | Leaving::Other => None,
        Leaving::Refusal(refusal) => silence(refusal, packet, &Outgoing::new(host, frame)),
    };
    if let Some((kernel, scene)) = kernel.zip(scene) {
        kernel.agree_on_outgoing(frame, packet, &scene, cause)?;
    }
    report.count_outgoing(cause, frame.length());
    let mut answered = *packet;
    answered.turn_round();
    if let Some(cause) = cause {
        host.remember_refusal(cause, packet);
        report.drop_of(&answered, cause, host.now());
        if cause == Cause::UnreachableSilenced {
            name_quoted(frame, &mut answered);
        }
        let reason = Reason::of(cause);
        if let Some(kind) = reason.kind() {
            report.tell(host.hold(&answered, kind, &reason));
        }
    } else if is_answer(packet, leaving) {
        report.tell(host.hold(&answered, Kind::Answered, &Reason::of(Cause::InFlow)));
    }
    host.say(frame, packet, &flow);
    Ok(())
}

/// Whether what leaves may be an answer to a first contact: a SYN/ACK, or a datagram.
fn is_answer(packet: &Packet, leaving: Leaving) -> bool {
    let transport = &packet.transport;
    let accepts = transport.segment.flags.has(TcpFlags::SYN | TcpFlags::ACK);
    leaving == Leaving::Speech && (accepts || transport.protocol == IpProtocol::UDP)
}

impl Outcome {
    /// The error that a damaged capture is, once what could be read was reported.
    pub(crate) fn check(&self, path: &Path) -> Result<(), Error> {
        match &self.damage {
            None => Ok(()),
            Some(Damage { at, why }) => Err(Error::DamagedCapture {
                path: path.into(),
                at: *at,
                why: why.clone(),
                packets: self.report.packets(),
            }),
        }
    }
}
