//! Which paths there are, and what each may cost.

use anyhow::{Result, ensure};
use scanguard::program::EGRESS;
use scanguard_common::cause::Cause;
use scanguard_harness::{Frame, Ip};

use crate::bare::{Fronted, TC_SHOT};
use crate::ground::{BOUND, CLOSED, End, Family, Ground, OPEN, STRANGERS};
use crate::kernel::run;
use crate::paths::FAMILIES;
use crate::programs::Programs;
use crate::row::{Goal, Judged};

/// What surrounds a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    family: Family,
    is_tagged: bool,
}

impl Shape {
    /// What the others are compared to.
    pub(crate) const PLAIN: Shape = Shape { family: Family::V4, is_tagged: false };

    pub(crate) const ALL: [Shape; 4] = [
        Shape::PLAIN,
        Shape { family: Family::V6, is_tagged: false },
        Shape { family: Family::V4, is_tagged: true },
        Shape { family: Family::V6, is_tagged: true },
    ];

    fn suffix(self) -> String {
        let family = match self.family {
            Family::V4 => "",
            Family::V6 => ", IPv6",
        };
        format!("{family}{}", if self.is_tagged { ", VLAN tag" } else { "" })
    }

    /// Where in the frame the four bytes are of which strangers differ.
    pub(crate) fn stranger_offset(self) -> i16 {
        let tag = if self.is_tagged { 4 } else { 0 };
        14 + tag
            + match self.family {
                Family::V4 => 12,
                // The second half of the network, by which hosts are told apart.
                Family::V6 => 8 + 4,
            }
    }
}

/// Who sends a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The one with a connection.
    Client,
    /// Another each time, of whom nobody has heard, and who finds a place to wait for a second contact.
    Stranger,
    /// Another each time, of so many that each pushes somebody out of that place.
    OneOfACrowd,
    /// Somebody who was banned.
    Banned,
    /// Somebody whom the operator banned.
    Denied,
}

/// Whom the host refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refuses {
    /// Nobody.
    Nobody,
    /// A source that scanned.
    Scanner,
    /// A source that the operator banned.
    Denied,
}

/// A frame, and the path that it is to go.
#[derive(Debug)]
pub(crate) struct Path {
    what: &'static str,
    pub(crate) shape: Shape,
    /// For which cause it is counted, if it is.
    pub(crate) cause: Option<Cause>,
    pub(crate) sender: Sender,
    pub(crate) host: Refuses,
    pub(crate) goal: (Judged, Goal),
    build: fn(Ip, End, End) -> Vec<u8>,
    ends: (End, End),
    /// Which stranger comes next.
    next: u32,
}

impl Path {
    pub(crate) fn name(&self) -> String {
        format!("{}{}", self.what, self.shape.suffix())
    }

    /// Whether it comes from another source each time.
    pub(crate) fn is_first_contact(&self) -> bool {
        match self.sender {
            Sender::Client | Sender::Banned | Sender::Denied => false,
            Sender::Stranger | Sender::OneOfACrowd => true,
        }
    }

    /// The frame, from the next stranger where it is to be one.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let ((outside, port), guarded) = self.ends;
        let source = match self.sender {
            Sender::Client => outside,
            Sender::Stranger | Sender::OneOfACrowd => {
                self.shape.family.stranger(self.next.wrapping_mul(Fronted::STEP))
            }
            Sender::Banned => self.shape.family.banned(),
            Sender::Denied => self.shape.family.denied(),
        };
        // What leaves is written from the guarded host's side by its own function.
        let ip = Frame::between(source, guarded.0);
        let ip = if self.shape.is_tagged { ip.vlan(7) } else { ip };
        (self.build)(ip, (source, port), guarded)
    }

    /// So many strangers have come. When all have, they come again: until then everybody has forgotten them.
    pub(crate) fn meet(&mut self, strangers: u32) {
        self.next += strangers;
        if STRANGERS - self.next < strangers {
            self.next = 0;
        }
    }

    /// Has programs learn what the path takes for granted: that a closed port is one, from a refusal that does not
    /// leave.
    pub(crate) fn teach(&self, programs: &Programs) -> Result<()> {
        if self.cause != Some(Cause::ClosedPort) {
            return Ok(());
        }
        let ((outside, port), guarded) = self.ends;
        let refusal = Frame::between(guarded.0, outside).tcp(CLOSED, port).flags("RA").seq(0).ack(1).build();
        let judged = run(programs.door(EGRESS)?, &refusal, 1)?;
        ensure!(judged.action == TC_SHOT.cast_unsigned(), "a refusal left: {judged:?}");
        Ok(())
    }
}

/// One kind of path, over all shapes.
struct Template {
    what: &'static str,
    cause: Option<Cause>,
    sender: Sender,
    host: Refuses,
    goal: (Judged, Goal),
    build: fn(Ip, End, End) -> Vec<u8>,
}

const fn times(limit: f64) -> (Judged, Goal) {
    (Judged::Ratio, Goal::AtMost(limit))
}

const TEMPLATES: [Template; 11] = [
    Template {
        what: "impossible-flag probe",
        cause: Some(Cause::TcpXmas),
        sender: Sender::Client,
        host: Refuses::Nobody,
        goal: times(1.4),
        build: |ip, _, _| ip.tcp(40_000, CLOSED).flags("FPU").build(),
    },
    Template {
        what: "data segment of an established, known flow",
        cause: Some(Cause::InConnection),
        sender: Sender::Client,
        host: Refuses::Nobody,
        goal: times(1.9),
        build: |ip, outside, guarded| ip.tcp(outside.1, guarded.1).flags("PA").ack(1).payload(&DATA).build(),
    },
    Template {
        what: "packet of a banned source",
        cause: Some(Cause::Banned),
        sender: Sender::Banned,
        host: Refuses::Scanner,
        goal: times(3.0),
        build: |ip, _, _| ip.tcp(40_000, OPEN).flags("S").linux_options().build(),
    },
    Template {
        what: "packet of a source that the operator banned",
        cause: Some(Cause::Denied),
        sender: Sender::Denied,
        host: Refuses::Denied,
        goal: times(3.0),
        build: |ip, _, _| ip.tcp(40_000, OPEN).flags("S").linux_options().build(),
    },
    Template {
        what: "first SYN to an open port",
        cause: Some(Cause::NewConnection),
        sender: Sender::Stranger,
        host: Refuses::Nobody,
        goal: times(8.0),
        build: |ip, _, _| ip.tcp(40_000, OPEN).flags("S").linux_options().build(),
    },
    Template {
        what: "first SYN to an open port, unlike any stack's",
        cause: Some(Cause::NewConnection),
        sender: Sender::Stranger,
        host: Refuses::Nobody,
        goal: (Judged::Ratio, Goal::None),
        build: |ip, _, _| ip.tcp(40_000, OPEN).flags("S").build(),
    },
    Template {
        what: "first SYN to an open port, where a scanner is banned",
        cause: Some(Cause::NewConnection),
        sender: Sender::Stranger,
        host: Refuses::Scanner,
        goal: times(8.0),
        build: |ip, _, _| ip.tcp(40_000, OPEN).flags("S").linux_options().build(),
    },
    Template {
        what: "first SYN to a closed port, new source, evidence recorded",
        cause: Some(Cause::ClosedPort),
        sender: Sender::Stranger,
        host: Refuses::Nobody,
        goal: times(16.0),
        build: |ip, _, _| ip.tcp(40_000, CLOSED).flags("S").linux_options().build(),
    },
    Template {
        what: "first SYN to a closed port, one of a crowd",
        cause: Some(Cause::ClosedPort),
        sender: Sender::OneOfACrowd,
        host: Refuses::Nobody,
        goal: (Judged::Ratio, Goal::None),
        build: |ip, _, _| ip.tcp(40_000, CLOSED).flags("S").linux_options().build(),
    },
    Template {
        what: "UDP datagram to a bound socket, known",
        cause: Some(Cause::Udp),
        sender: Sender::Client,
        host: Refuses::Nobody,
        goal: times(1.9),
        build: |ip, _, _| ip.udp(40_000, BOUND).payload(&DATA).build(),
    },
    Template {
        what: "egress, bulk data of a known flow",
        cause: None,
        sender: Sender::Client,
        host: Refuses::Nobody,
        goal: (Judged::Difference, Goal::AtMost(15.0)),
        build: |ip, outside, guarded| ip.tcp(outside.1, guarded.1).flags("PA").ack(1).payload(&DATA).build(),
    },
];

/// Almost a full frame.
const DATA: [u8; 1400] = [b'.'; 1400];

/// Every path, the plain shape of each kind before the others.
pub(crate) fn list(ground: &Ground) -> Result<Vec<Path>> {
    let connections = FAMILIES.map(|family| Ok((family, ground.connection(family)?)));
    let connections = connections.into_iter().collect::<Result<Vec<_>>>()?;
    let ends = |shape: Shape, leaves: bool| {
        let of_family = connections.iter().find(|(family, _)| *family == shape.family);
        of_family
            .map(|(_, (outside, guarded))| if leaves { (*guarded, *outside) } else { (*outside, *guarded) })
    };
    let paths = TEMPLATES.iter().flat_map(|template| {
        let leaves = template.cause.is_none();
        Shape::ALL.into_iter().filter_map(move |shape| Some((template, shape, ends(shape, leaves)?)))
    });
    Ok(paths
        .map(|(template, shape, ends)| Path {
            what: template.what,
            shape,
            cause: template.cause,
            sender: template.sender,
            host: template.host,
            goal: template.goal,
            build: template.build,
            ends,
            next: 0,
        })
        .collect())
}
