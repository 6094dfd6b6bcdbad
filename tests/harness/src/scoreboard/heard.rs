//! What the guarded host answered, as it was on the cable: scanners may misunderstand or overhear.

use std::collections::BTreeSet;

use scanguard_common::classify::flags::TcpFlags;
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::parse::transport::Message;
use scanguard_common::parse::{Packet, parse};

use super::subject::Subject;

/// The kinds of answers about each of the subjects, in their order.
pub(super) fn sort(frames: &[Vec<u8>], subjects: &[Subject]) -> Vec<BTreeSet<String>> {
    let answers: Vec<Answer> = frames.iter().map(|frame| Answer::read(frame)).collect();
    let about = |subject: &Subject| {
        answers.iter().filter(|answer| answer.is_about(*subject)).map(|answer| answer.kind.clone()).collect()
    };
    subjects.iter().map(about).collect()
}

struct Answer {
    kind: String,
    /// The packet that tells what it is about, as if the guarded host had sent it; of an ICMP error, what it quotes.
    about: Option<Packet>,
}

impl Answer {
    fn read(frame: &[u8]) -> Self {
        let Ok(packet) = parse(frame) else {
            return Self { kind: "unreadable".to_owned(), about: None };
        };
        let message = packet.transport.message;
        match packet.transport.protocol {
            IpProtocol::ICMP if matches!(message.kind, 3 | 11 | 12) => {
                Self { kind: error(4, message), about: quoted(frame, 34) }
            }
            IpProtocol::ICMPV6 if message.kind < 128 => {
                Self { kind: error(6, message), about: quoted(frame, 54) }
            }
            protocol => Self { kind: kind(protocol, &packet), about: Some(packet) },
        }
    }

    /// An answer that does not say what it is about may be about anything.
    fn is_about(&self, subject: Subject) -> bool {
        self.about.is_none_or(|packet| subject.is_subject_of(&packet))
    }
}

/// The packet that an ICMP message at this offset of a frame quotes, turned round.
fn quoted(frame: &[u8], message: usize) -> Option<Packet> {
    let ethernet_type = frame.get(..14)?;
    let packet = frame.get(message + 8..)?;
    parse([ethernet_type, packet].concat().as_slice()).ok().map(|mut packet| {
        packet.turn_round();
        packet
    })
}

fn kind(protocol: IpProtocol, packet: &Packet) -> String {
    match protocol {
        IpProtocol::TCP => flags(packet.transport.segment.flags).to_owned(),
        IpProtocol::UDP => "datagram".to_owned(),
        IpProtocol::ICMP | IpProtocol::ICMPV6 => match packet.transport.message.kind {
            0 | 129 => "echo reply".to_owned(),
            14 => "timestamp reply".to_owned(),
            kind => format!("ICMP {kind}"),
        },
        IpProtocol(number) => format!("protocol {number}"),
    }
}

fn flags(flags: TcpFlags) -> &'static str {
    match (flags.has(TcpFlags::RST), flags.has(TcpFlags::SYN)) {
        (true, _) => "RST",
        (false, true) => "SYN/ACK",
        (false, false) => "conversation",
    }
}

fn error(version: u8, Message { kind, code }: Message) -> String {
    match (version, kind, code) {
        (4, 3, 2) | (6, 4, 1) => "protocol unreachable".to_owned(),
        (4, 3, 3) | (6, 1, 4) => "port unreachable".to_owned(),
        (4, 12, _) | (6, 4, _) => "parameter problem".to_owned(),
        (4, 11, _) | (6, 3, _) => "time exceeded".to_owned(),
        _ => format!("ICMP {kind}/{code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Frame, GUARDED_V4, GUARDED_V6, Learned, OUTSIDE_V4, OUTSIDE_V6};

    const PORTS: [Subject; 2] = [Subject::Open, Subject::Closed];
    const UDP: [Subject; 2] = [Subject::Bound, Subject::Unbound];

    fn kinds(frames: &[Vec<u8>], subjects: &[Subject]) -> Vec<Vec<String>> {
        sort(frames, subjects).into_iter().map(|kinds| kinds.into_iter().collect()).collect()
    }

    fn learned(frames: &[Vec<u8>], subjects: &[Subject]) -> Learned {
        Learned::from_answers(&sort(frames, subjects))
    }

    fn segment(port: u16, flags: &str) -> Vec<u8> {
        Frame::ipv4(GUARDED_V4, OUTSIDE_V4).tcp(port, 40_000).flags(flags).build()
    }

    #[test]
    fn an_answer_belongs_to_the_port_it_comes_from() {
        let frames = [segment(80, "SA"), segment(81, "RA"), segment(81, "RA")];
        assert_eq!(kinds(&frames, &PORTS), [["SYN/ACK"], ["RST"]]);
        assert_eq!(learned(&frames, &PORTS), Learned::ClosedPortsToo);
        assert_eq!(learned(&frames[..1], &PORTS), Learned::PublishedServices);
        assert_eq!(learned(&frames[1..], &PORTS), Learned::ClosedPortsToo);
        assert_eq!(learned(&[segment(80, "R"), segment(81, "R")], &PORTS), Learned::HostIsUp);
        assert_eq!(learned(&[], &PORTS), Learned::Nothing);
    }

    #[test]
    fn an_error_belongs_to_the_port_it_quotes() {
        let v4 = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).udp(40_000, 54).build();
        let v6 = Frame::ipv6(OUTSIDE_V6, GUARDED_V6).udp(40_000, 54).build();
        let errors = [
            Frame::ipv4(GUARDED_V4, OUTSIDE_V4).icmp(3, 3).payload(&v4[14..]).build(),
            Frame::ipv6(GUARDED_V6, OUTSIDE_V6).icmpv6(1, 4).payload(&v6[14..]).build(),
        ];
        for error in errors {
            assert_eq!(kinds(&[error], &UDP), [vec![], vec!["port unreachable".to_owned()]]);
        }
    }

    #[test]
    fn what_does_not_say_what_it_is_about_may_be_about_anything() {
        let error = Frame::ipv4(GUARDED_V4, OUTSIDE_V4).icmp(12, 0).payload(&[0x44; 8]).build();
        assert_eq!(kinds(&[error], &PORTS), [["parameter problem"], ["parameter problem"]]);
    }
}
