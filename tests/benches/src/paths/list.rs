//! Which paths there are, and what each may cost.

use anyhow::Result;
use scanguard_common::cause::Cause;
use scanguard_harness::{Frame, Ip};

use crate::bare::Fronted;
use crate::ground::{BOUND, CLOSED, End, Family, Ground, OPEN};
use crate::paths::FAMILIES;
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

/// A frame, and the path that it is to go.
#[derive(Debug)]
pub(crate) struct Path {
    what: &'static str,
    pub(crate) shape: Shape,
    /// For which cause it is counted, if it is.
    pub(crate) cause: Option<Cause>,
    /// Whether its source is to be another each time.
    pub(crate) is_first_contact: bool,
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

    /// The frame, from the next stranger where it is to be one.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let ((outside, port), guarded) = self.ends;
        let source = if self.is_first_contact { self.shape.family.stranger(self.next) } else { outside };
        // What leaves is written from the guarded host's side by its own function.
        let ip = Frame::between(source, guarded.0);
        let ip = if self.shape.is_tagged { ip.vlan(7) } else { ip };
        (self.build)(ip, (source, port), guarded)
    }

    /// So many strangers have come.
    pub(crate) fn meet(&mut self, strangers: u32) {
        self.next = self.next.wrapping_add(strangers.wrapping_mul(Fronted::STEP));
    }
}

/// One kind of path, over all shapes.
struct Template {
    what: &'static str,
    cause: Option<Cause>,
    is_first_contact: bool,
    goal: (Judged, Goal),
    build: fn(Ip, End, End) -> Vec<u8>,
}

const fn times(limit: f64) -> (Judged, Goal) {
    (Judged::Ratio, Goal::AtMost(limit))
}

const TEMPLATES: [Template; 6] = [
    Template {
        what: "impossible-flag probe",
        cause: Some(Cause::TcpXmas),
        is_first_contact: false,
        goal: times(1.4),
        build: |ip, _, _| ip.tcp(40_000, CLOSED).flags("FPU").build(),
    },
    Template {
        what: "data segment of an established, known flow",
        cause: Some(Cause::InConnection),
        is_first_contact: false,
        goal: times(1.9),
        build: |ip, outside, guarded| ip.tcp(outside.1, guarded.1).flags("PA").ack(1).payload(&DATA).build(),
    },
    Template {
        what: "first SYN to an open port",
        cause: Some(Cause::NewConnection),
        is_first_contact: true,
        goal: times(8.0),
        build: |ip, _, _| ip.tcp(40_000, OPEN).flags("S").build(),
    },
    Template {
        what: "first SYN to a closed port, new source",
        cause: Some(Cause::ClosedPort),
        is_first_contact: true,
        goal: times(16.0),
        build: |ip, _, _| ip.tcp(40_000, CLOSED).flags("S").build(),
    },
    Template {
        what: "UDP datagram to a bound socket, known",
        cause: Some(Cause::Udp),
        is_first_contact: false,
        goal: times(1.9),
        build: |ip, _, _| ip.udp(40_000, BOUND).payload(&DATA).build(),
    },
    Template {
        what: "egress, bulk data of a known flow",
        cause: None,
        is_first_contact: false,
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
            is_first_contact: template.is_first_contact,
            goal: template.goal,
            build: template.build,
            ends,
            next: 0,
        })
        .collect())
}
