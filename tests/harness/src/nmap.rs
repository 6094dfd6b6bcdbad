//! What nmap learned, port by port, and what it sent to learn it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result};

/// Options with which nmap prints what [`Report::read`] reads: no question whether the host is up, no names, few
/// and fast probes, because silence has to be waited for, and each of them told.
pub const NMAP_OPTIONS: &str = "-Pn -n -T4 --max-retries 1 --packet-trace";

/// What nmap says of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortState {
    /// It answered as a service does.
    Open,
    /// It answered that nothing is there.
    Closed,
    /// It answered, but not so that open and closed can be told apart.
    Unfiltered,
    /// It did not answer, as every port does where nothing is filtered.
    Filtered,
    /// It did not answer, as an open port does not either.
    OpenOrFiltered,
}

/// A port, and what came of scanning it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// What nmap concluded.
    pub state: PortState,
    /// How many probes it sent there.
    pub probes: u64,
}

/// All ports of one scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(BTreeMap<u16, Port>);

impl Report {
    /// Reads what nmap prints: its trace, then a line for each port.
    ///
    /// # Errors
    ///
    /// Fails where it names a state that is not known here.
    pub fn read(text: &str) -> Result<Self> {
        let mut probes = BTreeMap::<u16, u64>::new();
        text.lines().filter_map(probed).for_each(|port| *probes.entry(port).or_default() += 1);
        let port = |(number, state): (u16, &str)| {
            let probes = probes.get(&number).copied().unwrap_or_default();
            Ok((number, Port { number, state: state.parse()?, probes }))
        };
        Ok(Self(text.lines().filter_map(learned).map(port).collect::<Result<_>>()?))
    }

    /// Returns one port of the scan.
    ///
    /// # Errors
    ///
    /// Fails where nmap says nothing of it.
    pub fn port(&self, number: u16) -> Result<Port> {
        self.0.get(&number).copied().with_context(|| format!("nmap says nothing of port {number}"))
    }

    /// All ports, by number.
    pub fn ports(&self) -> impl Iterator<Item = Port> {
        self.0.values().copied()
    }
}

/// The target of `SENT (0.1s) TCP 10.0.0.2:33333 > 10.0.0.1:22 S ttl=…`, or of the beginning of a connection,
/// `CONN (0.1s) TCP localhost > 10.0.0.1:22 => Operation now in progress`.
fn probed(line: &str) -> Option<u16> {
    let is_probe = line.starts_with("SENT ")
        || line.starts_with("CONN ") && line.ends_with("=> Operation now in progress");
    let target = is_probe.then(|| line.split_once(" > "))??.1.split_whitespace().next()?;
    target.rsplit_once(':')?.1.parse().ok()
}

/// The port and the state of `22/tcp open ssh`.
fn learned(line: &str) -> Option<(u16, &str)> {
    let mut words = line.split_whitespace();
    let port = words.next()?.strip_suffix("/tcp")?.parse().ok()?;
    Some((port, words.next()?))
}

impl PortState {
    const ALL: [Self; 5] = [Self::Open, Self::Closed, Self::Unfiltered, Self::Filtered, Self::OpenOrFiltered];

    /// Whether this is what nmap concludes when it hears nothing.
    pub fn is_silence(self) -> bool {
        match self {
            Self::Filtered | Self::OpenOrFiltered => true,
            Self::Open | Self::Closed | Self::Unfiltered => false,
        }
    }
}

impl fmt::Display for PortState {
    /// In nmap's own words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Unfiltered => "unfiltered",
            Self::Filtered => "filtered",
            Self::OpenOrFiltered => "open|filtered",
        })
    }
}

impl FromStr for PortState {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|state| state.to_string() == word);
        known.with_context(|| format!("{word}: no state of a port that is known here"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYN_SCAN: &str = "\
Starting Nmap 7.93 ( https://nmap.org ) at 2026-01-01 00:00 UTC
SENT (0.0579s) ARP who-has 10.77.0.1 tell 10.77.0.2
SENT (0.0579s) TCP 10.77.0.2:61231 > 10.77.0.1:25 S ttl=38 id=12879 iplen=44  seq=3760880896 win=1024 <mss 1460>
SENT (0.0579s) TCP 10.77.0.2:61231 > 10.77.0.1:22 S ttl=47 id=8819 iplen=44  seq=3760880896 win=1024 <mss 1460>
RCVD (0.0580s) TCP 10.77.0.1:22 > 10.77.0.2:61231 SA ttl=64 id=0 iplen=44  seq=3067920666 win=65495 <mss 65495>
SENT (1.1335s) TCP 10.77.0.2:61233 > 10.77.0.1:25 S ttl=38 id=12879 iplen=44  seq=3760880896 win=1024 <mss 1460>
Nmap scan report for 10.77.0.1
Host is up (0.000048s latency).

PORT     STATE         SERVICE
22/tcp   open          ssh
25/tcp   filtered      smtp
80/tcp   closed        http
443/tcp  unfiltered    https
3306/tcp open|filtered mysql

Nmap done: 1 IP address (1 host up) scanned in 1.20 seconds
";

    #[test]
    fn states_and_probes_are_read_for_every_port() {
        let report = Report::read(SYN_SCAN).expect("nmap printed it");
        let port = |number, state, probes| Port { number, state, probes };
        let expected = [
            port(22, PortState::Open, 1),
            port(25, PortState::Filtered, 2),
            port(80, PortState::Closed, 0),
            port(443, PortState::Unfiltered, 0),
            port(3306, PortState::OpenOrFiltered, 0),
        ];
        assert_eq!(report.ports().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_connect_scan_probes_when_it_begins_to_connect() {
        assert_eq!(
            probed("CONN (0.0279s) TCP localhost > 10.77.0.1:25 => Operation now in progress"),
            Some(25)
        );
        assert_eq!(probed("CONN (0.0281s) TCP localhost > 10.77.0.1:25 => Connection refused"), None);
    }

    #[test]
    fn what_is_not_understood_is_no_state() {
        let missing =
            Report::read(SYN_SCAN).expect("nmap printed it").port(8080).expect_err("it was not scanned");
        assert_eq!(missing.to_string(), "nmap says nothing of port 8080");
        let new_word = SYN_SCAN.replace("unfiltered ", "ajar ");
        let error = Report::read(&new_word).expect_err("there is no such state").to_string();
        assert_eq!(error, "ajar: no state of a port that is known here");
    }
}
