//! What is guarded.

use std::io::{self, Write};

use serde::Serialize;

use super::table::{Side, Table};
use super::{Show, json_line};
use crate::interface::Mode;
use crate::output::Printable;

/// Everything that is attached and pinned.
pub(crate) struct Status {
    /// One entry for each pinned link.
    pub(crate) interfaces: Vec<InterfaceStatus>,
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
    /// How the second door is attached, where it is.
    pub(crate) egress: Option<&'static str>,
    /// The kernel's number for the program.
    pub(crate) program: u32,
    /// When it was loaded.
    pub(crate) since: Option<String>,
    /// At which door closed ports are silenced, and why there.
    pub(crate) closed_ports: Option<&'static str>,
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
                entry.mode.map_or("-", Mode::name).into(),
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
            if let Some(warning) = &entry.warning {
                writeln!(out, "{name}: {}", Printable(warning))?;
            }
        }
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
        json_line(out, &Line::Maps { allowed: self.allowed, schema: self.schema })
    }
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Line<'a> {
    Interface(&'a InterfaceStatus),
    Maps { allowed: u32, schema: u32 },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::shown;

    fn status() -> Status {
        let entry = |interface: &str, index, mode, warning: Option<&str>| InterfaceStatus {
            interface: interface.into(),
            index,
            mode,
            egress: mode.map(|_| "tcx"),
            program: 42,
            since: Some("2024-02-29T12:34:56Z".into()),
            closed_ports: mode.map(|_| "silenced at egress"),
            translation: mode.map(|_| "the interface forwards IPv4".to_owned()).into_iter().collect(),
            warning: warning.map(Into::into),
        };
        let interfaces = vec![
            entry("eth0", Some(2), Some(Mode::Native), None),
            entry("(slot 1)", None, None, Some("its interface is gone")),
        ];
        Status { interfaces, allowed: 1, schema: 1 }
    }

    #[test]
    fn warnings_stand_below_the_table() {
        let expected = "\
INTERFACE  INDEX  MODE    EGRESS  PROGRAM  SINCE
eth0           2  native  tcx          42  2024-02-29T12:34:56Z
(slot 1)       -  -       -            42  2024-02-29T12:34:56Z
eth0: closed ports are silenced at egress
eth0: ports without a socket may answer: the interface forwards IPv4
(slot 1): its interface is gone
allowlist: 1 prefix
schema: 1
";
        assert_eq!(shown(&status(), false), expected);
    }

    #[test]
    fn json_is_one_object_a_line() {
        let expected = r#"{"kind":"interface","interface":"eth0","index":2,"mode":"native","egress":"tcx","program":42,"since":"2024-02-29T12:34:56Z","closed_ports":"silenced at egress","translation":["the interface forwards IPv4"],"warning":null}
{"kind":"interface","interface":"(slot 1)","index":null,"mode":null,"egress":null,"program":42,"since":"2024-02-29T12:34:56Z","closed_ports":null,"translation":[],"warning":"its interface is gone"}
{"kind":"maps","allowed":1,"schema":1}
"#;
        assert_eq!(shown(&status(), true), expected);
    }
}
