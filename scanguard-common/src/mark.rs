//! Step 4, decide, goes on for those who knock: whether a tool wrote the packet, which then dies.
//!
//! Signatures belong to [`classify`](crate::classify), but what is a mark depends on what a packet is to this host, and
//! most packets need not be looked at: those of connections, and those that nobody answers.

use crate::cause::{Action, Cause};
use crate::classify::flags::TcpFlags;
use crate::classify::signature::{
    self, Ballot, Knowledge, Label, Left, Signature, Suspicion, Traits, masscan_constant, stack,
};
use crate::decide::Mercy;
use crate::evidence::Kind;
use crate::flow::Lookups;
use crate::frame::Frame;
use crate::key::Address;
use crate::parse::Packet;
use crate::parse::network::IpProtocol;

/// Why a packet passes or is dropped, and whose mark it bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Why.
    pub cause: Cause,
    /// Whose mark; none also where nobody looked for one.
    pub mark: Label,
}

impl Reason {
    /// For this cause, of a packet without a mark.
    pub fn of(cause: Cause) -> Reason {
        Reason { cause, mark: Label::NONE }
    }

    /// What it says of the packet's source; `None` where it says nothing.
    pub fn kind(&self) -> Option<Kind> {
        if self.mark.is_certain() { Some(Kind::Signature) } else { Kind::of(self.cause) }
    }
}

/// What earlier packets left behind, and what is known of this host.
pub trait Traces {
    /// The spread of an address, which chooses its places.
    fn spread(&self, address: Address) -> u64;

    /// The place where sources of this spread leave something behind.
    fn left(&mut self, spread: u64) -> Option<&mut Left>;

    /// The place where it is learned as which address the destination of this spread is scanned.
    fn ballot(&mut self, spread: u64) -> Option<&mut Ballot>;

    /// What is known beside the packet, but for what [`ballot`](Self::ballot) holds, and without the time of day where
    /// that is not wanted: asking for it costs more than all the rest.
    fn knowledge(&self, with_time: bool) -> Knowledge;
}

/// Looks for the mark of a tool in a packet that [`knocks`].
pub fn find<F: Frame + ?Sized, T: Traces>(frame: &F, packet: &Packet, traces: &mut T) -> Label {
    let alone = settle_alone(suspect(frame, packet, traces), frame, packet, traces);
    if alone.is_certain() { alone } else { alone.or(together(frame, packet, traces)) }
}

/// What a packet shows by itself, but for its options: nothing, if it is as a stack writes it.
#[inline(always)] // one frame on the BPF stack less than a call
pub fn suspect<F: Frame + ?Sized, T: Traces>(frame: &F, packet: &Packet, traces: &mut T) -> Suspicion {
    if stack::wrote_packet(frame, packet) {
        return Suspicion::NONE;
    }
    let traits = Traits::read(frame, packet);
    let mut knowledge = traces.knowledge(false);
    // masscan sends what may be fragmented, and hardly anybody else does.
    if traits.fragmentable {
        let place = traces.spread(packet.destination);
        if let Some(ballot) = traces.ballot(place) {
            knowledge.learned = *ballot;
        }
    }
    signature::suspect(frame, packet, &traits, &knowledge)
}

/// What the options make of it.
#[inline(always)] // as above
pub fn settle_alone<F: Frame + ?Sized, T: Traces>(
    suspicion: Suspicion,
    frame: &F,
    packet: &Packet,
    traces: &mut T,
) -> Label {
    if suspicion == Suspicion::NONE {
        return Label::NONE;
    }
    let traits = Traits::read(frame, packet);
    let is_about_now = |timestamp| traces.knowledge(true).is_about_now(timestamp);
    let label = signature::settle(suspicion, frame, packet, &traits, is_about_now);
    if MASSCANS.contains(&label)
        && let Some(constant) = masscan_constant(packet, &traits)
    {
        vote(packet, constant, traces);
    }
    label
}

/// By which masscan is recognised, so that it can be learned from.
const MASSCANS: [Label; 2] = [Label::of(Signature::MasscanOld), Label::of(Signature::MasscanNew)];

/// What it shows together with the last one of its source.
#[inline(always)] // as above
pub fn together<F: Frame + ?Sized, T: Traces>(frame: &F, packet: &Packet, traces: &mut T) -> Label {
    compare(packet, &Traits::read(frame, packet), traces).into()
}

/// Whether anything follows for a packet that passes or is dropped for this cause, as for most nothing does: a mark, an
/// event, or evidence.
pub fn is_of_consequence(cause: Cause) -> bool {
    cause.action() == Action::Drop || knocks(cause) || Kind::of(cause).is_some()
}

/// Whether what passes or is dropped for this cause may have been written by a tool that gives itself away: what opens
/// something, and what belongs to nothing.
///
/// Not what no socket is asked about: a flag that is impossible says enough, and should die as cheaply as it does.
pub fn knocks(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::NewConnection
            | Cause::RecentPort
            | Cause::UnprovenPort
            | Cause::ClosedPort
            | Cause::DecoyPort
            | Cause::Stray
            | Cause::StrayFlood
            | Cause::AckProbe
            | Cause::MaimonProbe
            | Cause::FinProbe
            | Cause::SynAckProbe
    )
}

/// Learns from a packet that masscan wrote as which address this host is scanned.
fn vote<T: Traces>(packet: &Packet, constant: u16, traces: &mut T) {
    let (source, destination) = (traces.spread(packet.sender()), traces.spread(packet.destination));
    if let Some(ballot) = traces.ballot(destination) {
        *ballot = ballot.after(constant, source);
    }
}

/// What it shows together with the last one of its source.
///
/// SYN/ACKs are left out: a host that answers forged SYNs in our name may well use one number for all.
fn compare<T: Traces>(packet: &Packet, traits: &Traits, traces: &mut T) -> Option<Signature> {
    let accepts = packet.transport.segment.flags.has(TcpFlags::SYN | TcpFlags::ACK);
    if packet.transport.protocol != IpProtocol::TCP || accepts {
        return None;
    }
    let spread = traces.spread(packet.source);
    traces.left(spread)?.compare(spread, packet, traits)
}

/// Settles what becomes of a packet that was decided about, by the mark that it bears.
///
/// Whatever was to be dropped keeps the cause for which it is. What was to pass dies by a certain mark, unless it is for
/// a port that is published for everybody, which learns nothing that is not known, or something else speaks for it: then
/// it is as good as without a mark.
pub fn settle<L: Lookups>(cause: Cause, mark: Label, packet: &Packet, lookups: &L) -> Reason {
    match cause.action() {
        Action::Pass if mark.is_certain() && !is_published(packet, lookups) => match lookups.mercy(packet) {
            Mercy::Passes(cause) => Reason::of(cause),
            Mercy::Doubt | Mercy::None => Reason { cause: Cause::ToolSignature, mark },
        },
        Action::Pass | Action::Drop => Reason { cause, mark },
    }
}

fn is_published<L: Lookups>(packet: &Packet, lookups: &L) -> bool {
    lookups.port_rule(packet).is_public(packet.transport.protocol)
}
