//! Segments that would be normal in a connection, and come without one: the socket table tells them apart.

use scanguard_common::cause::Cause;

use super::picture::Step::{Back, Out};
use super::topic::{Answers, Lesson, Probe, Reading, Topic};

const ASKED_FIRST: &str = "It asks the kernel's socket table first: a segment of a connection that this \
    host knows, in whatever state, passes (in-connection).";

const MARKED: &str = "nmap gives itself away: it sends every such probe with sequence number 0, while a \
    real connection begins at a random number (RFC 9293, section 3.4.1). So this segment was made by \
    hand, and is dropped. Without the mark it would be a stray, which may be honest, and draws the RST \
    a few times (see: scanguard explain stray).";

const ONE_IN_FOUR_BILLION: &str = "Only by a coincidence: a segment whose connection this host has \
    forgotten would have to carry sequence number 0, which one in four billion does. Its sender tries \
    again with the same number, and gives up after a while.";

const SAME_FROM_BOTH: &str = "On Linux an open and a closed port send the same RST, so all it tells is \
    that a host is there, and that no filter stands before it.";

const NAT: &str = "Behind this host there may be containers and guests, and a packet filter may redirect a port: \
    then no socket is found here, but this side has spoken in the flow (in-flow), or will answer.";

const WHO_IS_ASTRAY: &str = "The peers of a host that crashed, of a service that restarted, of a \
    connection that was closed long ago: they go on sending, and only the RST tells them that the \
    connection is gone.";

const BUDGET: &str = "Each source (over IPv6, each /64) has a budget for such segments: 16 at once, and one more each second. \
    All of them together have 4,096 at once on each processor, and 1,024 more each second. Those beyond either are dropped, \
    and counted as stray-flood.";

/// What falls into this group.
pub(super) static TOPICS: &[Topic] = &[
    Topic {
        cause: Cause::AckProbe,
        title: "ACK scan, Window scan",
        aliases: &["ack", "ack-scan", "window", "window-scan"],
        what: &[
            "An ACK scan (nmap -sA) sends segments that look like the middle of a connection. It does \
             not ask whether a port is open, but whether a packet filter lets it through: an RST means \
             that nothing is in the way.",
            "A Window scan (nmap -sW) sends the same segment and looks at the window in the RST, \
             because on a few old systems open ports put another number there than closed ones. Linux \
             always puts 0.",
            SAME_FROM_BOTH,
        ],
        lesson: Lesson::Probe(Probe {
            lane: &[Out("ACK, sequence number 0"), Back("RST")],
            oddity: "The probe is the third step of a handshake without the two before it: it \
                     acknowledges a SYN/ACK that nobody sent.",
            reading: &Reading::ACK,
            without: Answers::FROM_EITHER,
            with: Answers::SILENCE,
            honest: &[ONE_IN_FOUR_BILLION],
        }),
        tools: &[
            "nmap -Pn -sA -p 22,81 HOST",
            "nmap -Pn -sW -p 22,81 HOST",
            "hping3 -c 1 -A --setseq 0 -p 81 HOST",
        ],
        verdict: &[ASKED_FIRST, MARKED],
    },
    Topic {
        cause: Cause::MaimonProbe,
        title: "Maimon scan",
        aliases: &["maimon", "fin-ack"],
        what: &[
            "A Maimon scan, which Uriel Maimon described in Phrack 49 (1996), sends FIN/ACK. By the \
             standard every port answers that with RST, but many systems that descend from BSD kept \
             silent if the port was open.",
            SAME_FROM_BOTH,
        ],
        lesson: Lesson::Probe(Probe {
            lane: &[Out("FIN/ACK, sequence number 0"), Back("RST")],
            oddity: "FIN/ACK is how every connection ends in good order. The probe ends one that was \
                     never opened: the three steps beside it are missing.",
            reading: &Reading::MAIMON,
            without: Answers::FROM_EITHER,
            with: Answers::SILENCE,
            honest: &[ONE_IN_FOUR_BILLION],
        }),
        tools: &["nmap -Pn -sM -p 22,81 HOST", "hping3 -c 1 -F -A --setseq 0 -p 81 HOST"],
        verdict: &[ASKED_FIRST, MARKED],
    },
    Topic {
        cause: Cause::FinProbe,
        title: "FIN scan",
        aliases: &["fin", "fin-scan"],
        what: &["A FIN scan sends TCP segments that end a connection which does not exist. By RFC 9293 \
             (section 3.10.7) a closed port must answer with RST, while an open one ignores it: silence \
             hints at an open port."],
        lesson: Lesson::Probe(Probe {
            lane: &[Out("FIN"), Back("RST/ACK if closed")],
            oddity: "A real FIN comes after the handshake, and with ACK, like every segment after the \
                     first. The probe has neither.",
            reading: &Reading::FIN,
            without: Answers::FROM_CLOSED,
            with: Answers::SILENCE,
            honest: &["Hardly. Some stacks send FIN without ACK, macOS for instance to cancel a connection \
                 that is still being opened. Those find the half-open connection in the socket table, \
                 and pass. One that comes after this host has forgotten it is dropped, and nobody waits \
                 for an answer to it."],
        }),
        tools: &["nmap -Pn -sF -p 22,81 HOST", "hping3 -c 1 -F -p 81 HOST"],
        verdict: &[
            ASKED_FIRST,
            "A bare FIN of no connection is dropped: open and closed ports are silent alike.",
        ],
    },
    Topic {
        cause: Cause::SynAckProbe,
        title: "SYN/ACK out of nowhere: idle scan, backscatter",
        aliases: &["syn-ack", "synack", "idle", "idle-scan", "zombie", "backscatter"],
        what: &[
            "SYN/ACK is the answer to a SYN, and this host sent none. There are two common reasons.",
            "An idle scan (nmap -sI) uses a third host, the zombie, to scan somebody else without being \
             seen. With a SYN/ACK it draws an RST from the zombie, and reads from its IP identification \
             how many packets the zombie has sent meanwhile. Linux leaves little to count, but the RST \
             would still tell that a host is there.",
            "Backscatter: somebody floods a server with SYNs under forged source addresses, and yours \
             is among them. The server means no harm, it only answers.",
        ],
        lesson: Lesson::Probe(Probe {
            lane: &[Out("SYN/ACK"), Back("RST")],
            oddity: "The probe is the second step of a handshake whose first step this host never took.",
            reading: &Reading::OWN_FLAGS,
            without: Answers::FROM_EITHER,
            with: Answers::SILENCE,
            honest: &[
                "The answer to a SYN of this host finds the socket that waits for it, and passes. One \
                 that comes after the program gave up is dropped: the server repeats it a few times, \
                 and forgets it.",
                NAT,
            ],
        }),
        tools: &[
            "nmap -Pn --scanflags SYNACK -p 22,81 HOST",
            "nmap -Pn -sI HOST -p 80 ANOTHER_HOST_OF_YOURS",
            "hping3 -c 1 -S -A -p 81 HOST",
        ],
        verdict: &[ASKED_FIRST, "A SYN/ACK that answers nothing is dropped: nobody is waiting for the RST."],
    },
    Topic {
        cause: Cause::StrayFlood,
        title: "Too many segments of no connection",
        aliases: &["flood", "ack-flood"],
        what: &[
            "Segments with ACK that belong to no connection, and more of them from one source than a \
             few forgotten connections explain, or from more sources than this host can answer. It may be \
             an ACK scan without nmap's mark, or a flood that wants this host to spend its time on sending \
             RSTs.",
            SAME_FROM_BOTH,
        ],
        lesson: Lesson::Probe(Probe {
            lane: &[Out("ACK"), Back("RST"), Out("ACK, and so on"), Back("RST")],
            oddity: "Each segment claims a connection, and none of them has seen a handshake.",
            reading: &Reading::ACK,
            without: Answers::FROM_EITHER,
            with: Answers::SILENCE,
            honest: &[
                "It can, if one address stands for many peers, like a proxy or a provider's NAT, and \
                 this host restarts: more of their connections are stale than the budget has room for. \
                 They are freed by and by, one each second, or when they give up by themselves.",
                NAT,
            ],
        }),
        tools: &["hping3 -c 40 --fast -A -p 81 HOST"],
        verdict: &[ASKED_FIRST, BUDGET],
    },
    Topic {
        cause: Cause::ClosedPort,
        title: "SYN scan, connect scan",
        aliases: &["syn", "syn-scan", "half-open", "stealth", "connect", "connect-scan"],
        what: &[
            "A SYN scan (nmap -sS, masscan, zmap) takes the first step of a normal handshake and looks \
             at the second: SYN/ACK means open, RST means closed. Then it breaks off, so that the \
             program behind the port never hears of it: the connection stays half open. A connect scan \
             (nmap -sT) takes all three steps, as any client does.",
            "One SYN of a scanner is no different from one of a client. What gives a scan away is where \
             it goes: to port after port on which nothing listens.",
        ],
        lesson: Lesson::Probe(Probe {
            lane: &[Out("SYN"), Back("SYN/ACK if open"), Back("RST/ACK if closed"), Out("RST after SYN/ACK")],
            oddity: "The first two steps are the same. A client goes on with ACK; a SYN scan has what \
                     it wanted to know.",
            reading: &Reading::SYN,
            without: Answers::FROM_BOTH,
            with: Answers::FROM_OPEN,
            honest: &[
                "A client that tries a port on which nothing listens, a service that restarts for \
                 instance, waits for an answer and tries again after a second, instead of being refused \
                 at once. As soon as the service listens it gets through.",
                NAT,
            ],
        }),
        tools: &["nmap -Pn -sS -p 22,81 HOST", "nmap -Pn -sT -p 22,81 HOST", "hping3 -c 1 -S -p 81 HOST"],
        verdict: &[
            "Where a program listens the SYN passes (new-connection): a service that is to be used has \
             to be seen. Where none does, the first passes as well (unproven-port), and the RST by which \
             the port turns out to be closed is silenced on its way out. For a few seconds after that, \
             SYNs to the same port are dropped at once: a closed port looks like one behind a filter, \
             and the scanner has to wait for an answer that never comes.",
        ],
    },
    Topic {
        cause: Cause::Stray,
        title: "Segment of no connection",
        aliases: &["survivor"],
        what: &["A segment with ACK that belongs to no connection of this host.", WHO_IS_ASTRAY],
        lesson: Lesson::Probe(Probe {
            lane: &[Out("ACK"), Back("RST")],
            oddity: "The handshake did take place here, but this host has forgotten it (RFC 9293, \
                     section 3.5.1: half-open connections). Or it never did, and the segment is a \
                     probe: one alone does not tell.",
            reading: &Reading::ACK,
            without: Answers::FROM_EITHER,
            with: Answers::FROM_EITHER,
            honest: &[
                "It passes, because it is most likely honest. The budget bounds what a scanner can make \
                 of that.",
            ],
        }),
        tools: &["hping3 -c 1 -A -p 81 HOST"],
        verdict: &[
            ASKED_FIRST,
            "Without a scanner's mark the segment passes, and the kernel answers with the RST that \
             frees an honest peer. A scanner learns from it that a host is there, and nothing about the \
             port.",
            BUDGET,
        ],
    },
    Topic {
        cause: Cause::StrayReset,
        title: "RST of no connection",
        aliases: &["rst", "reset", "rst-scan"],
        what: &["An RST, with or without ACK, that belongs to no connection of this host. Most are late: \
             the connection was closed from both sides at the same time, or packets overtook each \
             other. After a SYN scan of this host there are some as well, with which the scanner's \
             kernel declines the SYN/ACKs that it did not ask for."],
        lesson: Lesson::Probe(Probe {
            lane: &[Out("RST")],
            oddity: "RST breaks off what the handshake began. Without a connection there is nothing to \
                     break off.",
            reading: &Reading::OWN_FLAGS,
            without: Answers::SILENCE,
            with: Answers::SILENCE,
            honest: &["It passes, so no."],
        }),
        tools: &["nmap -Pn --scanflags RST -p 22,81 HOST", "hping3 -c 1 -R -p 81 HOST"],
        verdict: &["It passes. RFC 9293 (section 3.10.7) forbids any answer to it, so a scanner learns \
             nothing, and dropping it would gain nothing."],
    },
];
