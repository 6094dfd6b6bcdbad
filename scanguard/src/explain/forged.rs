//! Headers that no stack writes, whatever they carry: dropped for what they are.

use scanguard_common::cause::Cause;

use super::topic::{Lesson, Topic};

const DROPPED_FOR_HEADERS: &str = "It is dropped for its headers alone, if it is for this host, and \
    nothing is answered.";

/// What falls into this group.
pub(super) static TOPICS: &[Topic] = &[
    Topic {
        cause: Cause::TinyFragment,
        title: "First fragment without a whole transport header",
        aliases: &["tiny", "fragment-scan"],
        what: &[
            "A packet cut into fragments so small that not even the first has the whole TCP header: its \
             flags lie in the second. No network needs that, because every one carries 68 bytes in one \
             piece (RFC 791); scanners do it (nmap -f) to get past filters that look at one fragment at \
             a time (RFC 1858).",
        ],
        lesson: Lesson::Words,
        tools: &["nmap -Pn -f -sS -p 22,81 HOST", "hping3 -c 1 -S -f -p 81 HOST"],
        verdict: &[
            DROPPED_FOR_HEADERS,
            "Without its first fragment the host cannot put the packet together, so the others may pass.",
        ],
    },
    Topic {
        cause: Cause::OverlappingFragment,
        title: "Fragment that begins within a TCP header",
        aliases: &["overlap", "overlapping"],
        what: &[
            "A later fragment that begins 8 or 16 bytes into the TCP segment, where the header, 20 bytes \
             at least, has not ended yet. Put together with a harmless first fragment it would replace \
             the flags that a filter has seen (RFC 1858, section 3).",
        ],
        lesson: Lesson::Words,
        tools: &["nmap -Pn -f -sS -p 22,81 HOST"],
        verdict: &[
            DROPPED_FOR_HEADERS,
            "Honest fragments of TCP begin much further on: no network has packets that short.",
        ],
    },
    Topic {
        cause: Cause::IpOptions,
        title: "IPv4 options before TCP or UDP",
        aliases: &["options", "source-route", "record-route"],
        what: &[
            "IPv4 can carry options: the route to take, the route taken, timestamps. With TCP and UDP no \
             stack sends any, while scanners use them to learn the way to a host and to get around \
             filters. IGMP and RSVP, which need an option, are not meant here.",
        ],
        lesson: Lesson::Words,
        tools: &["nmap -Pn -sS --ip-options R -p 22,81 HOST"],
        verdict: &[DROPPED_FOR_HEADERS],
    },
    Topic {
        cause: Cause::Land,
        title: "Source and destination are the same",
        aliases: &["land-attack", "self"],
        what: &[
            "A packet from the network that claims to come from the very address it is for. What a host \
             sends to itself never reaches the network, so the source is forged. In 1997 such a packet, \
             called LAND, made hosts answer themselves until they hung.",
        ],
        lesson: Lesson::Words,
        tools: &["hping3 -c 1 -S -a HOST -p 22 HOST"],
        verdict: &[DROPPED_FOR_HEADERS],
    },
    Topic {
        cause: Cause::BadSource,
        title: "From an address that no host has",
        aliases: &["martian", "spoofed"],
        what: &[
            "A packet from a multicast address, from the broadcast address or from loopback (127.0.0.1, \
             ::1). No host has the first two, and the last never leaves its host: the source is forged.",
        ],
        lesson: Lesson::Words,
        tools: &["hping3 -c 1 -S -a 127.0.0.1 -p 22 HOST"],
        verdict: &[DROPPED_FOR_HEADERS],
    },
    Topic {
        cause: Cause::PortZero,
        title: "Port 0",
        aliases: &["zero-port"],
        what: &["TCP or UDP for port 0, which is reserved: no program can listen there (RFC 6335). Each \
             system answers it a little differently, so fingerprinting tools ask. TCP from port 0 is as \
             odd; UDP from port 0 is legal, and says that no answer is wanted (RFC 768)."],
        lesson: Lesson::Words,
        tools: &["nmap -Pn -sS -p 0 HOST", "hping3 -c 1 -S -p 0 HOST"],
        verdict: &[DROPPED_FOR_HEADERS],
    },
    Topic {
        cause: Cause::IcmpProbe,
        title: "ICMP question that only scanners ask",
        aliases: &["timestamp", "address-mask", "icmp-timestamp"],
        what: &["ICMP can ask for more than an echo: what time it is, what the network's mask is. Nothing \
             needs that any more (RFC 6918), but a host that answers gives away that it is there, and \
             its clock. An echo request with a code other than 0 is no ping: nmap -O sends it, because \
             systems differ in what they do with the code."],
        lesson: Lesson::Words,
        tools: &["nmap -sn -PP HOST", "nmap -sn -PM HOST", "hping3 -c 1 -1 -C 13 HOST"],
        verdict: &[
            DROPPED_FOR_HEADERS,
            "A normal ping, and all error messages of ICMP, are not meant: they pass.",
        ],
    },
];
