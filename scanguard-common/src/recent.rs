//! What was decided a moment ago, asked before a frame is even parsed: of bulk data and of a flood each frame but the
//! first of a second costs a comparison.
//!
//! A frame gets a [`Name`]: everything that its decision depends on, taken from fixed places of the frame. Two frames of
//! the same name are decided alike, as long as nothing else changes; what else there is changes the edition of the
//! [`Rules`](crate::schema::Rules), or is believed for about a second. Names are compared whole, and kept apart by what
//! may become of them ([`Sort`]): what can only pass is never mistaken for what can only be dropped.
//!
//! Most frames of a stream or a flood have a name: whole TCP segments and UDP datagrams, behind at most one VLAN tag,
//! without IPv4 options or IPv6 extension headers. All others are parsed.
//!
//! A SYN has two: one with its source, of which it is known whether that is banned, and one that it shares with the SYNs
//! of everybody else to the same port, of which it is known that somebody listens there. That nobody does is known too,
//! but only to those who come in a crowd, of whom few are looked at anyway: else whoever begins to listen would lose his
//! first clients.

mod glance;
mod name;
mod sort;

pub use glance::{Glance, Look, Then, glance};
pub use name::{Door, Name};
pub use sort::Sort;

use crate::cause::{Action, Cause};
use crate::key::Address;

/// When something was decided, and by which edition of the rules: not the same again a moment later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(u64);

impl Moment {
    /// The current moment, by a number of less than 32 bits that changes within a second or so, and the edition of the
    /// [`Rules`](crate::schema::Rules).
    pub fn new(a_while: u64, edition: u32) -> Moment {
        Moment(u64::from(edition) << 32 | a_while)
    }
}

/// One place of a processor's own table: what was decided, of whom, when, and how often it was recalled since.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    name: Name,
    moment: u64,
    recalled: u32,
    cause: u32,
}

const _: () = assert!(size_of::<Recent>() == 64, "one cache line");

impl Recent {
    /// What was decided now.
    pub fn new(name: Name, now: Moment, cause: Cause) -> Recent {
        Recent { name, moment: now.0, recalled: 0, cause: cause.index().into() }
    }

    /// Whether it was decided in this moment of frames of this name. Never where nothing was kept: names have a sort.
    #[inline(always)] // see [`glance`]
    pub fn is_of(&self, name: &Name, now: Moment) -> bool {
        self.moment == now.0 && self.name.is(name)
    }

    /// Whether it was decided in this moment.
    pub fn is_fresh(&self, now: Moment) -> bool {
        self.moment == now.0
    }

    /// What was decided.
    pub fn cause(&self) -> Option<Cause> {
        Cause::from_number(self.cause)
    }

    /// Counts that it was recalled once more. Of what passes too, of which nobody wants to know: that is less work than to
    /// ask what it is.
    pub fn again(&mut self) {
        self.recalled = self.recalled.wrapping_add(1);
    }

    /// What was dropped since it was kept, and how often: source, destination and cause.
    pub fn folded(&self) -> Option<(Address, Address, Cause, u32)> {
        let cause = self.cause().filter(|cause| cause.action() == Action::Drop)?;
        let (source, destination) = self.name.ends();
        (self.recalled != 0).then_some((source, destination, cause, self.recalled))
    }
}

/// Whether this cause is worth keeping: all frames of the same name will have it, and finding that out takes a look-up.
pub fn is_kept(cause: Cause) -> bool {
    !is_kept_of_a_crowd(cause)
        && [Sort::Data, Sort::Other, Sort::Opening, Sort::Greeting].into_iter().any(|sort| sort.keeps(cause))
}

/// Whether this cause is worth keeping only where somebody has it who is one too many of a crowd, and only for such.
pub fn is_kept_of_a_crowd(cause: Cause) -> bool {
    cause == Cause::ClosedPort
}
