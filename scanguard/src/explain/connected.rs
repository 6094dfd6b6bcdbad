//! What belongs to a connection, or begins one: normal traffic.

use scanguard_common::cause::Cause;

use super::topic::{Lesson, Topic};

/// What falls into this group.
pub(super) static TOPICS: &[Topic] = &[
    Topic {
        cause: Cause::InConnection,
        title: "Segment of a connection",
        aliases: &["established", "connection"],
        what: &[
            "A TCP segment for which the kernel has a socket: of an established connection, of one that \
             is being opened by either side, or of one that is ending (FIN_WAIT, CLOSE_WAIT, TIME_WAIT \
             and the rest). On most hosts nearly all traffic is counted here.",
        ],
        lesson: Lesson::Handshake,
        tools: &["curl http://HOST/"],
        verdict: &[
            "It passes, whatever part it plays: ACK, FIN/ACK, SYN/ACK, RST, or a SYN again. That goes \
             for connections that were there before scanguard, too, because the kernel is asked and not \
             a memory of ours. Only flags that no connection ever has are dropped all the same.",
        ],
    },
    Topic {
        cause: Cause::NewConnection,
        title: "SYN to an open port",
        aliases: &["handshake", "open-port", "new"],
        what: &["The first step of a TCP connection to a program that listens: the client sends SYN, the \
             server answers SYN/ACK, and the client's ACK completes it (RFC 9293, section 3.5). With \
             the two SYNs each side tells the random number from which it counts its bytes, and each is \
             acknowledged."],
        lesson: Lesson::Handshake,
        tools: &["curl http://HOST/", "hping3 -c 1 -S -p 22 HOST"],
        verdict: &[
            "It passes. SYN may come with PSH, URG, ECE, CWR or AE: Linux answers all of them like a \
             SYN. A scanner sees that the port is open, as every client does; the closed ports around \
             it stay silent (closed-port).",
        ],
    },
    Topic {
        cause: Cause::SynCookie,
        title: "ACK with a SYN cookie",
        aliases: &["cookie", "syncookie"],
        what: &["Under a flood of SYNs the kernel keeps no record of half-open connections. It hides what \
             it has to know in the sequence number of its SYN/ACK, the cookie, and gets it back in the \
             client's ACK (RFC 4987, section 3.6)."],
        lesson: Lesson::Handshake,
        tools: &[],
        verdict: &["There is no socket yet, only a listener, so this ACK looks like a probe. The kernel is \
             asked whether its cookie is genuine; if so, it passes, and the connection is there."],
    },
    Topic {
        cause: Cause::Allowed,
        title: "From an allowed source",
        aliases: &["allowlist", "allow"],
        what: &["A packet that would have been dropped, from an address on the allowlist. What would have \
             passed anyway is counted under its own cause, whoever sent it."],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &[
            "It passes, so an allowed scanner sees every port as it is. `scanguard allow list` shows \
             who is allowed, `scanguard allow remove` ends it. Source addresses can be forged: allow \
             few.",
        ],
    },
];
