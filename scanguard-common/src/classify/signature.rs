//! The marks of tools: packets that only one program in the world writes.
//!
//! A scanner that writes its own packets fills in fields that a stack computes, and fills them in the same way every
//! time. The rules were measured: over legitimate traffic made in a laboratory (62,517 TCP packets, of which 11,174 were
//! SYNs), over 442 public captures of such traffic (68,710 TCP packets, 4,942 SYNs, 12,001 UDP datagrams), and over
//! 5,835 captures of all kinds (1.5 million TCP packets, 202,000 SYNs). "Measured: none" below means none in the
//! legitimate ones, but for scans that were filed there by mistake; an estimate is called one.
//!
//! # What a hit is worth
//!
//! [`Signature::bits`] is a log-likelihood ratio to base 2: how much likelier a scanner is to send this than a
//! legitimate client. A tool's share among scanners is taken for an eighth, which costs three bits. Where no legitimate
//! packet of `n` had the mark, its rate is below `3 / n` in 95 of 100 such measurements: for SYNs `3 / 16,116`, 12 bits,
//! so 9 are left; for all TCP packets `3 / 131,227`, 15 bits, 12 left. Rules whose rate follows from the width of fields
//! that are drawn at random get no more than those 12: the measurement bounds what nobody thought of.
//!
//! A [`Hint`](Confidence::Hint) whose rate follows from the width of a field gets half of what that allows. Hints that
//! real stacks are known to give get next to nothing, because they mark a kind of host and not a deed: whoever counts
//! them should do so once for a source.

mod label;
mod opening;
mod options;
mod segment;
pub(crate) mod stack;
mod trace;
mod traits;
mod translation;

pub use label::Label;
pub use trace::{Left, Trace};
pub use traits::Traits;
pub use translation::{Ballot, Knowledge, PUBLIC_ADDRESSES, masscan_constant};

use crate::classify::flags::TcpFlags;
use crate::frame::Frame;
use crate::parse::Packet;
use crate::parse::network::IpProtocol;
use options::{Look, Words, options, payload};

/// What may be done about a packet with a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Confidence {
    /// No legitimate packet has it: the packet dies.
    Certain,
    /// Some real stack may write it: it counts a little, kills nothing and never bans by itself.
    Hint,
}

/// Writes the enum and its tables from one list, so that they cannot disagree.
macro_rules! signatures {
    ($($(#[doc = $detail:literal])+ $index:literal $variant:ident $name:literal $confidence:ident $bits:literal $sentence:literal;)+) => {
        /// The mark of one tool.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Signature {
            $(
                #[doc = $sentence]
                ///
                $(#[doc = $detail])+
                $variant = $index,
            )+
        }

        impl Signature {
            /// All signatures, in the order of their indexes.
            pub const ALL: &[Signature] = &[$(Signature::$variant,)+];

            /// What the operator calls it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Signature::$variant => $name,)+
                }
            }

            /// Which tool it is, in one sentence.
            pub fn sentence(self) -> &'static str {
                match self {
                    $(Signature::$variant => $sentence,)+
                }
            }

            /// What may be done about it.
            pub const fn confidence(self) -> Confidence {
                match self {
                    $(Signature::$variant => Confidence::$confidence,)+
                }
            }

            /// What it is worth as evidence: a log-likelihood ratio to base 2, derived above.
            pub const fn bits(self) -> u8 {
                match self {
                    $(Signature::$variant => $bits,)+
                }
            }
        }
    };
}

// An index goes into records and events: add at the end, never reuse.
signatures! {
    /// Window 1024 and the one option MSS 1460. Measured: none; of 35 files with hits all are scans. Linux's smallest
    /// windows are 1152, 1460 and 2920. Estimate: 10⁻⁶ of SYNs, over IPv6 less, where MSS is 1440 at most.
    0 NmapSyn "nmap-syn" Certain 9 "SYN of nmap (every version; -sS, -PS, -sI, decoys) or naabu.";
    /// ACK, neither SYN nor RST, sequence number 0, window 1024, no options. Measured: none. By the width of
    /// the numbers: 2⁻⁴⁸.
    1 NmapAck "nmap-ack" Certain 12 "ACK, FIN/ACK or the like of nmap (every version; -sA, -sW, -sM, -PA) with sequence number 0.";
    /// The same with any window and options. Measured: none. By the width of the number: 2⁻³² of segments.
    2 AckWithoutSequence "ack-without-sequence" Hint 6 "ACK of no connection with sequence number 0: crafted by hand.";
    /// Timestamp FFFFFFFF that echoes 0, where one of nmap's option lists has it. Measured: none of 1.5 million. By the
    /// width of the number: 2⁻³² of SYNs.
    3 NmapSystemProbe "nmap-system-probe" Certain 12 "Probe of nmap's system detection (-O), over TCP.";
    /// SYN with ECE and CWR, window 3 and nmap's options; over IPv4 a reserved bit as well. Measured: none.
    4 NmapEcnProbe "nmap-ecn-probe" Certain 9 "Probe of nmap's system detection (-O) for congestion notification.";
    /// 300 bytes, of which the first twenty are the letter C. Measured: none.
    5 NmapDatagram "nmap-datagram" Certain 9 "Probe of nmap's system detection (-O), over UDP.";
    /// Window 1024 and the one option MSS 1460. Measured: none. Estimate: 10⁻⁷.
    6 NmapSynAck "nmap-syn-ack" Certain 9 "SYN/ACK of nmap (every version): counts the packets of an idle host (-sI), or --scanflags.";
    /// Window 1024, no options. Measured: none, while it is frequent in unwanted traffic of the Internet. Estimate: 10⁻⁷.
    7 MasscanOld "masscan-old" Certain 9 "SYN of masscan up to 1.3.2.";
    /// Window 1025 and the one option MSS 1460. Measured: none. Estimate: 10⁻⁷.
    8 MasscanNew "masscan-new" Certain 9 "SYN of masscan since 1.3.9.";
    /// The identification is made of address, port and sequence number. By the width of the field: 1.5 × 10⁻⁵ of SYNs
    /// that may be fragmented, which is why it kills nothing.
    9 MasscanIdentification "masscan-identification" Hint 6 "SYN whose identification is computed as masscan does, every version and option.";
    /// Identification 54321, window 65535, no option but MSS, may be fragmented. Measured: none. Estimate: 10⁻⁸.
    10 ZmapOld "zmap-old" Certain 9 "SYN of ZMap up to 3.";
    /// Identification 54321, may be fragmented. Measured: service location, building automation and research probes
    /// have it, too; by the width of the field 1.5 × 10⁻⁵ of the others.
    11 ZmapDatagram "zmap-datagram" Hint 1 "UDP datagram with the identification of ZMap up to 3.";
    /// Window 65535 and Windows' options, but may be fragmented and set out with at most 64 hops, where Windows
    /// forbids the one and begins with 128. Measured: none, and seven real scans. Estimate: 10⁻⁷.
    12 ZmapWindows "zmap-windows" Certain 9 "SYN of ZMap since 4.1 (by default, as if of Windows).";
    /// Window 65535, may be fragmented, options in Linux's or BSD's order, and the timestamp is the time of day.
    /// Measured: none. By the width of the number: two days in 136 years, 4 × 10⁻⁵ of those that look like it else.
    13 ZmapTimestamp "zmap-timestamp" Certain 9 "SYN of ZMap since 4.1 (--probe-args linux or bsd).";
    /// No stack leaves an acknowledgement number in a SYN. Measured: 21, all written by scripts for test suites.
    /// Estimate: 10⁻⁶.
    14 SynWithAcknowledgement "syn-with-acknowledgement" Certain 9 "SYN with an acknowledgement number: hping3 or another crafter.";
    /// Window 512, no options. Measured: none. Estimate: 10⁻⁶.
    15 Hping "hping" Certain 9 "SYN of hping2 or hping3.";
    /// The sequence number is the address that is scanned; no options. Measured: none, and two real ones. By the width
    /// of the number: 2⁻³².
    16 Mirai "mirai" Certain 9 "SYN of Mirai and the worms made of it.";
    /// MSS 1436, window scale 0, in the order of OpenBSD 3; in a SYN window 16384 besides. Measured: none. Estimate: 10⁻⁶.
    17 Unicornscan "unicornscan" Certain 9 "TCP of unicornscan 0.4 with its default fingerprint.";
    /// MSS, SACK and window scale 7, but no timestamps, window 64240. Measured: none. Estimate: 10⁻⁶.
    18 Sx "sx" Certain 9 "SYN of sx.";
    /// MSS, window scale or SACK-permitted stands first. Measured: an H.323 phone, a mail server and a load generator
    /// put MSS into the third step of the handshake. Estimate: 10⁻⁵.
    19 SynOptionWithoutSyn "syn-option-without-syn" Hint 1 "Segment of no connection with an option that belongs into a SYN.";
    /// Measured: Windows XP leaves rubbish in the field. Estimate: 10⁻⁵.
    20 UrgentPointerInSyn "urgent-pointer-in-syn" Hint 1 "SYN with an urgent pointer but no URG.";
    /// Measured: none but hand-made ones; stacks from before 2000 and floods do the same. Estimate: 10⁻⁵ to 10⁻⁴, more
    /// among small devices.
    21 SynWithoutOptions "syn-without-options" Hint 2 "SYN without any option: hardly any system of this century.";
    /// Measured: small devices, Cisco's and load balancers. Estimate: 10⁻³ among small devices.
    22 SynMssOnly "syn-mss-only" Hint 0 "SYN with four bytes of options, MSS as a rule, that may be fragmented: small devices and scanners.";
    /// Measured: a cloud camera behind a translator. Estimate: 10⁻⁴.
    23 WideWindowFragmentable "wide-window-fragmentable" Hint 1 "SYN with window 65535 that may be fragmented: ZMap since 4.1, and some translators.";
    /// Two packets. By the width of the number: 2⁻³² of pairs of SYNs.
    24 RepeatedSequence "repeated-sequence" Certain 12 "Second packet from one port with one sequence number, to another port: nmap or nping.";
    /// Two packets: the sequence numbers differ by the number of the try in both halves, and the source port by the
    /// same. By the width of the number: 2⁻²⁸ of pairs of SYNs.
    25 NmapRetry "nmap-retry" Certain 12 "Retry of an nmap scan, every version.";
    /// Two packets whose identification hides the same constant. By the width of the field: 1.5 × 10⁻⁵ of pairs of
    /// SYNs that may be fragmented.
    26 MasscanPair "masscan-pair" Hint 6 "Second SYN in a row whose identification may be masscan's.";
    /// Three or more such packets. By the width of the field: 2⁻³².
    27 MasscanRun "masscan-run" Certain 12 "Third SYN in a row whose identification hides the same constant: masscan, every version.";
    /// Two packets whose sequence numbers hide the same constant. By the width of the number: 2⁻³² of pairs of SYNs.
    28 UnicornscanRun "unicornscan-run" Certain 12 "Second SYN whose sequence number hides the same constant: unicornscan, every fingerprint.";
    /// Two packets that may be fragmented, 6 to 22 hops apart. Hosts behind one translator differ by more (64 and 128)
    /// or less. Estimate: 10⁻³ of pairs, against the 58 of 100 of nmap's.
    29 HopLimitSpread "hop-limit-spread" Hint 3 "SYNs of one source from several distances: nmap draws the time to live.";
}

impl Signature {
    /// Its place in every table that is kept by signature.
    pub fn index(self) -> u8 {
        self as u8
    }

    /// The signature of this index.
    pub fn from_index(index: u8) -> Option<Signature> {
        Signature::ALL.get(usize::from(index)).copied()
    }

    /// The signature of this name.
    pub fn from_name(name: &str) -> Option<Signature> {
        Signature::ALL.iter().copied().find(|signature| signature.name() == name)
    }
}

/// Recognises the tool that wrote a packet, by that packet alone. Of several marks the most certain one counts.
///
/// What is a mark depends on what the packet is to this host, and the caller must have made sure of it:
///
/// - a SYN without ACK: that it *opens*, so that no socket but a listener has its addresses and ports. (A SYN onto
///   TIME_WAIT is a client that takes a port again; there is no harm in asking, and nothing to be won.)
/// - any other segment: that it belongs to *no connection*, neither one of this host's sockets nor a flow that this side
///   has spoken in, and completes no SYN cookie. Sequence number 0 is an ordinary number within a connection, and an
///   appliance may put MSS into its ACKs.
/// - a UDP datagram: that no socket of this host and no flow that this side has spoken in waits for it.
/// - a packet that is [`Impossible`](super::Class::Impossible) anyway may be asked for its label.
///
/// A segment with RST has none: it is as often the echo of somebody else's probe.
pub fn recognise<F: Frame + ?Sized>(
    frame: &F,
    packet: &Packet,
    traits: &Traits,
    knowledge: &Knowledge,
) -> Option<Signature> {
    let suspicion = suspect(frame, packet, traits, knowledge);
    settle(suspicion, frame, packet, traits, |timestamp| knowledge.is_about_now(timestamp)).signature()
}

/// The first half of it: what all fields but a segment's options say.
pub fn suspect<F: Frame + ?Sized>(
    frame: &F,
    packet: &Packet,
    traits: &Traits,
    knowledge: &Knowledge,
) -> Suspicion {
    match packet.transport.protocol {
        IpProtocol::TCP => suspect_segment(packet, traits, knowledge),
        IpProtocol::UDP => Suspicion::new(None, recognise_datagram(frame, packet, traits)),
        _ => Suspicion::NONE,
    }
}

/// The second half of it: what the options make of it, where `is_about_now` tells whether a timestamp is the time of day.
pub fn settle<F: Frame + ?Sized>(
    suspicion: Suspicion,
    frame: &F,
    packet: &Packet,
    traits: &Traits,
    is_about_now: impl Fn(u32) -> bool,
) -> Label {
    let Some(look) = suspicion.look() else { return suspicion.otherwise() };
    let Some(words) = options(frame, packet, traits.header_words) else { return Label::NONE };
    let label = look.at(&words, is_about_now);
    if label == Label::NONE { suspicion.otherwise() } else { label }
}

/// The window of nmap, and of masscan up to 1.3.2.
const WINDOW_1024: u16 = 1024;
/// What ZMap up to 3 writes into every IPv4 packet's identification.
const ZMAP_IDENTIFICATION: u16 = 54_321;

/// What all fields but a segment's options say: for which options to look, if any would make it a tool's, and what it is
/// without them.
///
/// A number, which a function of a program can return: the verifier reads the options by themselves then, and not once for
/// each way that leads there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspicion(u32);

impl Suspicion {
    /// It is nobody's, whatever the options.
    pub const NONE: Suspicion = Suspicion(0);

    fn new(look: Option<Look>, otherwise: Option<Signature>) -> Suspicion {
        let [look, label] = look.map_or([0; 2], Look::numbers);
        Suspicion(u32::from_le_bytes([look, label, Label::from(otherwise).number(), 0]))
    }

    /// It is this, whatever the options.
    fn of(signature: Signature) -> Suspicion {
        Suspicion::new(None, Some(signature))
    }

    /// The suspicion of this number, of which every value is one.
    pub fn from_number(number: u32) -> Suspicion {
        Suspicion(number)
    }

    /// The number that stands for it.
    pub fn number(self) -> u32 {
        self.0
    }

    fn look(self) -> Option<Look> {
        let [look, label, ..] = self.0.to_le_bytes();
        Look::from_numbers([look, label])
    }

    fn otherwise(self) -> Label {
        let [_, _, otherwise, _] = self.0.to_le_bytes();
        Label::from_number(otherwise)
    }
}

fn suspect_segment(packet: &Packet, traits: &Traits, knowledge: &Knowledge) -> Suspicion {
    let flags = packet.transport.segment.flags;
    let opens = flags.has(TcpFlags::SYN) && !flags.has(TcpFlags::ACK);
    if opens {
        opening::suspect(packet, traits, knowledge)
    } else {
        segment::suspect(&packet.transport.segment, traits)
    }
}

fn recognise_datagram<F: Frame + ?Sized>(frame: &F, packet: &Packet, traits: &Traits) -> Option<Signature> {
    const LENGTH: u16 = 8 + 300;
    const CCCC: u32 = 0x4343_4343;
    let is_all_c = |words: Words| words.into_iter().all(|word| word == CCCC);
    if traits.datagram_length == LENGTH && payload(frame, packet).is_some_and(is_all_c) {
        Some(Signature::NmapDatagram)
    } else if traits.identification == ZMAP_IDENTIFICATION && traits.fragmentable {
        Some(Signature::ZmapDatagram)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_and_name_lead_back_to_the_signature() {
        for (position, signature) in Signature::ALL.iter().copied().enumerate() {
            assert_eq!(usize::from(signature.index()), position);
            assert_eq!(Signature::from_index(signature.index()), Some(signature));
            assert_eq!(Signature::from_name(signature.name()), Some(signature));
        }
        assert_eq!(Signature::from_index(u8::MAX), None);
        assert_eq!(Signature::from_name("no-such-tool"), None);
    }

    #[test]
    fn a_number_leads_back_to_the_suspicion() {
        let signatures = || Signature::ALL.iter().copied().map(Some).chain([None]);
        let tools = Signature::ALL.iter().map(|signature| Look::Mss(Label::of(*signature)));
        let looks = tools.chain([
            Look::SystemProbe,
            Look::EcnProbe,
            Look::Sx,
            Look::Unicornscan,
            Look::ZmapWindows,
            Look::ZmapLinux,
            Look::ZmapBsd,
            Look::OutsideSyn,
        ]);
        for look in looks.map(Some).chain([None]) {
            for otherwise in signatures() {
                let suspicion = Suspicion::from_number(Suspicion::new(look, otherwise).number());
                assert_eq!((suspicion.look(), suspicion.otherwise()), (look, otherwise.into()));
            }
        }
        assert_eq!(Suspicion::new(None, None), Suspicion::NONE);
    }

    #[test]
    fn names_are_distinct_and_sentences_are_sentences() {
        for (position, signature) in Signature::ALL.iter().enumerate() {
            assert!(Signature::ALL[..position].iter().all(|earlier| earlier.name() != signature.name()));
            assert!(signature.name().chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'));
            assert!(signature.sentence().ends_with('.'), "{}", signature.name());
        }
    }

    #[test]
    fn no_hint_is_worth_as_much_as_a_certainty() {
        let worth = |confidence| {
            Signature::ALL
                .iter()
                .filter(move |signature| signature.confidence() == confidence)
                .map(|s| s.bits())
        };
        assert!(worth(Confidence::Hint).max() < worth(Confidence::Certain).min());
    }
}
