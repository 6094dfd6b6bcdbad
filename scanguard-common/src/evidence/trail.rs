//! The last things that were held against a source, and for it, in order: what `explain ADDRESS` shows.

use super::kind::Kind;
use super::witness::{Circumstances, Trial};
use crate::cause::Cause;
use crate::classify::signature::Label;
use crate::mark::Reason;
use crate::parse::network::IpProtocol;
use crate::time::Seconds;

/// How many contacts are kept of each source: the latest.
pub const TRAIL_LENGTH: usize = 16;

/// One contact that moved a score.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    at: u32,
    before: u32,
    after: u32,
    port: u16,
    kind: u8,
    protocol: u8,
    cause: u8,
    label: u8,
    _unused: [u8; 2],
}

const _: () = assert!(size_of::<Entry>() == 20);

impl Entry {
    /// Nothing.
    const NONE: Entry = Entry {
        at: 0,
        before: 0,
        after: 0,
        port: 0,
        kind: 0,
        protocol: 0,
        cause: 0,
        label: 0,
        _unused: [0; 2],
    };

    /// How a contact ended, and the score before and after it.
    pub(super) fn new(trial: &Trial, [before, after]: [u32; 2]) -> Entry {
        let Trial { at, port, kind, .. } = *trial;
        Entry { at: at.0, before, after, port, kind: kind.number(), ..Entry::NONE }
    }

    /// The same, with what the packet was.
    pub(super) fn of(self, circumstances: Circumstances) -> Entry {
        let Circumstances { protocol: IpProtocol(protocol), reason: Reason { cause, mark } } = circumstances;
        Entry { protocol, cause: cause.index(), label: mark.number(), ..self }
    }

    /// When it was.
    pub fn at(&self) -> Seconds {
        Seconds(self.at)
    }

    /// How it ended.
    pub fn kind(&self) -> Kind {
        Kind::from_number(self.kind)
    }

    /// To which port; 0 where its protocol has none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// By which IP protocol; 0 where there was no packet, as of an answer that is overdue, or it is not known any more.
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// Why the packet was dropped or passed; `None` where there was no packet, or it is not known any more.
    pub fn cause(&self) -> Option<Cause> {
        if self.protocol == 0 {
            return None;
        }
        Cause::from_index(self.cause)
    }

    /// The mark of a tool that the packet bore.
    pub fn label(&self) -> Label {
        Label::from_number(self.label)
    }

    /// The score before and after, in units of [`Weights::UNIT`](super::Weights::UNIT).
    pub fn scores(&self) -> [u32; 2] {
        [self.before, self.after]
    }
}

/// The latest contacts of one source, in a ring.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    written: u32,
    entries: [Entry; TRAIL_LENGTH],
}

const _: () = assert!(size_of::<Trail>() == 4 + 20 * TRAIL_LENGTH);

impl Trail {
    /// Nothing.
    pub const EMPTY: Trail = Trail { written: 0, entries: [Entry::NONE; TRAIL_LENGTH] };

    /// Writes one more down, over the oldest where the ring is full.
    pub fn write(&mut self, entry: Entry) {
        let place = self.written as usize % TRAIL_LENGTH;
        if let Some(slot) = self.entries.get_mut(place) {
            *slot = entry;
        }
        self.written = self.written.wrapping_add(1);
    }

    /// What is kept, the oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let written = self.written as usize;
        let kept = written.min(TRAIL_LENGTH);
        (written - kept..written).filter_map(|number| self.entries.get(number % TRAIL_LENGTH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_in_order() {
        let mut trail = Trail::default();
        let ports = |trail: &Trail| trail.entries().map(Entry::port).collect::<Vec<_>>();
        assert_eq!(ports(&trail), []);
        for port in 0..20 {
            let trial = Trial { kind: Kind::Closed, port, key: 7, at: Seconds(1) };
            trail.write(Entry::new(&trial, [0, 1]));
        }
        assert_eq!(ports(&trail), (4..20).collect::<Vec<u16>>());
    }
}
