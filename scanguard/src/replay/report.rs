//! What would have been done with the frames of a capture.

mod counts;
mod sources;

use std::collections::HashMap;
use std::net::IpAddr;

use scanguard_common::cause::{Action, Cause};
use scanguard_common::count::Tally;
use scanguard_common::parse::Packet;
use scanguard_common::time::Nanos;

use super::kernel::Judged;
use super::ledger::{Banned, Came};
use crate::incident::Incident;
use crate::prefix;
pub(crate) use counts::Counts;
pub(crate) use sources::Source;
use sources::Sources;

/// All that is told of a replay, in memory that does not grow with the capture.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// By the indexes of causes, as far as there were any.
    tallies: Vec<Tally>,
    /// What left and was let go.
    pub(crate) left: Tally,
    /// Answers to packets that would have been dropped: nobody would have given them.
    pub(crate) unasked: u64,
    /// What stayed within the host: its loopback interface has no doors.
    pub(crate) within: u64,
    /// When the first and the last frame were captured.
    pub(crate) span: Option<(Nanos, Nanos)>,
    sources: Sources,
    bans: Vec<Banned>,
    /// Bans that there was no room to list.
    pub(crate) other_bans: u64,
    /// Bans for which the table of bans had no room.
    pub(crate) unbanned: u64,
    /// Scans that many sources shared.
    pub(crate) incidents: Vec<Incident>,
    losses: HashMap<Conversation, Loss>,
    /// Losses of conversations that there was no room for.
    pub(crate) other_losses: u64,
    /// Frames that could not be read because of the network that they were captured on.
    pub(crate) unsupported: u64,
    /// Whether nothing of the host itself was captured.
    pub(crate) blind: bool,
    /// What the program in the kernel judged, where it was asked.
    pub(crate) kernel: Option<Judged>,
}

/// A conversation by its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Conversation {
    /// The other side.
    pub(crate) remote: (IpAddr, u16),
    /// The host.
    pub(crate) local: (IpAddr, u16),
}

/// What a conversation would have lost.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    /// How many packets for which cause.
    pub(crate) causes: Counts,
    /// When the first was lost.
    pub(crate) since: Nanos,
}

/// How many bans are listed.
const BANS: usize = 1 << 16;
/// How many conversations that lost something are kept apart.
const LOSSES: usize = 1 << 12;

impl Report {
    /// Sees a frame captured at this time.
    pub(super) fn see(&mut self, time: Nanos) {
        let first = self.span.map_or(time, |(first, _)| first);
        self.span = Some((first, time));
    }

    /// Counts a frame at the first door.
    pub(super) fn count_incoming(&mut self, cause: Cause, bytes: usize) {
        let index = usize::from(cause.index());
        if self.tallies.len() <= index {
            self.tallies.resize(index + 1, Tally::default());
        }
        if let Some(tally) = self.tallies.get_mut(index) {
            *tally = tally.plus(bytes as u64);
        }
    }

    /// Counts a frame at the second door, which counts by cause only what it keeps.
    pub(super) fn count_outgoing(&mut self, cause: Option<Cause>, bytes: usize) {
        match cause {
            Some(cause) => self.count_incoming(cause, bytes),
            None => self.left = self.left.plus(bytes as u64),
        }
    }

    /// Notes a drop against the sender of a packet: of one that arrived, or of one that is the mirror image of what was
    /// kept from it.
    pub(super) fn drop_of(&mut self, packet: &Packet, cause: Cause, now: Nanos) {
        self.sources.drop_of(packet, cause, now);
    }

    /// Notes what came of a contact.
    pub(super) fn tell(&mut self, came: Came) {
        match came {
            Came::Nothing => {}
            Came::Full => self.unbanned += 1,
            Came::Banned(ban) if self.bans.len() < BANS => {
                if self.bans.is_empty() {
                    // It is never moved, which would take half as much again.
                    self.bans.reserve_exact(BANS);
                }
                self.bans.push(ban);
            }
            Came::Banned(_) => self.other_bans += 1,
        }
    }

    /// Who would have been banned, in the order of time.
    pub(crate) fn bans(&self) -> &[Banned] {
        &self.bans
    }

    /// Notes that a conversation would have lost a packet.
    pub(super) fn lose(&mut self, packet: &Packet, cause: Cause, now: Nanos) {
        let ports = packet.transport.ports;
        let conversation = Conversation {
            remote: (prefix::address(packet.source.bytes()), ports.source.0),
            local: (prefix::address(packet.destination.bytes()), ports.destination.0),
        };
        if self.losses.len() >= LOSSES && !self.losses.contains_key(&conversation) {
            self.other_losses += 1;
            return;
        }
        let loss =
            self.losses.entry(conversation).or_insert_with(|| Loss { causes: Counts::default(), since: now });
        loss.causes.add(cause);
    }

    /// What was counted for each cause that there was.
    pub(crate) fn tallies(&self) -> impl Iterator<Item = (Cause, Tally)> + '_ {
        let all = Cause::ALL.iter().filter_map(|cause| {
            let tally = self.tallies.get(usize::from(cause.index()))?;
            Some((*cause, *tally))
        });
        all.filter(|(_, tally)| tally.packets() > 0)
    }

    /// All that ended so, but for what left.
    pub(crate) fn total(&self, action: Action) -> Tally {
        let tallies = self.tallies().filter(|(cause, _)| cause.action() == action);
        tallies.fold(Tally::default(), |sum, (_, tally)| sum.merged(tally))
    }

    /// How many frames were read and understood as far as their link type goes.
    pub(crate) fn packets(&self) -> u64 {
        let judged = self.total(Action::Pass).merged(self.total(Action::Drop)).merged(self.left);
        judged.packets() + self.unasked + self.within
    }

    /// Sources of which something was dropped: the loudest first.
    pub(crate) fn sources(&self) -> Vec<&Source> {
        self.sources.by_loudness()
    }

    /// Drops of sources that there was no room for: those that sent the least.
    pub(crate) fn other_drops(&self) -> u64 {
        self.sources.others
    }

    /// Conversations that lost something: the first first.
    pub(crate) fn losses(&self) -> Vec<(&Conversation, &Loss)> {
        let mut losses: Vec<_> = self.losses.iter().collect();
        losses.sort_by_key(|(conversation, loss)| (loss.since, **conversation));
        losses
    }
}

/// A segment from this address to 192.0.2.2:443.
#[cfg(test)]
fn packet_from(source: [u8; 4]) -> Packet {
    let mut frame = vec![0; 12];
    frame.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0]);
    frame.extend(source);
    frame.extend([192, 0, 2, 2, 0x9c, 0x40, 0x01, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0, 0, 0, 0, 0, 0, 0]);
    scanguard_common::parse::parse(frame.as_slice()).expect("a segment")
}

/// What two probes and a connection leave, for the tests of how it is shown.
#[cfg(test)]
pub(crate) fn example() -> Report {
    use scanguard_common::classify::signature::Label;
    use scanguard_common::evidence::Kind;

    let packet = packet_from([192, 0, 2, 1]);
    let [first, last] = [Nanos(Nanos::SECOND), Nanos(5 * Nanos::SECOND / 2)];
    let mut report = Report { unasked: 2, ..Report::default() };
    for (cause, now) in [(Cause::TcpNull, first), (Cause::TcpXmas, last)] {
        report.see(now);
        report.count_incoming(cause, 54);
        report.drop_of(&packet, cause, now);
    }
    report.lose(&packet, Cause::TcpXmas, last);
    report.tell(Came::Banned(Banned {
        source: packet.sender(),
        at: last,
        seconds: 600,
        kind: Kind::Forged,
        cause: Cause::TcpXmas,
        mark: Label::NONE,
        contacts: [3, 2, 1],
        score: 7_098,
    }));
    report.count_incoming(Cause::InConnection, 60);
    report.count_outgoing(None, 60);
    report
}

/// So many more sources that send one probe each.
#[cfg(test)]
pub(crate) fn crowd(report: &mut Report, sources: u8) {
    for source in 0..sources {
        report.drop_of(&packet_from([198, 51, 100, source]), Cause::TcpSynFin, Nanos(1));
    }
}
