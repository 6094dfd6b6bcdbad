//! Who is under observation.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use scanguard_common::ban::Ban;
use scanguard_common::classify::signature::{Label, Signature};
use scanguard_common::evidence::{Kind, Source};
use scanguard_common::time::Seconds;
use serde::Serialize;

use super::incidents::Incidents;
use super::score::Score;
use super::table::{Side, Table};
use super::{Show, json_line};
use crate::clock::{self, dated};
use crate::incident;
use crate::maps::Maps;
use crate::prefix::Prefix;

/// What is held against sources, those first that are banned, then by score; and what many of them did together.
pub(crate) struct Sources {
    lines: Vec<Line>,
    incidents: Incidents,
}

#[derive(Serialize)]
struct Line {
    source: String,
    since: Option<String>,
    last: Option<String>,
    score: Score,
    threshold: Score,
    contacts: Option<u16>,
    failed: Option<u16>,
    answered: Option<u16>,
    kind: Option<&'static str>,
    tool: Option<&'static str>,
    banned_until: Option<String>,
}

impl Sources {
    /// Reads what is known; without `all`, of those alone against whom something is held now.
    pub(crate) fn read(maps: &Maps, all: bool) -> anyhow::Result<Sources> {
        let now = clock::seconds()?;
        let rules = *maps.rules()?.judgement();
        let mut known: BTreeMap<IpAddr, (Option<Source>, Option<Ban>)> = BTreeMap::new();
        for (source, record) in maps.sources()? {
            known.entry(source).or_default().0 = Some(record);
        }
        for (source, ban) in maps.bans()?.into_iter().filter(|(_, ban)| ban.holds(now)) {
            known.entry(source).or_default().1 = Some(ban);
        }
        let threshold = Score(rules.threshold);
        let mut lines = Vec::new();
        for (source, (record, ban)) in known {
            let score = record.map_or(0, |record| record.score_at(now, rules.half_life));
            if all || score > 0 || ban.is_some() {
                lines.push(Line { threshold, ..Line::of(source, record, ban, Score(score))? });
            }
        }
        lines.sort_by_key(|line| Reverse((line.banned_until.is_some(), line.score)));
        let incidents = Incidents::new(&incident::merged(maps.incidents()?), now, dated)?;
        Ok(Sources { lines, incidents })
    }
}

impl Line {
    fn of(source: IpAddr, record: Option<Source>, ban: Option<Ban>, score: Score) -> anyhow::Result<Line> {
        let date = |of: fn(&Source) -> Seconds| record.as_ref().map(of).map(dated).transpose();
        let [contacts, failed, answered] = record.map_or([None; 3], |record| record.contacts().map(Some));
        // Who was banned for one contact alone has no record.
        let last_kind = record.map(|record| record.kind()).or(ban.map(Ban::kind));
        let label = record.map(|record| record.label()).or(ban.map(Ban::label));
        Ok(Line {
            source: Prefix::of_source(source).to_string(),
            since: date(Source::since)?,
            last: date(Source::last)?,
            score,
            threshold: score,
            contacts,
            failed,
            answered,
            kind: last_kind.filter(|kind| *kind != Kind::Asked).map(Kind::name),
            tool: label.and_then(Label::signature).map(Signature::name),
            banned_until: ban.map(|ban| dated(ban.until())).transpose()?,
        })
    }
}

impl Show for Sources {
    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new([
            ("SOURCE", Side::Left),
            ("SINCE", Side::Left),
            ("LAST", Side::Left),
            ("SCORE", Side::Right),
            ("OF", Side::Right),
            ("CONTACTS", Side::Right),
            ("FAILED", Side::Right),
            ("ANSWERED", Side::Right),
            ("KIND", Side::Left),
            ("TOOL", Side::Left),
            ("BANNED-UNTIL", Side::Left),
        ]);
        let number = |number: Option<u16>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        for line in &self.lines {
            table.row([
                line.source.clone(),
                text(&line.since),
                text(&line.last),
                line.score.to_string(),
                line.threshold.to_string(),
                number(line.contacts),
                number(line.failed),
                number(line.answered),
                line.kind.unwrap_or("-").to_owned(),
                line.tool.unwrap_or("-").to_owned(),
                text(&line.banned_until),
            ]);
        }
        table.write(out)?;
        if self.incidents.is_empty() {
            return Ok(());
        }
        writeln!(out)?;
        self.incidents.table(out)
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        self.lines.iter().try_for_each(|line| json_line(out, line))?;
        self.incidents.json(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::{incidents, shown};

    fn sources() -> Sources {
        let date = || Some("2024-02-29T12:34:56Z".to_owned());
        let line = Line {
            source: "192.0.2.7".into(),
            since: date(),
            last: date(),
            score: Score(2_840),
            threshold: Score(7_063),
            contacts: Some(3),
            failed: Some(2),
            answered: Some(1),
            kind: Some("closed"),
            tool: None,
            banned_until: None,
        };
        let banned = Line {
            source: "2001:db8::/64".into(),
            since: None,
            last: None,
            score: Score(0),
            threshold: Score(7_063),
            contacts: None,
            failed: None,
            answered: None,
            kind: Some("signature"),
            tool: Some("nmap-ack"),
            banned_until: date(),
        };
        let incidents = Incidents::new(&[], Seconds(0), dated).expect("nothing is written");
        Sources { lines: vec![banned, line], incidents }
    }

    #[test]
    fn each_source_is_one_line() {
        let expected = "\
SOURCE         SINCE                 LAST                  SCORE    OF  CONTACTS  FAILED  ANSWERED  KIND       TOOL      BANNED-UNTIL
2001:db8::/64  -                     -                      0.00  4.97         -       -         -  signature  nmap-ack  2024-02-29T12:34:56Z
192.0.2.7      2024-02-29T12:34:56Z  2024-02-29T12:34:56Z   2.00  4.97         3       2         1  closed     -         -
";
        assert_eq!(shown(&sources(), false), expected);
    }

    #[test]
    fn json_has_every_field() {
        let expected = r#"{"source":"2001:db8::/64","since":null,"last":null,"score":0.0,"threshold":4.97,"contacts":null,"failed":null,"answered":null,"kind":"signature","tool":"nmap-ack","banned_until":"2024-02-29T12:34:56Z"}
{"source":"192.0.2.7","since":"2024-02-29T12:34:56Z","last":"2024-02-29T12:34:56Z","score":2.0,"threshold":4.97,"contacts":3,"failed":2,"answered":1,"kind":"closed","tool":null,"banned_until":null}
"#;
        assert_eq!(shown(&sources(), true), expected);
    }

    #[test]
    fn shared_scans_stand_below() {
        let [json, table] =
            [true, false].map(|json| (shown(&sources(), json), shown(&incidents::example(), json)));
        let sources = Sources { incidents: incidents::example(), ..sources() };
        assert_eq!(shown(&sources, true), format!("{}{}", json.0, json.1));
        assert_eq!(shown(&sources, false), format!("{}\n{}", table.0, table.1));
    }
}
