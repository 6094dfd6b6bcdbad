//! What is understood, and not judged: not for this host, or no TCP.

use scanguard_common::cause::Cause;

use super::topic::{Lesson, Topic};

/// What falls into this group.
pub(super) static TOPICS: &[Topic] = &[
    Topic {
        cause: Cause::NotUnicast,
        title: "For a group of hosts",
        aliases: &["multicast", "broadcast"],
        what: &["A segment that looks like a probe, to a multicast or broadcast address: of IP, or of \
             Ethernet. TCP knows connections between two hosts only, so no host answers it."],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &[
            "It passes. What is sent to many is not for this host alone to judge, and it draws no answer.",
        ],
    },
    Topic {
        cause: Cause::OtherStation,
        title: "For another station",
        aliases: &["overheard", "promiscuous"],
        what: &["A segment that looks like a probe, in a frame for another Ethernet address: overheard, \
             because a switch sends it everywhere or the interface listens to everything, or because a \
             bridge on this host takes it further."],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &["It passes. The host discards it anyway, and a bridge must not lose it."],
    },
    Topic {
        cause: Cause::Forwarded,
        title: "For another host",
        aliases: &["routed", "forward"],
        what: &[
            "A segment that looks like a probe, and that this host would route elsewhere: to a guest, a \
             container, or another network. The kernel's routing tables say so.",
        ],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &[
            "It passes. Whether it belongs to a connection only its receiver knows: scanguard can be \
             run there.",
        ],
    },
    Topic {
        cause: Cause::MaybeTranslated,
        title: "Of no connection, but perhaps of a guest's",
        aliases: &["nat", "gateway", "masquerade"],
        what: &[
            "A segment that belongs to no socket of this host, and to no flow in which this side has spoken \
             since it is guarded, while this host forwards packets: by address translation (NAT) it may be \
             for a container or guest, whose connection is older than the attach.",
        ],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &["It passes for five minutes after the attach: long enough for such a connection to show \
             itself, because this side speaks in it too. After that, it is judged like any other."],
    },
    Topic {
        cause: Cause::UnprovenPort,
        title: "To a port that may be closed, or somebody else's",
        aliases: &["redirected-port", "unbound"],
        what: &[
            "A SYN or a datagram to a port of which this host has no socket. Most such ports are closed. But a \
             packet filter may redirect the port, or it may be published for a container or guest: the socket \
             table does not know.",
        ],
        lesson: Lesson::Words,
        tools: &["nmap -Pn -sS -p 81 HOST", "nmap -Pn -sU -p 81 HOST"],
        verdict: &[
            "It passes: whoever it is for will answer. If the answer is a refusal, it is silenced on its way \
             out and held against the source (reset-silenced, unreachable-silenced), and further SYNs to the \
             port are dropped for a few seconds (closed-port). Where there is no answer within three seconds, \
             that is held against the source too.",
        ],
    },
    Topic {
        cause: Cause::InFlow,
        title: "In a flow in which this side has spoken",
        aliases: &["late", "spoken"],
        what: &[
            "A segment of no socket of this host, but this side has spoken in the same flow: the socket was \
             closed a while ago and the other side still has something to say, or the connection is that \
             of a guest behind this host.",
        ],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &["It passes: whoever answers something that this side said is no scanner."],
    },
    Topic {
        cause: Cause::RecentPort,
        title: "SYN to a port that listened lately",
        aliases: &["restart", "restarting"],
        what: &["A SYN to a port on which nothing listens, but where connections were accepted during the \
             last five minutes: its service is restarting, or was just stopped."],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &[
            "It passes, and the host refuses it, so that clients know at once that they must try later.",
        ],
    },
    Topic {
        cause: Cause::UnknownDestination,
        title: "For whom it is cannot be told",
        aliases: &["unknown"],
        what: &["A segment that looks like a probe, and the routing tables could not be asked. This should \
             not happen: if it counts up, please report it."],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &["It passes: in doubt nothing is dropped."],
    },
    Topic {
        cause: Cause::Udp,
        title: "UDP datagram",
        aliases: &["datagram"],
        what: &["UDP has no handshake and no flags: any datagram may be the first. A UDP scan (nmap -sU) \
             waits for the ICMP message \"port unreachable\", by which a closed port tells on itself."],
        lesson: Lesson::Words,
        tools: &["nmap -Pn -sU -p 53,123 HOST", "hping3 -c 1 --udp -p 53 HOST"],
        verdict: &[
            "It passes, so DNS, DHCP, QUIC and the rest are not touched. What a closed port would answer is \
             silenced on its way out: see unreachable-silenced.",
        ],
    },
    Topic {
        cause: Cause::Icmp,
        title: "ICMP or ICMPv6 message",
        aliases: &["icmpv6", "ping", "ping-scan"],
        what: &["Errors and questions about the network itself: ping, \"packet too big\", \"unreachable\", \
             and in IPv6 also the discovery of neighbours. A ping scan (nmap -sn) looks for hosts that \
             answer an echo request."],
        lesson: Lesson::Words,
        tools: &["nmap -sn -PE --disable-arp-ping HOST", "hping3 -c 1 --icmp HOST"],
        verdict: &["It passes. Connections break without \"packet too big\", and IPv6 without neighbour \
             discovery."],
    },
    Topic {
        cause: Cause::Sctp,
        title: "SCTP packet",
        aliases: &["sctp-scan"],
        what: &["SCTP is a transport protocol beside TCP, at home in telephone networks. Its scans (nmap \
             -sY, -sZ) ask for open ports as a SYN scan does."],
        lesson: Lesson::Words,
        tools: &["nmap -Pn -sY -p 80 HOST"],
        verdict: &["It passes: scanguard judges TCP only."],
    },
    Topic {
        cause: Cause::OtherProtocol,
        title: "Another IP protocol",
        aliases: &["protocol", "protocol-scan"],
        what: &["IP that carries neither TCP, UDP, ICMP nor SCTP: tunnels (GRE, IPsec), routing (OSPF), \
             multicast groups (IGMP) and more. A protocol scan (nmap -sO) tries them all, and waits for \
             the ICMP message \"protocol unreachable\"."],
        lesson: Lesson::Words,
        tools: &["nmap -Pn -sO -p 47 HOST", "hping3 -c 1 --rawip --ipproto 47 HOST"],
        verdict: &["It passes: which of them are wanted, only the site knows."],
    },
    Topic {
        cause: Cause::Arp,
        title: "Address resolution",
        aliases: &["arp-scan"],
        what: &[
            "ARP asks which Ethernet address belongs to an IPv4 address. Nobody on the same network can \
             talk to this host without, and so an ARP scan finds every host there.",
        ],
        lesson: Lesson::Words,
        tools: &["nmap -sn -PR HOST"],
        verdict: &["It passes: without it there is no IPv4."],
    },
    Topic {
        cause: Cause::NotIp,
        title: "Neither IP nor address resolution",
        aliases: &["ethernet"],
        what: &[
            "A frame with another payload: spanning tree, LLDP, PPPoE, or the many other protocols that \
             live on Ethernet beside IP.",
        ],
        lesson: Lesson::Words,
        tools: &[],
        verdict: &["It passes: ports exist in IP only."],
    },
];
