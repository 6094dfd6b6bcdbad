//! What a topic is made of, and the facts that many topics share.

use std::fmt;
use std::iter;

use scanguard_common::cause::Cause;

use super::picture::Step;

/// Everything there is to say about one cause. Paragraphs are wrapped when they are shown.
pub(crate) struct Topic {
    /// The cause.
    pub(super) cause: Cause,
    /// What people call it, as a heading.
    pub(super) title: &'static str,
    /// Other names it is found by, in lower case.
    pub(super) aliases: &'static [&'static str],
    /// What it is, in paragraphs.
    pub(super) what: &'static [&'static str],
    /// How it is taught.
    pub(super) lesson: Lesson,
    /// Commands that send such a packet to `HOST`; none where no common tool does.
    pub(super) tools: &'static [&'static str],
    /// What scanguard does and why, in paragraphs.
    pub(super) verdict: &'static [&'static str],
}

impl Topic {
    /// Every name it is found by: the cause's first.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        iter::once(self.cause.name()).chain(self.aliases.iter().copied())
    }
}

/// How a topic is taught.
pub(super) enum Lesson {
    /// In words.
    Words,
    /// With a picture of the normal handshake.
    Handshake,
    /// As a probe next to the normal handshake, with what it would have learned.
    Probe(Probe),
}

/// A packet that asks something without a connection.
pub(super) struct Probe {
    /// What goes to and fro, beginning with the probe; answers are those without scanguard.
    pub(super) lane: &'static [Step],
    /// What tells it from the handshake beside it, in one paragraph.
    pub(super) oddity: &'static str,
    /// How a scanner reads the answers.
    pub(super) reading: &'static Reading,
    /// What Linux answers by itself.
    pub(super) without: Answers,
    /// What comes back where scanguard is.
    pub(super) with: Answers,
    /// Which honest packets look like it, and what becomes of those, in paragraphs.
    pub(super) honest: &'static [&'static str],
}

/// What comes back from a port.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// Silence.
    Nothing,
    /// RST, to a segment with ACK.
    Reset,
    /// RST and ACK, to a segment without ACK.
    ResetAck,
    /// SYN and ACK.
    SynAck,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Answer::Nothing => "nothing",
            Answer::Reset => "RST",
            Answer::ResetAck => "RST/ACK",
            Answer::SynAck => "SYN/ACK",
        })
    }
}

/// What comes back from a port in each of the three states that a scanner wants to tell apart.
///
/// Measured on Linux 6.18 for all 512 values of the flags; RFC 9293 §3.10.7.1 (closed) and §3.10.7.2
/// (listening) demand the same.
#[derive(Clone, Copy)]
pub(super) struct Answers {
    /// A program listens.
    pub(super) open: Answer,
    /// Nothing listens.
    pub(super) closed: Answer,
    /// A packet filter swallows the probe.
    pub(super) filtered: Answer,
}

impl Answers {
    /// To a segment with RST, and to everything that is dropped.
    pub(super) const SILENCE: Answers =
        Answers { open: Answer::Nothing, closed: Answer::Nothing, filtered: Answer::Nothing };
    /// To a segment with neither SYN, ACK nor RST, and to SYN with FIN.
    pub(super) const FROM_CLOSED: Answers = Answers { closed: Answer::ResetAck, ..Answers::SILENCE };
    /// To a segment with ACK and without RST.
    pub(super) const FROM_EITHER: Answers =
        Answers { open: Answer::Reset, closed: Answer::Reset, ..Answers::SILENCE };
    /// To a SYN.
    pub(super) const FROM_BOTH: Answers =
        Answers { open: Answer::SynAck, closed: Answer::ResetAck, ..Answers::SILENCE };
    /// To a SYN, where closed ports are silenced.
    pub(super) const FROM_OPEN: Answers = Answers { open: Answer::SynAck, ..Answers::SILENCE };
}

/// How one kind of nmap's scans reads an answer.
pub(super) struct Reading {
    /// The scan, as one would type it.
    pub(super) scan: &'static str,
    nothing: &'static str,
    reset: &'static str,
    syn_ack: &'static str,
}

impl Reading {
    pub(super) const NULL: Reading = Reading::of_silence("nmap -sN");
    pub(super) const FIN: Reading = Reading::of_silence("nmap -sF");
    pub(super) const XMAS: Reading = Reading::of_silence("nmap -sX");
    pub(super) const MAIMON: Reading = Reading::of_silence("nmap -sM");
    pub(super) const ACK: Reading =
        Reading { scan: "nmap -sA", nothing: "filtered", reset: "unfiltered", syn_ack: "unfiltered" };
    pub(super) const SYN: Reading = Reading::of_syn("nmap -sS");
    /// Any tool that takes a segment for a SYN.
    pub(super) const ANY_SYN: Reading = Reading::of_syn("a SYN scan");
    /// Flags of one's own choice are read as if a SYN had been sent.
    pub(super) const OWN_FLAGS: Reading = Reading::of_syn("nmap --scanflags");

    /// A scan for which silence is the sign of an open port.
    const fn of_silence(scan: &'static str) -> Reading {
        Reading { scan, nothing: "open|filtered", reset: "closed", syn_ack: "open" }
    }

    const fn of_syn(scan: &'static str) -> Reading {
        Reading { scan, nothing: "filtered", reset: "closed", syn_ack: "open" }
    }

    /// What the scanner reports.
    pub(super) fn of(&self, answer: Answer) -> &'static str {
        match answer {
            Answer::Nothing => self.nothing,
            Answer::Reset | Answer::ResetAck => self.reset,
            Answer::SynAck => self.syn_ack,
        }
    }
}
