//! What is guarded.

use std::io::{self, Write};

use serde::Serialize;

use super::rules::HostRules;
use super::table::{Side, Table};
use super::{Show, json_line};
use crate::interface::Mode;
use crate::output::Printable;

/// Everything that is attached and pinned.
pub(crate) struct Status {
    /// One entry for each pinned link.
    pub(crate) interfaces: Vec<InterfaceStatus>,
    /// What holds for the whole host.
    pub(crate) host: HostRules,
    /// How many prefixes are allowed.
    pub(crate) allowed: u32,
    /// By which contract the maps were made.
    pub(crate) schema: u32,
}

/// One pinned link.
#[derive(Serialize)]
pub(crate) struct InterfaceStatus {
    /// The interface's name, or what there is instead.
    pub(crate) interface: String,
    /// Its number.
    pub(crate) index: Option<u32>,
    /// Where the program runs.
    pub(crate) mode: Option<Mode>,
    /// Whether the program takes frames that lie in several pieces, as jumbo frames do.
    pub(crate) frags: bool,
    /// How the second door is attached, where it is.
    pub(crate) egress: Option<&'static str>,
    /// The kernel's number for the program.
    pub(crate) program: u32,
    /// When it was loaded.
    pub(crate) since: Option<String>,
    /// At which door closed ports are silenced, and why there.
    pub(crate) closed_ports: Option<&'static str>,
    /// What becomes of pings.
    pub(crate) ping: Option<&'static str>,
    /// Whose packets are judged.
    pub(crate) role: Option<&'static str>,
    /// What can make ports answer that have no socket here.
    pub(crate) translation: Vec<String>,
    /// What the operator should know.
    pub(crate) warning: Option<String>,
}

impl Show for Status {
    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new([
            ("INTERFACE", Side::Left),
            ("INDEX", Side::Right),
            ("MODE", Side::Left),
            ("EGRESS", Side::Left),
            ("PROGRAM", Side::Right),
            ("SINCE", Side::Left),
        ]);
        for entry in &self.interfaces {
            table.row([
                entry.interface.clone(),
                entry.index.map_or_else(|| "-".into(), |index| index.to_string()),
                entry.mode.map_or("-", Mode::name).to_owned() + if entry.frags { " (frags)" } else { "" },
                entry.egress.unwrap_or("-").into(),
                entry.program.to_string(),
                entry.since.clone().unwrap_or_else(|| "-".into()),
            ]);
        }
        table.write(out)?;
        for entry in &self.interfaces {
            let name = Printable(&entry.interface);
            if let Some(closed_ports) = entry.closed_ports {
                writeln!(out, "{name}: closed ports are {closed_ports}")?;
            }
            for reason in &entry.translation {
                writeln!(out, "{name}: ports without a socket may answer: {reason}")?;
            }
            if let Some((ping, role)) = entry.ping.zip(entry.role) {
                writeln!(out, "{name}: ping is {ping}, role is {role}")?;
            }
            if let Some(warning) = &entry.warning {
                writeln!(out, "{name}: {}", Printable(warning))?;
            }
        }
        self.host.tell(out)?;
        writeln!(
            out,
            "allowlist: {} {}",
            self.allowed,
            if self.allowed == 1 { "prefix" } else { "prefixes" }
        )?;
        writeln!(out, "schema: {}", self.schema)
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        for entry in &self.interfaces {
            json_line(out, &Line::Interface(entry))?;
        }
        json_line(out, &Line::Rules(&self.host))?;
        json_line(out, &Line::Maps { allowed: self.allowed, schema: self.schema })
    }
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Line<'a> {
    Interface(&'a InterfaceStatus),
    Rules(&'a HostRules),
    Maps { allowed: u32, schema: u32 },
}

#[cfg(test)]
mod tests {
    use scanguard_common::policy::Preset;

    use super::*;
    use crate::config::Ports;
    use crate::show::shown;

    fn status() -> Status {
        let entry = |interface: &str, index, mode, warning: Option<&str>| InterfaceStatus {
            interface: interface.into(),
            index,
            mode,
            frags: false,
            egress: mode.map(|_| "tcx"),
            program: 42,
            since: Some("2024-02-29T12:34:56Z".into()),
            closed_ports: mode.map(|_| "silenced at egress"),
            ping: mode.map(|_| "answer"),
            role: mode.map(|_| "host"),
            translation: mode.map(|_| "the interface forwards IPv4".to_owned()).into_iter().collect(),
            warning: warning.map(Into::into),
        };
        let interfaces = vec![
            entry("eth0", Some(2), Some(Mode::Native), None),
            entry("(slot 1)", None, None, Some("its interface is gone")),
        ];
        let host = HostRules::new(&Preset::Balanced.judgement(), &Ports::default());
        Status { interfaces, host, allowed: 1, schema: 1 }
    }

    #[test]
    fn warnings_stand_below_the_table() {
        let expected = "\
INTERFACE  INDEX  MODE    EGRESS  PROGRAM  SINCE
eth0           2  native  tcx          42  2024-02-29T12:34:56Z
(slot 1)       -  -       -            42  2024-02-29T12:34:56Z
eth0: closed ports are silenced at egress
eth0: ports without a socket may answer: the interface forwards IPv4
eth0: ping is answer, role is host
(slot 1): its interface is gone
bans: preset balanced, for 10m the first time and at most 1day
public ports: none
decoy ports: none
allowlist: 1 prefix
schema: 1
";
        assert_eq!(shown(&status(), false), expected);
    }

    #[test]
    fn json_is_one_object_a_line() {
        let expected = r#"{"kind":"interface","interface":"eth0","index":2,"mode":"native","frags":false,"egress":"tcx","program":42,"since":"2024-02-29T12:34:56Z","closed_ports":"silenced at egress","ping":"answer","role":"host","translation":["the interface forwards IPv4"],"warning":null}
{"kind":"interface","interface":"(slot 1)","index":null,"mode":null,"frags":false,"egress":null,"program":42,"since":"2024-02-29T12:34:56Z","closed_ports":null,"ping":null,"role":null,"translation":[],"warning":"its interface is gone"}
{"kind":"rules","preset":"balanced","threshold":4.97,"half_life":21600,"first":600,"ceiling":86400,"forget":86400,"public":[],"decoys":[]}
{"kind":"maps","allowed":1,"schema":1}
"#;
        assert_eq!(shown(&status(), true), expected);
    }
}
