//! What is asked about a packet, and in which order: legitimate traffic pays for the socket table alone, flags that say
//! everything for nothing, and whatever else costs something is asked only where a drop is near.

use std::cell::RefCell;

use scanguard_common::decide::decide;
use scanguard_common::flow::{Destination, Lookups, Socket};
use scanguard_common::key::Address;
use scanguard_common::parse::transport::Port;
use scanguard_common::parse::{Packet, parse};
use scanguard_harness::{Frame, GUARDED_V4, Ip, OUTSIDE_V4};

/// Answers that lead as far as possible, and the questions that were asked.
struct Asked {
    socket: Socket,
    questions: RefCell<Vec<&'static str>>,
}

impl Asked {
    fn note(&self, question: &'static str) {
        self.questions.borrow_mut().push(question);
    }
}

impl Lookups for Asked {
    fn socket(&self, _: &Packet) -> Socket {
        self.note("socket");
        self.socket
    }

    fn destination(&self, _: &Packet) -> Destination {
        self.note("destination");
        Destination::Ours
    }

    fn allows(&self, _: Address) -> bool {
        self.note("allowlist");
        false
    }

    fn has_spoken(&self, _: &Packet) -> bool {
        self.note("flow");
        false
    }

    fn listened_lately(&self, _: Port) -> bool {
        self.note("listened");
        false
    }

    fn spend_on_stray(&self, _: Address) -> bool {
        self.note("budget");
        false
    }
}

fn questions(frame: &[u8], socket: Socket) -> Vec<&'static str> {
    let asked = Asked { socket, questions: RefCell::default() };
    let packet = parse(frame).unwrap_or_else(|cause| panic!("{}: {frame:02x?}", cause.name()));
    decide(&packet, &asked);
    asked.questions.into_inner()
}

fn ip() -> Ip {
    Frame::ipv4(OUTSIDE_V4, GUARDED_V4)
}

fn segment(flags: &str, sequence: u32) -> Vec<u8> {
    ip().tcp(40_000, 80).flags(flags).seq(sequence).build()
}

#[test]
fn legitimate_segments_ask_for_their_socket_and_nothing_else() {
    for (flags, socket) in [
        ("A", Socket::Connected),
        ("PA", Socket::Connected),
        ("FA", Socket::Connected),
        ("R", Socket::Connected),
        ("SA", Socket::Connected),
        ("S", Socket::Connected),
        ("S", Socket::Listening),
        ("A", Socket::CompletesCookie),
        ("R", Socket::Absent),
    ] {
        assert_eq!(questions(&segment(flags, 7), socket), ["socket"], "{flags} {socket:?}");
    }
}

#[test]
fn datagrams_and_messages_ask_nothing() {
    for frame in [ip().udp(40_000, 53).build(), ip().icmp(8, 0).build(), ip().build(47, &[0; 8])] {
        assert_eq!(questions(&frame, Socket::Absent), [""; 0], "{frame:02x?}");
    }
}

#[test]
fn impossible_flags_ask_only_what_may_speak_for_them() {
    for flags in ["", "FPU", "FSRPAU", "SF", "SR", "FR", "U", "P"] {
        assert_eq!(questions(&segment(flags, 7), Socket::Connected), ["allowlist", "destination"], "{flags}");
    }
}

#[test]
fn segments_of_no_connection_ask_on_and_pay_from_a_budget_at_the_end() {
    let absent = |flags, sequence| questions(&segment(flags, sequence), Socket::Absent);
    assert_eq!(absent("S", 7), ["socket", "listened", "allowlist", "destination"]);
    for flags in ["F", "SA"] {
        assert_eq!(absent(flags, 7), ["socket", "flow", "allowlist", "destination"], "{flags}");
    }
    assert_eq!(absent("A", 0), ["socket", "flow", "allowlist", "destination"]);
    assert_eq!(absent("A", 7), ["socket", "flow", "allowlist", "destination", "budget"]);
}
