//! Packets that one tool in the world writes: they are otherwise what a stack writes, too.

use scanguard_common::cause::Cause;

use super::picture::Step::{Back, Out};
use super::topic::{Answers, Lesson, Probe, Reading, Topic};

/// What falls into this group.
pub(super) static TOPICS: &[Topic] = &[Topic {
    cause: Cause::ToolSignature,
    title: "The mark of a scanning tool",
    aliases: &["signature", "tool", "mark"],
    what: &[
        "A system's own stack fills in each packet from what it knows of the connection: a window from the memory it \
         has, options from what it can do, a sequence number that nobody can guess. A fast scanner writes whole \
         packets itself, and always the same: nmap's SYN has window 1024 and the one option MSS 1460, masscan's \
         identification is made of address, port and sequence number, ZMap's used to be 54321.",
        "Some marks show in two packets only: one sequence number from one port to two ports is no stack's, because \
         the numbers are drawn at random.",
        "Whoever uses the system's own stack, as nmap -sT does, has no such mark.",
    ],
    lesson: Lesson::Probe(Probe {
        lane: &[Out("SYN, win 1024, MSS only"), Back("SYN/ACK"), Out("RST")],
        oddity: "The first step is that of a handshake, but for fields that no stack fills in like this; and the \
                 third is an RST, because the scanner's own system knows nothing of the connection.",
        reading: &Reading::SYN,
        without: Answers::FROM_BOTH,
        with: Answers::SILENCE,
        honest: &[
            "Not one packet among 131,000 of legitimate traffic bore a mark for which a packet is dropped. Marks that \
             some device or other writes as well are hints: nothing is dropped for them, and they count little \
             against a source, and once.",
        ],
    }),
    tools: &["nmap -Pn -sS -p 22,81 HOST", "masscan -p22,81 --rate 100 HOST", "hping3 -c 1 -S -p 22 HOST"],
    verdict: &[
        "A SYN, a datagram to a port where nothing is bound, or a segment of no connection dies by such a mark, also \
         where the port is open: so this scan does not even find what is published. Segments of connections are \
         never looked at.",
        "It weighs as much against its source as four closed ports. Preset sensitive bans for one such packet, \
         balanced for two, tolerant for three.",
    ],
}];
