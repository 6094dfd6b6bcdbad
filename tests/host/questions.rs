//! What is asked about a packet, and in which order: legitimate traffic pays for the socket table and, where it opens
//! something, for the bans; flags that say everything ask nothing of sockets; and whatever else costs something is asked
//! only where a drop is near.

use std::cell::RefCell;

use scanguard_common::cause::Cause;
use scanguard_common::decide::decide;
use scanguard_common::flow::{Destination, Lookups, Socket};
use scanguard_common::key::Address;
use scanguard_common::parse::transport::Port;
use scanguard_common::parse::{Packet, parse};
use scanguard_common::policy::PortRule;
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
    fn ban(&self, _: &Packet) -> Option<Cause> {
        self.note("ban");
        None
    }

    fn port_rule(&self, _: &Packet) -> PortRule {
        self.note("port");
        PortRule::default()
    }

    fn answers_pings(&self) -> bool {
        self.note("pings");
        true
    }

    fn was_dropped_lately(&self, _: &Packet, _: Cause) -> bool {
        self.note("dropped");
        false
    }

    fn is_closed(&self, _: &Packet) -> bool {
        self.note("refused");
        true
    }

    fn is_learning(&self) -> bool {
        self.note("learning");
        false
    }

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
fn segments_of_a_connection_ask_for_their_socket_and_are_remembered() {
    for (flags, socket) in [("A", Socket::Connected), ("FA", Socket::Connected), ("SA", Socket::Connected)] {
        assert_eq!(questions(&segment(flags, 7), socket), ["socket"], "{flags} {socket:?}");
    }
    for (flags, socket) in [("A", Socket::CompletesCookie), ("R", Socket::Absent)] {
        assert_eq!(questions(&segment(flags, 7), socket), ["socket"], "{flags} {socket:?}");
    }
}

#[test]
fn who_opens_a_connection_is_asked_whether_he_is_banned() {
    for socket in [Socket::Connected, Socket::Listening] {
        assert_eq!(questions(&segment("S", 7), socket), ["ban", "socket"], "{socket:?}");
    }
}

#[test]
fn messages_ask_nothing_and_pings_whether_they_are_welcome() {
    for frame in [ip().icmp(3, 4).build(), ip().build(47, &[0; 8])] {
        assert_eq!(questions(&frame, Socket::Absent), [""; 0], "{frame:02x?}");
    }
    assert_eq!(questions(&ip().icmp(8, 0).build(), Socket::Absent), ["ban", "pings"]);
}

#[test]
fn datagrams_ask_for_their_socket_and_are_remembered() {
    let datagram = |socket| questions(&ip().udp(40_000, 53).build(), socket);
    assert_eq!(datagram(Socket::Connected), ["socket"]);
    assert_eq!(datagram(Socket::Listening), ["socket", "ban"]);
    let unbound = ["socket", "ban", "flow", "port", "allowlist", "destination"];
    assert_eq!(datagram(Socket::Absent), unbound);
}

#[test]
fn impossible_flags_ask_only_what_may_speak_for_them() {
    for flags in ["", "FPU", "FSRPAU", "SF", "SR", "FR", "U", "P"] {
        let asked = questions(&segment(flags, 7), Socket::Connected);
        assert_eq!(asked, ["dropped", "allowlist", "destination"], "{flags}");
    }
}

#[test]
fn segments_of_no_connection_ask_on_and_pay_from_a_budget_at_the_end() {
    let absent = |flags, sequence| questions(&segment(flags, sequence), Socket::Absent);
    let opening = ["ban", "socket", "port", "listened", "allowlist", "destination", "refused"];
    assert_eq!(absent("S", 7), opening);
    for flags in ["F", "SA"] {
        assert_eq!(absent(flags, 7), ["socket", "flow", "allowlist", "destination"], "{flags}");
    }
    assert_eq!(absent("A", 0), ["socket", "flow", "allowlist", "destination"]);
    assert_eq!(absent("A", 7), ["socket", "flow", "allowlist", "destination", "budget"]);
}
