//! Who is banned: by the operator, and for scanning.

use std::io::{self, Write};
use std::net::IpAddr;

use scanguard_common::ban::Ban;
use scanguard_common::classify::signature::Signature;
use serde::Serialize;

use super::table::{Side, Table};
use super::{Show, json_line};
use crate::clock::{self, dated};
use crate::maps::{List, Maps};
use crate::prefix::Prefix;

/// Everybody whose new contacts are refused now.
pub(crate) struct Banlist(Vec<Line>);

#[derive(Serialize)]
struct Line {
    source: String,
    by: &'static str,
    since: String,
    until: Option<String>,
    why: Option<String>,
    tool: Option<&'static str>,
    repeats: Option<u16>,
}

impl Banlist {
    /// Reads both lists, without what has expired.
    pub(crate) fn read(maps: &Maps) -> anyhow::Result<Banlist> {
        let now = clock::seconds()?;
        let mut lines = Vec::new();
        for (prefix, entry) in maps.listed(List::Denied)?.iter().filter(|(_, entry)| entry.holds(now)) {
            let reason = String::from_utf8_lossy(entry.reason()).into_owned();
            lines.push(Line {
                source: prefix.to_string(),
                by: "operator",
                since: dated(entry.since())?,
                until: entry.until().map(dated).transpose()?,
                why: (!reason.is_empty()).then_some(reason),
                tool: None,
                repeats: None,
            });
        }
        let mut bans = maps.bans()?;
        bans.retain(|(_, ban)| ban.holds(now));
        bans.sort_unstable_by_key(|(source, _)| *source);
        for (source, ban) in bans {
            lines.push(Line::by_engine(source, ban)?);
        }
        let mut networks = maps.network_bans()?;
        networks.retain(|(_, ban)| ban.holds(now));
        networks.sort_unstable_by_key(|(network, _)| *network);
        for (network, ban) in networks {
            let why = format!("{}, by several of its sources", ban.kind().name());
            let source = Prefix::of_network(network).to_string();
            lines.push(Line { source, why: Some(why), ..Line::by_engine(network, ban)? });
        }
        Ok(Banlist(lines))
    }
}

impl Line {
    fn by_engine(source: IpAddr, ban: Ban) -> anyhow::Result<Line> {
        Ok(Line {
            source: Prefix::of_source(source).to_string(),
            by: "engine",
            since: dated(ban.since())?,
            until: Some(dated(ban.until())?),
            why: Some(ban.kind().name().to_owned()),
            tool: ban.label().signature().map(Signature::name),
            repeats: Some(ban.repeats()),
        })
    }
}

impl Show for Banlist {
    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new([
            ("SOURCE", Side::Left),
            ("BY", Side::Left),
            ("SINCE", Side::Left),
            ("UNTIL", Side::Left),
            ("REPEATS", Side::Right),
            ("TOOL", Side::Left),
            ("WHY", Side::Left),
        ]);
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        for line in &self.0 {
            table.row([
                line.source.clone(),
                line.by.to_owned(),
                line.since.clone(),
                line.until.clone().unwrap_or_else(|| "removed".to_owned()),
                or_dash(line.repeats.map(|repeats| repeats.to_string())),
                or_dash(line.tool.map(str::to_owned)),
                or_dash(line.why.clone()),
            ]);
        }
        table.write(out)
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|line| json_line(out, line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::shown;

    fn list() -> Banlist {
        let line = |source: &str, by| Line {
            source: source.into(),
            by,
            since: "2024-02-29T12:34:56Z".into(),
            until: None,
            why: None,
            tool: None,
            repeats: None,
        };
        let reason = Some("scans by night".into());
        let until = Some("2024-02-29T12:44:56Z".into());
        let engine =
            Line { until, why: Some("closed".into()), repeats: Some(2), ..line("192.0.2.7", "engine") };
        Banlist(vec![Line { why: reason, ..line("2001:db8::/32", "operator") }, engine])
    }

    #[test]
    fn both_kinds_stand_in_one_table() {
        let expected = "\
SOURCE         BY        SINCE                 UNTIL                 REPEATS  TOOL  WHY
2001:db8::/32  operator  2024-02-29T12:34:56Z  removed                     -  -     scans by night
192.0.2.7      engine    2024-02-29T12:34:56Z  2024-02-29T12:44:56Z        2  -     closed
";
        assert_eq!(shown(&list(), false), expected);
    }

    #[test]
    fn json_has_every_field() {
        let expected = r#"{"source":"2001:db8::/32","by":"operator","since":"2024-02-29T12:34:56Z","until":null,"why":"scans by night","tool":null,"repeats":null}
{"source":"192.0.2.7","by":"engine","since":"2024-02-29T12:34:56Z","until":"2024-02-29T12:44:56Z","why":"closed","tool":null,"repeats":2}
"#;
        assert_eq!(shown(&list(), true), expected);
    }
}
