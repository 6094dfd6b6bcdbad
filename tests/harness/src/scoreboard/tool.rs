//! The scanners: how each is called.

use super::subject::Subject;
use crate::{GUARDED_V4, GUARDED_V6, INTERFACE, NMAP_OPTIONS};

/// Stands in options for the number of what is asked about, where a tool wants it there.
pub(super) const NUMBER: &str = "{}";

/// A host that is to be scanned by the help of the guarded one.
const NEIGHBOUR: &str = "10.77.0.66";

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    /// nmap, for the state of ports or protocols.
    Nmap,
    /// nmap, for whether the host is up.
    NmapPing,
    /// nmap, which tries the host as a zombie: whether it answers what it never asked for, and how it numbers that.
    NmapIdle,
    /// nmap, for the operating system.
    NmapSystem,
    Masscan,
    Zmap,
    Hping,
    /// hping3, for several ports at once.
    HpingScan,
    Netcat,
    /// A shell without any tool.
    Bash,
}

/// A command to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) words: Vec<String>,
    /// What of the subjects it asks about.
    pub(super) subjects: Vec<Subject>,
}

impl Tool {
    /// What one types.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nmap | Self::NmapIdle | Self::NmapSystem => "nmap",
            Self::NmapPing => "nmap -sn",
            Self::Masscan => "masscan",
            Self::Zmap => "zmap",
            Self::Hping => "hping3",
            Self::HpingScan => "hping3 --scan",
            Self::Netcat => "nc -z",
            Self::Bash => "bash: echo > /dev/tcp/…",
        }
    }

    /// What it says when it is done, where it does not end then: masscan waits for one more packet.
    pub(super) fn last_words(self) -> Option<&'static str> {
        match self {
            Self::Masscan => Some("100.00% done"),
            Self::Nmap
            | Self::NmapPing
            | Self::NmapIdle
            | Self::NmapSystem
            | Self::Zmap
            | Self::Hping
            | Self::HpingScan
            | Self::Netcat
            | Self::Bash => None,
        }
    }

    /// Whether it ends in failure when it has found nothing.
    pub(super) fn may_fail(self) -> bool {
        match self {
            Self::Hping | Self::HpingScan | Self::Netcat | Self::Bash => true,
            Self::Nmap | Self::NmapPing | Self::NmapSystem | Self::Masscan | Self::Zmap => false,
            Self::NmapIdle => true,
        }
    }

    /// The commands that ask about all subjects: one, or one for each.
    pub(super) fn commands(self, options: &str, is_v6: bool, subjects: &[Subject]) -> Vec<Command> {
        let command = |subjects: &[Subject]| {
            let numbers: Vec<String> =
                subjects.iter().map(|subject| subject.number(is_v6).to_string()).collect();
            let line = self.line(options, is_v6, &numbers.join(","));
            let words = line.split_whitespace().map(str::to_owned).collect();
            Command { words, subjects: subjects.to_vec() }
        };
        if self.asks_at_once() {
            vec![command(subjects)]
        } else {
            subjects.iter().map(|subject| command(&[*subject])).collect()
        }
    }

    fn asks_at_once(self) -> bool {
        match self {
            Self::Nmap | Self::NmapSystem | Self::Masscan | Self::HpingScan => true,
            Self::NmapPing | Self::NmapIdle | Self::Zmap | Self::Hping | Self::Netcat | Self::Bash => false,
        }
    }

    fn line(self, options: &str, is_v6: bool, ports: &str) -> String {
        let options = options.replace(NUMBER, ports);
        let host = if is_v6 { GUARDED_V6.to_string() } else { GUARDED_V4.to_string() };
        let mac = crate::GUARDED_MAC.map(|byte| format!("{byte:02x}")).join(":");
        match self {
            Self::Nmap => format!("nmap {NMAP_OPTIONS} {options} -p {ports} {host}"),
            Self::NmapPing => format!("nmap -sn -n -T4 --max-retries 1 --disable-arp-ping {options} {host}"),
            Self::NmapIdle => {
                format!("nmap -Pn -n -T4 --disable-arp-ping {options} {host}:{ports} -p 80 {NEIGHBOUR}")
            }
            Self::NmapSystem => format!(
                "nmap -Pn -n -T4 --max-retries 1 --max-os-tries 1 --osscan-guess {options} -p 80,81 {host}"
            ),
            // With the host's own source address, the host would reset what masscan opens.
            Self::Masscan => format!(
                "masscan --interface {INTERFACE} --router-mac {mac} --source-ip 10.77.0.9 --rate 1000 --wait 0 \
                 {options} -p{ports} {host}"
            ),
            Self::Zmap => {
                let port = if options.contains("icmp") { String::new() } else { format!("-p {ports}") };
                format!(
                    "zmap --blacklist-file=/dev/null -i {INTERFACE} -G {mac} -c 1 -P 2 -r 1000 -q -v 0 \
                     --output-fields=saddr,classification --output-filter=success=0||success=1 \
                     {options} {port} {host}/32"
                )
            }
            Self::Hping => format!("hping3 -n -c 2 -i u200000 {options} -p {ports} {host}"),
            Self::HpingScan => format!("hping3 -n -V --scan {ports} {options} {host}"),
            Self::Netcat => format!("nc -z -v -n -w 1 {options} {host} {ports}"),
            Self::Bash => format!("timeout 1 bash -c echo>/dev/tcp/{host}/{ports}"),
        }
    }
}
