//! Every technique, as data: by scanners that many use, then by frames of our own.

mod crafted;
mod headers;
mod system;

use super::subject::Subject::{
    Bound, Closed, Filtered, FilteredUdp, Host, Open, Sctp, Spoken, Unbound, Unspoken,
};
use super::technique::{Group, Technique};
use super::tool::Tool;

const NMAP_TCP: [&str; 8] = ["-sS", "-sT", "-sN", "-sF", "-sX", "-sM", "-sA", "-sW"];
const NMAP_TCP_V6: [&str; 8] =
    ["-6 -sS", "-6 -sT", "-6 -sN", "-6 -sF", "-6 -sX", "-6 -sM", "-6 -sA", "-6 -sW"];
const NMAP_FLAGS: [&str; 17] = [
    "-sS --scanflags SYNPSH",
    "-sS --scanflags SYNURG",
    "-sS --scanflags SYNECE",
    "-sS --scanflags SYNECECWR",
    "-sS --scanflags SYNFIN",
    "-sS --scanflags SYNRST",
    "-sS --scanflags SYNACK",
    "-sS --scanflags FINPSH",
    "-sS --scanflags FINACK",
    "-sS --scanflags RSTACK",
    "-sS --scanflags PSHACK",
    "-sS --scanflags PSH",
    "-sS --scanflags URG",
    "-sS --scanflags ECE",
    "-sS --scanflags CWR",
    "-sS --scanflags 0xff",
    "-6 -sS --scanflags SYNFIN",
];
const NMAP_DISGUISED: [&str; 19] = [
    "-sS -f",
    "-sF -f",
    "-sS --mtu 8",
    "-sS --mtu 16",
    "-sS --mtu 24",
    "-sF --mtu 24",
    "-sS --mtu 24 --data-length 24",
    "-sF --mtu 24 --data-length 24",
    "-sS --data-length 24",
    "-sF --data-length 24",
    "-sS --badsum",
    "-sS -g 53",
    "-sF -g 53",
    "-sS -D 10.77.0.77,ME",
    "-sF -D 10.77.0.77,ME",
    "-sS --ip-options R",
    "-sF --ip-options R",
    "-sS --ip-options T",
    "-sS --ip-options L",
];
const NMAP_PING_TCP: [&str; 4] = ["-PS{}", "-PA{}", "-6 -PS{}", "-6 -PA{}"];
const NMAP_SLOW: [&str; 2] = [
    "-sS -T0 --scan-delay 50ms --initial-rtt-timeout 200ms --max-rtt-timeout 200ms",
    "-sF -T0 --scan-delay 50ms --initial-rtt-timeout 200ms --max-rtt-timeout 200ms",
];
const HPING_FLAGS: [&str; 21] = [
    "",
    "-S",
    "-F",
    "-R",
    "-P",
    "-U",
    "-X",
    "-Y",
    "-X -Y",
    "-S -P",
    "-S -U",
    "-S -X -Y",
    "-S -F",
    "-S -R",
    "-S -A",
    "-R -A",
    "-F -P -U",
    "-S -F -R -P -A -U",
    "-S -F -R -P -A -U -X -Y",
    "-S -b",
    "-S -f -d 40",
];
const HPING_STRAYS: [&str; 3] = ["-A", "-F -A", "-P -A"];
const HPING_SCAN: [&str; 9] = ["", "-S", "-F", "-R", "-P", "-U", "-X", "-Y", "-S -F"];
const HPING_QUESTIONS: [&str; 3] = ["-C 13", "-C 15", "-C 17"];

const STRAYS: &str = "a few strays are turned away, lest a peer of a lost connection hang";
const PINGS: &str = "pings are answered";
const HANDSHAKES: &str = "how open ports and pings are answered is enough for a guess";

/// All groups, in the order in which they are published.
pub(super) fn groups() -> Vec<Group> {
    let ports = &[Open, Closed, Filtered];
    vec![
        Group {
            title: "TCP: nmap",
            remark: "",
            subjects: ports,
            techniques: [
                by(Tool::Nmap, &NMAP_TCP),
                by(Tool::Nmap, &NMAP_TCP_V6),
                by(Tool::Nmap, &["-sV --version-intensity 0"]),
                by(Tool::Nmap, &NMAP_SLOW),
            ]
            .concat(),
        },
        Group {
            title: "TCP: nmap with flags of one's choice",
            remark: "",
            subjects: ports,
            techniques: by(Tool::Nmap, &NMAP_FLAGS),
        },
        Group {
            title: "TCP: nmap in disguise",
            remark: "Fragments, padding, wrong checksums, trusted source ports, decoys, IP options.",
            subjects: ports,
            techniques: by(Tool::Nmap, &NMAP_DISGUISED),
        },
        Group {
            title: "TCP: other scanners",
            remark: "masscan and zmap list only what they found.",
            subjects: ports,
            techniques: other_scanners(),
        },
        Group {
            title: "TCP: is the host up?",
            remark: "",
            subjects: ports,
            techniques: by(Tool::NmapPing, &NMAP_PING_TCP),
        },
        Group {
            title: "TCP: idle scans and strays",
            remark: "An idle scan needs a host that answers what it never asked for.",
            subjects: ports,
            techniques: [
                by(Tool::NmapIdle, &["-sI"]),
                crafted::in_the_name_of_a_zombie(),
                because(STRAYS, crafted::strays()),
            ]
            .concat(),
        },
        Group {
            title: "TCP: behind VLAN tags",
            remark: "The tags have the number 0, which a host takes that has no VLANs.",
            subjects: ports,
            techniques: crafted::tagged(),
        },
        Group {
            title: "TCP: IPv6 extension headers and fragments",
            remark: "",
            subjects: ports,
            techniques: headers::extended(),
        },
        Group { title: "TCP: headers that lie", remark: "", subjects: ports, techniques: headers::lying() },
        Group { title: "Port 0", remark: "", subjects: &[Host], techniques: headers::for_port_zero() },
        Group {
            title: "UDP",
            remark: "A program answers whatever comes to the bound port.",
            subjects: &[Bound, Unbound, FilteredUdp],
            techniques: udp(),
        },
        Group {
            title: "SCTP",
            remark: "The kernel that was measured has no SCTP: all its ports are alike.",
            subjects: &[Sctp],
            techniques: [
                by(Tool::Nmap, &["-sY", "-sZ", "-6 -sY", "-6 -sZ"]),
                by(Tool::NmapPing, &["-PY{}", "-6 -PY{}"]),
            ]
            .concat(),
        },
        Group {
            title: "IP protocols",
            remark: "Pings are spoken here; nobody speaks protocol 253.",
            subjects: &[Spoken, Unspoken],
            techniques: [
                by(Tool::Nmap, &["-sO", "-6 -sO"]),
                by(Tool::NmapPing, &["-PO{}"]),
                by(Tool::Hping, &["--rawip -H {}"]),
            ]
            .concat(),
        },
        Group { title: "ICMP", remark: "", subjects: &[Host], techniques: messages() },
        Group {
            title: "Operating system",
            remark: "The guarded host runs Linux; nmap's best guess is told.",
            subjects: &[Host],
            techniques: [
                by(Tool::NmapSystem, &["-O", "-A --version-intensity 0"]),
                because(HANDSHAKES, by(Tool::NmapSystem, &["-6 -O"])),
            ]
            .concat(),
        },
        Group {
            title: "Operating system: the probes of nmap to TCP ports, one by one",
            remark: "T2 to T4 are for open ports, T5 to T7 for closed ones; here each asks both.",
            subjects: ports,
            techniques: system::segments(),
        },
        Group {
            title: "Operating system: the other probes of nmap",
            remark: "",
            subjects: &[Host],
            techniques: because(PINGS, system::others()),
        },
    ]
}

fn other_scanners() -> Vec<Technique> {
    [
        by(Tool::Masscan, &[""]),
        by(Tool::Zmap, &["-M tcp_synscan"]),
        by(Tool::Hping, &HPING_FLAGS),
        because(STRAYS, by(Tool::Hping, &HPING_STRAYS)),
        system::unicornscan(),
        by(Tool::HpingScan, &HPING_SCAN),
        because(STRAYS, by(Tool::HpingScan, &["-A"])),
        by(Tool::Netcat, &["", "-6"]),
        by(Tool::Bash, &[""]),
    ]
    .concat()
}

fn udp() -> Vec<Technique> {
    [
        by(Tool::Nmap, &["-sU", "-6 -sU", "-sU -g 53", "-sU --data-length 24"]),
        by(Tool::NmapPing, &["-PU{}", "-6 -PU{}"]),
        by(Tool::Zmap, &["-M udp --probe-args=text:hello", "-M ntp", "-M upnp"]),
        by(Tool::Hping, &["--udp"]),
        by(Tool::Netcat, &["-u"]),
    ]
    .concat()
}

fn messages() -> Vec<Technique> {
    [
        because(PINGS, by(Tool::NmapPing, &["-PE", "-6 -PE"])),
        by(Tool::NmapPing, &["-PP", "-PM"]),
        because(PINGS, by(Tool::Hping, &["--icmp"])),
        by(Tool::Hping, &HPING_QUESTIONS),
        because(PINGS, by(Tool::Zmap, &["-M icmp_echoscan", "-M icmp_echo_time"])),
        crafted::messages(),
    ]
    .concat()
}

fn because(reason: &'static str, techniques: Vec<Technique>) -> Vec<Technique> {
    techniques.into_iter().map(|technique| technique.because(reason)).collect()
}

fn by(tool: Tool, options: &[&'static str]) -> Vec<Technique> {
    options.iter().map(|options| Technique::by(tool, options)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_techniques_have_the_same_name() {
        let groups = groups();
        let names: Vec<&str> =
            groups.iter().flat_map(|group| &group.techniques).map(|technique| &*technique.name).collect();
        let different: HashSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), different.len(), "{names:?}");
    }
}
