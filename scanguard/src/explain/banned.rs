//! Contacts that are refused because of who makes them, or of what they touch.

use scanguard_common::cause::Cause;

use super::topic::{Lesson, Topic};

const REFUSES: &str = "It refuses new contacts and nothing else. Connections that exist go on, and so does everything \
    that this host has begun; published ports stay open, and whoever is on the allowlist is not refused.";

/// What falls into this group.
pub(super) static TOPICS: &[Topic] = &[
    Topic {
        cause: Cause::DecoyPort,
        title: "A decoy was touched",
        aliases: &["decoy", "honeypot"],
        what: &[
            "A SYN or a datagram to a port that the operator has named as a decoy, and where nothing is. Nobody \
             who knows this host has any reason to try it.",
        ],
        lesson: Lesson::Words,
        tools: &["nmap -Pn -sS -p 23 HOST"],
        verdict: &["It is dropped, and weighs as much against its source as three closed ports."],
    },
    Topic {
        cause: Cause::Banned,
        title: "A banned source comes back",
        aliases: &["ban"],
        what: &["A new contact of a source that has scanned this host. How its score came about is told by \
             `scanguard explain ADDRESS`; who is banned, by `scanguard ban list`."],
        lesson: Lesson::Words,
        tools: &["nmap -Pn -sS -p 1-100 HOST", "nmap -Pn -sT -p 22 HOST"],
        verdict: &[
            REFUSES,
            "A ban ends by itself, after ten minutes the first time, and twice as long each time after. \
             `scanguard ban remove ADDRESS` lifts it.",
        ],
    },
    Topic {
        cause: Cause::BannedNetwork,
        title: "A neighbour of banned sources",
        aliases: &["network-ban", "neighbour"],
        what: &[
            "A new contact from an IPv4 /24 or an IPv6 /56 of which several sources are banned for scanning at the \
             same time: eight, unless the policy says otherwise (`network` in [ban]). The next address of it is likely \
             to be the same scanner's.",
        ],
        lesson: Lesson::Words,
        tools: &["nmap -Pn -sT -p 22 HOST"],
        verdict: &[
            REFUSES,
            "Nor is a network banned where anybody has a connection with this host, but for published ports, or had \
             one in the last two hours. `scanguard ban list` shows it, and `scanguard ban remove PREFIX` lifts it.",
        ],
    },
    Topic {
        cause: Cause::Denied,
        title: "A source that the operator has banned",
        aliases: &["denied-source"],
        what: &["A new contact from a prefix that was banned by `scanguard ban add`."],
        lesson: Lesson::Words,
        tools: &["nmap -Pn -sT -p 22 HOST"],
        verdict: &[REFUSES],
    },
    Topic {
        cause: Cause::PingSilenced,
        title: "A ping that is not answered",
        aliases: &["silent-ping", "ping-sweep"],
        what: &["An echo request, by which anybody finds out that this host is up."],
        lesson: Lesson::Words,
        tools: &["ping -c 1 HOST", "nmap -sn -PE HOST"],
        verdict: &[
            "Pings are answered unless the operator has chosen otherwise, because people look for faults \
             with them. Here it was chosen that they are not.",
        ],
    },
];
