//! What this host would have answered to probes that came in: silenced on the way out.

use scanguard_common::cause::Cause;

use super::topic::{Lesson, Topic};

const PROOF: &str = "A refusal is proof that a probe has hit something closed, wherever that is: at this \
    host or at a guest behind it. So it is silenced on its way out, and what was meant to be learned \
    from it is not.";

const ALLOWED: &str = "Peers on the allowlist hear it.";

/// What falls into this group.
pub(super) static TOPICS: &[Topic] = &[
    Topic {
        cause: Cause::ResetSilenced,
        title: "A closed port's RST, silenced",
        aliases: &["refused", "refusal"],
        what: &[
            "A SYN, or another segment without ACK, has reached a closed port: of this host, where the \
             socket table could not tell at the first door, or of a guest behind it. The RST that \
             answers it says \"closed\" to whoever asked.",
            PROOF,
        ],
        lesson: Lesson::Words,
        tools: &["nmap -Pn -sS -p 22,81 HOST"],
        verdict: &[
            "It is dropped on its way out, unless the port accepted connections during the last five \
             minutes: then its service may be restarting, and its clients should know.",
            ALLOWED,
        ],
    },
    Topic {
        cause: Cause::StraySilenced,
        title: "A stray's RST, silenced",
        aliases: &["stray-reset-silenced"],
        what: &[
            "A segment with ACK has reached this host, or a guest behind it, without a connection, and is \
             answered by RST. A few of them go out, because the peers of a host that restarted need them.",
        ],
        lesson: Lesson::Words,
        tools: &["nmap -Pn -sA -p 1-100 HOST"],
        verdict: &[
            "Beyond the few that one peer may draw, they are dropped on their way out. RSTs in a flow in \
             which this side has spoken always go out: they end connections.",
            ALLOWED,
        ],
    },
    Topic {
        cause: Cause::UnreachableSilenced,
        title: "An ICMP refusal, silenced",
        aliases: &["udp-scan", "unreachable"],
        what: &[
            "A datagram has reached a UDP port where nothing is bound, or a protocol that this host does \
             not speak, or a filter that rejects it. The ICMP message that says so is all that a UDP \
             scan or a protocol scan listens for: from an open port usually nothing comes.",
            PROOF,
        ],
        lesson: Lesson::Words,
        tools: &["nmap -Pn -sU -p 53,81 HOST", "nmap -Pn -sO HOST"],
        verdict: &[
            "It is dropped on its way out. ICMP messages without which networks do not work always go \
             out: fragmentation needed, packet too big, time exceeded, and answers to ping. Somebody's \
             traceroute to this host ends without its last line.",
            ALLOWED,
        ],
    },
];
