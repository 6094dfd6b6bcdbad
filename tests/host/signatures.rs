//! Scanners are recognised by their marks, and nobody else is.

mod capture;
mod legitimate;
mod openings;
mod pairs;
mod segments;
mod stacks;
mod tools;

use scanguard_common::classify::signature::{Knowledge, Signature, Trace, Traits, recognise};
use scanguard_common::parse::{Packet, parse};
use scanguard_harness::{Frame, GUARDED_V4, GUARDED_V6, Ip, OUTSIDE_V4, OUTSIDE_V6};

/// A frame, understood.
fn read(frame: &[u8]) -> (Packet, Traits) {
    let packet = parse(frame).unwrap_or_else(|cause| panic!("{}: {frame:02x?}", cause.name()));
    (packet, Traits::read(frame, &packet))
}

/// The mark of one frame, to a host that knows nothing.
fn mark(frame: &[u8]) -> Option<Signature> {
    mark_to(&Knowledge::default(), frame)
}

/// The mark of one frame, to a host that knows this.
fn mark_to(knowledge: &Knowledge, frame: &[u8]) -> Option<Signature> {
    let (packet, traits) = read(frame);
    recognise(frame, &packet, &traits, knowledge)
}

/// What each frame of one source shows together with those before it.
fn trace<'a>(frames: impl IntoIterator<Item = &'a [u8]>) -> Vec<Option<Signature>> {
    let mut trace = Trace::default();
    let mut shown = Vec::new();
    for frame in frames {
        let (packet, traits) = read(frame);
        let (next, signature) = trace.next(&packet, &traits);
        trace = next;
        shown.push(signature);
    }
    shown
}

/// An IPv4 packet that may not be fragmented, as most systems send it.
fn whole() -> Ip {
    Frame::ipv4(OUTSIDE_V4, GUARDED_V4)
}

/// One that may be, as most scanners do.
fn fragmentable() -> Ip {
    whole().fragment(0, false)
}

fn v6() -> Ip {
    Frame::ipv6(OUTSIDE_V6, GUARDED_V6)
}
