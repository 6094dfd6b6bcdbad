//! Every cause for which a packet passes or is dropped, once: index ⇄ name ⇄ action ⇄ one sentence.
//!
//! Counters, events, `explain` and the documentation all read this table.

/// What is done with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It goes on to the host.
    Pass,
    /// It ends here, and nobody answers.
    Drop,
}

/// Writes the enum and its tables from one list, so that they cannot disagree.
macro_rules! causes {
    ($($index:literal $variant:ident $name:literal $action:ident $sentence:literal;)+) => {
        /// Why a packet passes or is dropped. The sentence of each is its documentation.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Cause {
            $(#[doc = $sentence] $variant = $index,)+
        }

        impl Cause {
            /// All causes, in the order of their indexes.
            pub const ALL: &[Cause] = &[$(Cause::$variant,)+];

            /// What the operator calls it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Cause::$variant => $name,)+
                }
            }

            /// What it means, in one sentence.
            pub fn sentence(self) -> &'static str {
                match self {
                    $(Cause::$variant => $sentence,)+
                }
            }

            /// The cause of this index.
            pub fn from_index(index: u8) -> Option<Cause> {
                Cause::from_number(index.into())
            }

            /// The same, of a number as wide as a register.
            #[inline(always)] // asked of every frame
            pub fn from_number(number: u32) -> Option<Cause> {
                match number {
                    $($index => Some(Cause::$variant),)+
                    _ => None,
                }
            }

            /// What it does to the packet.
            pub fn action(self) -> Action {
                match self {
                    $(Cause::$variant => Action::$action,)+
                }
            }
        }
    };
}

// An index is part of the contract with pinned maps: add at the end, never reuse.
causes! {
    0  TcpNull       "tcp-null"       Drop "TCP without any flag: a NULL scan.";
    1  TcpXmas       "tcp-xmas"       Drop "TCP with FIN, PSH and URG but no ACK: an XMAS scan.";
    2  TcpFullXmas   "tcp-full-xmas"  Drop "TCP with all of FIN, SYN, RST, PSH, ACK and URG: a full XMAS scan.";
    3  TcpSynFin     "tcp-syn-fin"    Drop "TCP that opens and ends a connection at once: SYN with FIN.";
    4  TcpSynRst     "tcp-syn-rst"    Drop "TCP that opens and resets a connection at once: SYN with RST.";
    5  TcpFinRst     "tcp-fin-rst"    Drop "TCP that ends and resets a connection at once: FIN with RST.";
    6  TcpNoAck      "tcp-no-ack"     Drop "TCP with PSH or URG but no ACK: data always carries an ACK.";
    7  TcpReserved   "tcp-reserved"   Drop "TCP with a reserved bit set, which no protocol uses.";
    8  AckProbe      "ack-probe"      Drop "ACK of no connection with sequence number 0: an ACK or Window scan.";
    9  MaimonProbe   "maimon-probe"   Drop "FIN/ACK of no connection with sequence number 0: a Maimon scan.";
    10 FinProbe      "fin-probe"      Drop "FIN alone, of no connection: a FIN scan.";
    11 SynAckProbe   "syn-ack-probe"  Drop "SYN/ACK that answers no SYN of this host: an idle scan's counting, or backscatter.";
    12 StrayFlood    "stray-flood"    Drop "Segment of no connection, beyond the few that its source may send, or all sources together.";
    13 ClosedPort    "closed-port"    Drop "SYN to a port where nothing listens.";

    14 InConnection  "in-connection"  Pass "Segment of a connection that this host knows.";
    15 NewConnection "new-connection" Pass "SYN to a port where a program listens.";
    16 SynCookie     "syn-cookie"     Pass "ACK that completes a handshake by SYN cookie.";
    17 Stray         "stray"          Pass "Segment of no connection, within the few that its source may send: survivors of a restart need the RST.";
    18 StrayReset    "stray-reset"    Pass "RST of no connection: nobody answers it, so it tells nothing.";
    19 Allowed       "allowed"        Pass "Would have been dropped, but its source is on the allowlist.";
    20 NotUnicast    "not-unicast"    Pass "For a group of hosts: multicast and broadcast are not judged.";
    21 OtherStation  "other-station"  Pass "For another station's link-layer address: only overheard, not judged.";
    22 Forwarded     "forwarded"      Pass "For another host, to which this one forwards: not judged.";
    23 UnknownDestination "unknown-destination" Pass "For whom it is could not be found out: not judged.";
    24 Udp           "udp"            Pass "A UDP datagram.";
    25 Icmp          "icmp"           Pass "An ICMP or ICMPv6 message.";
    26 Sctp          "sctp"           Pass "An SCTP packet.";
    27 OtherProtocol "other-protocol" Pass "IP, but none of TCP, UDP, ICMP and SCTP.";
    28 Arp           "arp"            Pass "Address resolution.";
    29 NotIp         "not-ip"         Pass "Neither IP nor address resolution.";
    30 TooManyTags   "too-many-tags"  Pass "More than two VLAN tags: not understood.";
    31 TruncatedLink "truncated-link" Pass "Ends within its Ethernet header or VLAN tags: not understood.";
    32 TruncatedNetwork "truncated-network" Pass "Ends within its IP header or extension headers: not understood.";
    33 TruncatedTransport "truncated-transport" Pass "Ends within its transport header: not understood.";
    34 WrongIpVersion "wrong-ip-version" Pass "Its IP version contradicts its Ethernet type: not understood.";
    35 BadIpHeaderLength "bad-ip-header-length" Pass "Its IPv4 header is shorter than 20 bytes by its own account: not understood.";
    36 BadIpLength   "bad-ip-length"  Pass "Its IP length is shorter than its header or longer than the frame: not understood.";
    37 BadDataOffset "bad-data-offset" Pass "Its TCP header is shorter than 20 bytes or longer than the packet by its own account: not understood.";
    38 TooManyExtensions "too-many-extensions" Pass "More IPv6 extension headers than are followed: not understood.";
    39 LaterFragment "later-fragment" Pass "A fragment other than the first, which has no transport header.";
    40 TinyFragment  "tiny-fragment"  Drop "A first fragment too short for its transport header: only scanners cut so small.";
    41 MaybeTranslated "maybe-translated" Pass "Of no socket of this host, but perhaps of a guest's connection that is older than the attach.";
    42 OverlappingFragment "overlapping-fragment" Drop "A fragment that begins within a TCP header: only scanners cut so small.";
    43 IpOptions     "ip-options"     Drop "TCP or UDP in IPv4 with options, which no stack sends.";
    44 Land          "land"           Drop "Source and destination are the same address: it is forged.";
    45 BadSource     "bad-source"     Drop "From an address that no host has: multicast, broadcast or loopback.";
    46 PortZero      "port-zero"      Drop "TCP or UDP for port 0, at which nothing can listen, or TCP from it.";
    47 IcmpProbe     "icmp-probe"     Drop "ICMP question that only scanners ask: timestamp, address mask, information, echo with a code.";
    48 InFlow        "in-flow"        Pass "Segment of no socket, but in a flow in which this side has spoken: late, or for a guest behind this host.";
    49 RecentPort    "recent-port"    Pass "SYN to a port where a program listened a few minutes ago: its service may be restarting.";
    50 ResetSilenced "reset-silenced" Drop "RST or ABORT of this host, or of a guest behind it, by which a closed port would have given itself away.";
    51 StraySilenced "stray-silenced" Drop "RST of this host, or of a guest behind it, beyond the few that a peer without a connection may draw.";
    52 UnreachableSilenced "unreachable-silenced" Drop "ICMP message by which a closed port, a missing protocol or a filter would have given itself away.";
    53 UnprovenPort  "unproven-port"  Pass "SYN or datagram to a port of no socket, which may be redirected or a guest's: the answer, on its way out, will tell.";
    54 DecoyPort     "decoy-port"     Drop "SYN or datagram to a decoy, a port that nobody has any reason to touch.";
    55 Banned        "banned"         Drop "New contact of a source that is banned for scanning.";
    56 Denied        "denied"         Drop "New contact of a source that the operator has banned.";
    57 PingSilenced  "ping-silenced"  Drop "Echo request, which the operator does not want to be answered.";
    58 ToolSignature "tool-signature" Drop "SYN, datagram or segment of no connection with the mark of a scanning tool, which nothing else writes.";
    59 BannedNetwork "banned-network" Drop "New contact from a network of which several sources are banned for scanning.";
}

impl Cause {
    /// Its place in every table that is kept by cause; below [`CAUSES_PER_INTERFACE`](crate::count::CAUSES_PER_INTERFACE).
    pub fn index(self) -> u8 {
        self as u8
    }

    /// The cause of this name.
    pub fn from_name(name: &str) -> Option<Cause> {
        Cause::ALL.iter().copied().find(|cause| cause.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::CAUSES_PER_INTERFACE;

    #[test]
    fn index_and_name_lead_back_to_the_cause() {
        for (position, cause) in Cause::ALL.iter().copied().enumerate() {
            assert_eq!(usize::from(cause.index()), position);
            assert_eq!(Cause::from_index(cause.index()), Some(cause));
            assert_eq!(Cause::from_name(cause.name()), Some(cause));
        }
        assert_eq!(Cause::from_index(u8::MAX), None);
        assert_eq!(Cause::from_name("no-such-cause"), None);
    }

    #[test]
    fn names_are_distinct_and_sentences_are_sentences() {
        for (position, cause) in Cause::ALL.iter().enumerate() {
            assert!(Cause::ALL[..position].iter().all(|earlier| earlier.name() != cause.name()));
            assert!(cause.name().chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'));
            assert!(cause.sentence().ends_with('.'), "{}", cause.name());
        }
    }

    #[test]
    fn there_is_room_in_the_counters() {
        assert!(Cause::ALL.len() <= usize::try_from(CAUSES_PER_INTERFACE).expect("a small number"));
    }
}
