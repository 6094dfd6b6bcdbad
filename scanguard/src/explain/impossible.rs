//! Flags that no connection ever has: dropped for what they are, before anything is looked up.

use scanguard_common::cause::Cause;

use super::picture::Step::{Back, Out};
use super::topic::{Answers, Lesson, Probe, Reading, Topic};

const SILENCE_HINTS: &str = "RFC 9293 (section 3.10.7) makes it work: a closed port must answer such a \
    segment with RST, an open one ignores it. So silence hints at an open port, no connection is made \
    that a program could log, and a simple packet filter that looks only for SYN lets the probe \
    through.";

const DROPPED_FOR_FLAGS: &str = "It drops the segment for its flags alone, before any look-up, whether \
    the port is open or not. Both are silent then, and so is a host that is not there: the scan learns \
    nothing.";

const NEVER_ANSWERED: &str = "RFC 9293 (section 3.10.7) forbids any answer to a segment with RST where \
    there is no connection, so this one asks in vain. It is sent to see what a packet filter lets \
    through, to confuse one, or by tools that try all flags.";

const NO_STACK: &str =
    "No. No TCP stack sends these flags, in whatever state: whoever does has made the segment by hand.";

/// What falls into this group.
pub(super) static TOPICS: &[Topic] = &[
    Topic {
        cause: Cause::TcpNull,
        title: "NULL scan",
        aliases: &["null", "no-flags"],
        what: &[
            "A NULL scan sends TCP segments without any flag. No segment of a real connection is like \
             that: SYN opens it, ACK is on everything that follows, FIN or RST ends it.",
            SILENCE_HINTS,
        ],
        lesson: Lesson::Probe(Probe {
            lane: &[Out("no flags"), Back("RST/ACK if closed")],
            oddity: "The probe neither opens a connection, like the SYN beside it, nor belongs to one, \
                     like the ACK.",
            reading: &Reading::NULL,
            without: Answers::FROM_CLOSED,
            with: Answers::SILENCE,
            honest: &[NO_STACK],
        }),
        tools: &["nmap -Pn -sN -p 22,81 HOST", "hping3 -c 1 -p 81 HOST"],
        verdict: &[DROPPED_FOR_FLAGS],
    },
    Topic {
        cause: Cause::TcpXmas,
        title: "XMAS scan",
        aliases: &["xmas", "christmas", "christmas-tree"],
        what: &[
            "An XMAS scan sends TCP segments with FIN, PSH and URG: lit up like a Christmas tree. FIN \
             says \"I am done\", PSH \"hand this to the program now\", URG \"look at this first\". Each \
             of them belongs to a connection, and in a connection each comes with ACK. Here there is \
             neither.",
            SILENCE_HINTS,
        ],
        lesson: Lesson::Probe(Probe {
            lane: &[Out("FIN/PSH/URG"), Back("RST/ACK if closed")],
            oddity: "The handshake comes first, and every segment after the first SYN has ACK. The \
                     probe ends, pushes and hurries a connection that was never opened, and \
                     acknowledges nothing.",
            reading: &Reading::XMAS,
            without: Answers::FROM_CLOSED,
            with: Answers::SILENCE,
            honest: &[NO_STACK],
        }),
        tools: &["nmap -Pn -sX -p 22,81 HOST", "hping3 -c 1 -F -P -U -p 81 HOST"],
        verdict: &[DROPPED_FOR_FLAGS],
    },
    Topic {
        cause: Cause::TcpFullXmas,
        title: "Full XMAS scan",
        aliases: &["full-xmas", "all-flags"],
        what: &[
            "The XMAS scan with all the lights on: FIN, SYN, RST, PSH, ACK and URG in one segment.",
            NEVER_ANSWERED,
        ],
        lesson: Lesson::Probe(Probe {
            lane: &[Out("FIN/SYN/RST/PSH/ACK/URG")],
            oddity: "The probe opens, accepts, carries, ends and breaks a connection, all at once; the \
                     handshake beside it takes one step at a time.",
            reading: &Reading::OWN_FLAGS,
            without: Answers::SILENCE,
            with: Answers::SILENCE,
            honest: &[NO_STACK],
        }),
        tools: &[
            "nmap -Pn --scanflags URGACKPSHRSTSYNFIN -p 22,81 HOST",
            "hping3 -c 1 -F -S -R -P -A -U -p 81 HOST",
        ],
        verdict: &[DROPPED_FOR_FLAGS],
    },
    Topic {
        cause: Cause::TcpSynFin,
        title: "SYN/FIN scan",
        aliases: &["syn-fin", "synfin"],
        what: &[
            "A SYN/FIN scan sends TCP segments that open and end a connection at once. Some systems \
             take them for a plain SYN, and some packet filters, looking only for SYN without other \
             flags, do not: so the probe slips past the one and is answered by the other. nmap's OS \
             detection (-O) sends some too, with PSH and URG.",
            "Linux is not among those systems. Its open ports ignore the segment and its closed ones \
             send RST, so here too it is silence that hints at an open port.",
        ],
        lesson: Lesson::Probe(Probe {
            lane: &[Out("FIN/SYN"), Back("RST/ACK if closed")],
            oddity: "SYN and FIN are the first and the last word of a connection. Whatever speaks TCP \
                     says them in different segments, with the handshake in between.",
            reading: &Reading::OWN_FLAGS,
            without: Answers::FROM_CLOSED,
            with: Answers::SILENCE,
            honest: &["Hardly. No TCP stack of today sends these flags. T/TCP (RFC 1644) once did, to say \
                 everything in one segment; RFC 6247 retired it."],
        }),
        tools: &["nmap -Pn --scanflags SYNFIN -p 22,81 HOST", "hping3 -c 1 -S -F -p 81 HOST"],
        verdict: &[DROPPED_FOR_FLAGS],
    },
    Topic {
        cause: Cause::TcpSynRst,
        title: "SYN/RST scan",
        aliases: &["syn-rst", "synrst"],
        what: &[
            "A SYN/RST scan sends TCP segments that open and reset a connection at once.",
            NEVER_ANSWERED,
        ],
        lesson: Lesson::Probe(Probe {
            lane: &[Out("SYN/RST")],
            oddity: "The probe asks for a connection and breaks it off in the same breath. In the \
                     handshake, SYN is followed by an answer; RST comes only where something went \
                     wrong.",
            reading: &Reading::OWN_FLAGS,
            without: Answers::SILENCE,
            with: Answers::SILENCE,
            honest: &[NO_STACK],
        }),
        tools: &["nmap -Pn --scanflags SYNRST -p 22,81 HOST", "hping3 -c 1 -S -R -p 81 HOST"],
        verdict: &[DROPPED_FOR_FLAGS],
    },
    Topic {
        cause: Cause::TcpFinRst,
        title: "FIN/RST scan",
        aliases: &["fin-rst", "finrst"],
        what: &["A FIN/RST scan sends TCP segments that end and reset a connection at once.", NEVER_ANSWERED],
        lesson: Lesson::Probe(Probe {
            lane: &[Out("FIN/RST")],
            oddity: "There are two ways to end what the handshake began: politely by FIN, which the \
                     other side acknowledges, or at once by RST, which it does not. No stack uses both \
                     in one segment.",
            reading: &Reading::OWN_FLAGS,
            without: Answers::SILENCE,
            with: Answers::SILENCE,
            honest: &[NO_STACK],
        }),
        tools: &["nmap -Pn --scanflags FINRST -p 22,81 HOST", "hping3 -c 1 -F -R -p 81 HOST"],
        verdict: &[DROPPED_FOR_FLAGS],
    },
    Topic {
        cause: Cause::TcpNoAck,
        title: "Scan with PSH or URG but no ACK",
        aliases: &["no-ack", "psh", "urg"],
        what: &[
            "PSH and URG say something about data, and data always comes with ACK (RFC 9293, section \
             3.1: once a connection is there, ACK is always sent). A segment with PSH, URG or both but \
             without ACK, SYN and RST is a cousin of the XMAS scan.",
            SILENCE_HINTS,
        ],
        lesson: Lesson::Probe(Probe {
            lane: &[Out("PSH/URG"), Back("RST/ACK if closed")],
            oddity: "Data may flow after the third step of the handshake, and from that step on ACK is \
                     on every segment. The probe pushes data, or hurries it, without any of that.",
            reading: &Reading::OWN_FLAGS,
            without: Answers::FROM_CLOSED,
            with: Answers::SILENCE,
            honest: &[NO_STACK],
        }),
        tools: &["nmap -Pn --scanflags URGPSH -p 22,81 HOST", "hping3 -c 1 -P -U -p 81 HOST"],
        verdict: &[DROPPED_FOR_FLAGS],
    },
    Topic {
        cause: Cause::TcpReserved,
        title: "Probe with reserved bits",
        aliases: &["reserved", "os", "os-detection", "fingerprint"],
        what: &[
            "Between the header's length and its flags, TCP keeps three bits that mean nothing yet and \
             must be 0 (RFC 9293, section 3.1). nmap's OS detection (-O) sets one of them in a SYN, \
             next to ECE and CWR, because what a system makes of it tells which system it is.",
            "Linux looks past the bit: a SYN with it is answered like any SYN, which also makes it a \
             SYN scan that a strict packet filter may not recognise.",
        ],
        lesson: Lesson::Probe(Probe {
            lane: &[Out("SYN/ECE/CWR + reserved"), Back("SYN/ACK/ECE if open"), Back("RST/ACK if closed")],
            oddity: "This is a handshake's first step, but for a bit that nobody sets. ECE and CWR are \
                     not what is wrong with it: a SYN with both asks for congestion notification (RFC \
                     3168), as many clients do.",
            reading: &Reading::ANY_SYN,
            without: Answers::FROM_BOTH,
            with: Answers::SILENCE,
            honest: &[
                "Not today. The neighbour of these bits, AE, was reserved too until RFC 9768 gave it a \
                 meaning: so AE, ECE and CWR are never held against a segment. Should one of the last \
                 three be given a meaning one day, scanguard has to learn it.",
            ],
        }),
        tools: &["nmap -Pn -O -p 22,81 HOST"],
        verdict: &[DROPPED_FOR_FLAGS],
    },
];
