//! What is not understood: it passes, and is counted by what was wrong with it.

use scanguard_common::cause::Cause;

use super::topic::{Lesson, Topic};

const HOST_DISCARDS: &str = "It passes, because scanguard drops only what it understands. The host's \
    own checks discard it, and nothing is answered to it.";

/// What falls into this group.
pub(super) static TOPICS: &[Topic] = &[
    Topic {
        cause: Cause::TooManyTags,
        title: "More than two VLAN tags",
        aliases: &["vlan"],
        what: &["An Ethernet frame can carry VLAN tags before its payload: one (IEEE 802.1Q) or two \
             (802.1ad). Three or more are legal, but next to unknown outside of test labs."],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &[
            "It passes without a look inside. If such networks are yours, guard the interface of the \
             inner VLAN instead: there the tags are gone.",
        ],
    },
    Topic {
        cause: Cause::TruncatedLink,
        title: "Cut short in its Ethernet header",
        aliases: &[],
        what: &[
            "A frame that ends within its Ethernet header or its VLAN tags. Usually a fault of a driver \
             or a cable.",
        ],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &[HOST_DISCARDS],
    },
    Topic {
        cause: Cause::TruncatedNetwork,
        title: "Cut short in its IP header",
        aliases: &[],
        what: &["A frame that says it carries IPv4 or IPv6, and ends within the header or one of IPv6's \
             extension headers. Usually a broken sender, or one that tests for faults."],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &[HOST_DISCARDS],
    },
    Topic {
        cause: Cause::TruncatedTransport,
        title: "Cut short in its transport header",
        aliases: &[],
        what: &["An IP packet that ends within its TCP, UDP, ICMP or SCTP header. No stack sends it; fault \
             tests do. (The first of several fragments has a name of its own: tiny-fragment.)"],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &[HOST_DISCARDS],
    },
    Topic {
        cause: Cause::WrongIpVersion,
        title: "Wrong IP version",
        aliases: &[],
        what: &["The frame's Ethernet type says IPv4 or IPv6, and the first four bits of the packet say \
             something else."],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &[HOST_DISCARDS],
    },
    Topic {
        cause: Cause::BadIpHeaderLength,
        title: "IPv4 header too short",
        aliases: &[],
        what: &["An IPv4 header is at least 20 bytes long (RFC 791, section 3.1). This one claims to be \
             shorter."],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &[HOST_DISCARDS],
    },
    Topic {
        cause: Cause::BadIpLength,
        title: "Wrong IP length",
        aliases: &[],
        what: &["The length in the IP header is less than the header itself, or more than the frame has: \
             something was cut off, or made up."],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &[HOST_DISCARDS],
    },
    Topic {
        cause: Cause::BadDataOffset,
        title: "Wrong length of the TCP header",
        aliases: &["data-offset"],
        what: &["A TCP header is at least 20 bytes long, and says itself how long (RFC 9293, section 3.1: \
             data offset). This one claims to be shorter, or longer than the whole packet."],
        lesson: Lesson::Words,
        tools: &["hping3 -c 1 -S --tcpoff 4 -p 81 HOST"],
        verdict: &[HOST_DISCARDS],
    },
    Topic {
        cause: Cause::TooManyExtensions,
        title: "Too many IPv6 extension headers",
        aliases: &["extension-headers"],
        what: &["IPv6 can put extension headers before the transport header. Honest packets have one or \
             two; scanners chain many to hide behind them. This packet has more than scanguard follows \
             (16)."],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &["It passes without a look at what follows: in doubt nothing is dropped."],
    },
    Topic {
        cause: Cause::LaterFragment,
        title: "Later fragment",
        aliases: &["fragment"],
        what: &["IP cuts a packet that is too long for the way into fragments. Only the first has the \
             transport header with its ports and flags; this is one of the others."],
        lesson: Lesson::Words,
        tools: &["hping3 -c 1 -S -f -p 81 HOST"],
        verdict: &[
            "It passes. The host can make nothing of it without the first fragment, and that one was \
             judged.",
        ],
    },
];
