//! The second door: what leaves is speech, a refusal or neither, and which refusals are silenced.

use std::net::IpAddr;

use scanguard_common::cause::{Action, Cause};
use scanguard_common::key::Address;
use scanguard_common::parse::network::Family;
use scanguard_common::parse::transport::Port;
use scanguard_common::parse::{Packet, parse};
use scanguard_common::refusal::{Leaving, Memory, Refusal, leaving, silence};
use scanguard_common::speech::{Flow, Listener};
use scanguard_harness::{Frame, GUARDED_V4, GUARDED_V6, OUTSIDE_V4, OUTSIDE_V6};

const FAMILIES: [(IpAddr, IpAddr); 2] =
    [(IpAddr::V4(GUARDED_V4), IpAddr::V4(OUTSIDE_V4)), (IpAddr::V6(GUARDED_V6), IpAddr::V6(OUTSIDE_V6))];

/// What a segment that leaves with these flags and this number is, in each family.
fn says(flags: &str, sequence: u32) -> [Leaving; 2] {
    FAMILIES.map(|(from, to)| {
        let frame = Frame::between(from, to).tcp(80, 1234).flags(flags).seq(sequence).build();
        leaving(&parse(frame.as_slice()).expect("a TCP segment"))
    })
}

#[test]
fn whatever_carries_on_a_conversation_is_speech() {
    for flags in ["S", "SA", "A", "PA", "FA", "F", "SEC"] {
        assert_eq!(says(flags, 7), [Leaving::Speech; 2], "{flags}");
    }
}

#[test]
fn resets_are_told_apart_by_what_they_answer() {
    assert_eq!(says("RA", 0), [Leaving::Refusal(Refusal::ClosedPort); 2]);
    assert_eq!(says("R", 0), [Leaving::Refusal(Refusal::Stray); 2]);
    assert_eq!(says("R", 7), [Leaving::Refusal(Refusal::Stray); 2]);
    assert_eq!(says("RA", 7), [Leaving::Other; 2], "it ends a connection");
}

#[test]
fn an_association_is_refused_by_its_first_chunk() {
    for (here, there) in FAMILIES {
        for kind in 0..=u8::MAX {
            let frame = Frame::between(here, there).sctp(80, 1234).chunk(kind, 0, &[]).build();
            let said = leaving(&parse(frame.as_slice()).expect("an SCTP packet"));
            let expected = if kind == 6 { Leaving::Refusal(Refusal::Abort) } else { Leaving::Speech };
            assert_eq!(said, expected, "chunk {kind}");
        }
    }
}

#[test]
fn icmp_refuses_with_few_of_its_messages() {
    for kind in 0..=u8::MAX {
        for code in 0..=15 {
            let [(v4, outside_v4), (v6, outside_v6)] = FAMILIES;
            let refuses = |frame: Vec<u8>| {
                leaving(&parse(frame.as_slice()).expect("a message"))
                    == Leaving::Refusal(Refusal::Unreachable)
            };
            let ipv4 = refuses(Frame::between(v4, outside_v4).icmp(kind, code).build());
            assert_eq!(ipv4, kind == 3 && [2, 3, 9, 10, 13].contains(&code), "ICMP {kind} {code}");
            let ipv6 = refuses(Frame::between(v6, outside_v6).icmpv6(kind, code).build());
            let expected = kind == 1 && [1, 4, 5, 6].contains(&code) || (kind, code) == (4, 1);
            assert_eq!(ipv6, expected, "ICMPv6 {kind} {code}");
        }
    }
}

/// Everything that can speak for a refusal, all of it absent by default.
#[derive(Clone, Copy, Default)]
struct Known {
    allowed: bool,
    spoken: bool,
    listened: bool,
    budget: bool,
    guests: bool,
    closed_ports_answer: bool,
    answer: bool,
}

impl Memory for Known {
    fn closed_ports_answer(&self) -> bool {
        self.closed_ports_answer
    }

    fn is_ours(&self, _: &Packet) -> bool {
        !self.guests
    }

    fn allows(&self, _: Address) -> bool {
        self.allowed
    }

    fn has_spoken(&self, _: &Flow) -> bool {
        self.spoken
    }

    fn quotes_an_answer(&self, _: &Packet) -> bool {
        self.answer
    }

    fn listened_lately(&self, listener: Listener) -> bool {
        assert_eq!(listener, Listener::at(Family::V4, Port(80)), "the port of this host");
        self.listened
    }

    fn spend_on_reset(&self, _: Address) -> bool {
        self.budget
    }
}

fn silenced(refusal: Refusal, known: Known) -> Option<Cause> {
    let frame = Frame::ipv4(GUARDED_V4, OUTSIDE_V4).tcp(80, 1234).flags("R").build();
    silence(refusal, &parse(frame.as_slice()).expect("a TCP segment"), &known)
}

#[test]
fn nothing_is_silenced_for_those_who_are_allowed_nor_of_others() {
    for refusal in [Refusal::ClosedPort, Refusal::Stray, Refusal::Unreachable] {
        assert_eq!(silenced(refusal, Known { allowed: true, ..Known::default() }), None);
        assert_eq!(
            silenced(refusal, Known { guests: true, ..Known::default() }),
            None,
            "a routed guest's own"
        );
        let cause = silenced(refusal, Known::default()).expect("nothing speaks for it");
        assert_eq!(cause.action(), Action::Drop);
    }
}

#[test]
fn each_refusal_has_its_own_excuse() {
    let answer = Known { closed_ports_answer: true, ..Known::default() };
    let late = Known { answer: true, ..Known::default() };
    let (spoken, listened, budget) = (
        Known { spoken: true, ..Known::default() },
        Known { listened: true, ..Known::default() },
        Known { budget: true, ..Known::default() },
    );
    for (refusal, known, expected) in [
        (Refusal::ClosedPort, answer, None),
        (Refusal::Unreachable, answer, None),
        (Refusal::Stray, answer, Some(Cause::StraySilenced)),
        (Refusal::ClosedPort, listened, None),
        (Refusal::ClosedPort, spoken, Some(Cause::ResetSilenced)),
        (Refusal::ClosedPort, budget, Some(Cause::ResetSilenced)),
        (Refusal::Stray, spoken, None),
        (Refusal::Stray, budget, None),
        (Refusal::Stray, listened, Some(Cause::StraySilenced)),
        (Refusal::Abort, answer, None),
        (Refusal::Abort, spoken, None),
        (Refusal::Abort, listened, Some(Cause::ResetSilenced)),
        (Refusal::Abort, budget, Some(Cause::ResetSilenced)),
        (Refusal::Unreachable, spoken, Some(Cause::UnreachableSilenced)),
        (Refusal::Unreachable, listened, Some(Cause::UnreachableSilenced)),
        (Refusal::Unreachable, budget, Some(Cause::UnreachableSilenced)),
        (Refusal::Unreachable, late, None),
        (Refusal::ClosedPort, late, Some(Cause::ResetSilenced)),
    ] {
        assert_eq!(silenced(refusal, known), expected, "{refusal:?}");
    }
}

#[test]
fn a_flow_has_one_name_in_both_directions() {
    for (here, there) in FAMILIES {
        let out = Frame::between(here, there).tcp(80, 1234).flags("A").build();
        let back = Frame::between(there, here).tcp(1234, 80).flags("A").build();
        let [out, back] = [out, back].map(|frame| parse(frame.as_slice()).expect("a TCP segment"));
        assert_eq!(Flow::of_outgoing(&out), Flow::of_incoming(&back));
        assert_ne!(Flow::of_incoming(&out), Flow::of_incoming(&back));
    }
}
