//! Scans that are shared among many sources.

use std::io::{self, Write};
use std::net::IpAddr;

use scanguard_common::incident::Census;
use scanguard_common::time::Seconds;
use serde::Serialize;

use super::table::{Side, Table};
use super::{Show, json_line};
use crate::incident::Incident;

/// Incidents, each of which is one line.
pub(crate) struct Incidents(Vec<Line>);

#[derive(Serialize)]
struct Line {
    incident: Scan,
}

/// One incident.
#[derive(Serialize)]
pub(super) struct Scan {
    since: String,
    last: String,
    over: bool,
    sources: u32,
    banned: u64,
    ports: u32,
    coverage: f64,
    lowest_port: Option<u16>,
    highest_port: Option<u16>,
    attempts: u64,
    prefixes: u32,
    at_least: bool,
    largest: Vec<Share>,
    destinations: Vec<IpAddr>,
}

#[derive(Serialize)]
struct Share {
    prefix: String,
    sources: u32,
}

/// How many ports there are of one protocol.
const ALL_PORTS: f64 = 65_535.0;

/// How many networks a person is shown of each incident.
const LARGEST: usize = 3;

impl Incidents {
    /// As of now. `date` writes a second for people.
    pub(crate) fn new(
        incidents: &[Incident],
        now: Seconds,
        date: impl Fn(Seconds) -> anyhow::Result<String>,
    ) -> anyhow::Result<Incidents> {
        let line = |incident| Ok(Line { incident: Scan::of(incident, now, &date)? });
        Ok(Incidents(incidents.iter().map(line).collect::<anyhow::Result<_>>()?))
    }

    /// Each by itself.
    pub(super) fn into_scans(self) -> impl Iterator<Item = Scan> {
        self.0.into_iter().map(|line| line.incident)
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Scan {
    /// As of now. `date` writes a second for people.
    pub(super) fn of(
        incident: &Incident,
        now: Seconds,
        date: impl Fn(Seconds) -> anyhow::Result<String>,
    ) -> anyhow::Result<Scan> {
        let Incident { ports, sources, prefixes, .. } = incident;
        let largest = incident.largest();
        let named =
            largest.iter().map(|(prefix, sources)| Share { prefix: prefix.to_string(), sources: *sources });
        Ok(Scan {
            since: date(incident.since)?,
            last: date(incident.last)?,
            over: !incident.goes_on(now),
            sources: sources.estimate(),
            banned: incident.banned,
            ports: ports.estimate(),
            coverage: coverage(ports),
            lowest_port: incident.range.map(|[lowest, _]| lowest),
            highest_port: incident.range.map(|[_, highest]| highest),
            attempts: incident.attempts,
            prefixes: prefixes.estimate(),
            at_least: ports.is_full() || sources.is_full() || prefixes.is_full(),
            largest: named.collect(),
            destinations: incident.destinations.iter().copied().collect(),
        })
    }

    fn range(&self) -> String {
        let range = self.lowest_port.zip(self.highest_port);
        range.map_or_else(|| "-".to_owned(), |(lowest, highest)| format!("{lowest}-{highest}"))
    }

    fn largest(&self) -> String {
        let shown = self.largest.iter().take(LARGEST);
        let mut words: Vec<_> = shown.map(|share| format!("{} {}", share.prefix, share.sources)).collect();
        if self.largest.len() > LARGEST {
            words.push("…".to_owned());
        }
        words.join(", ")
    }
}

/// Which part of all ports of a protocol was tried, to three places behind the point.
fn coverage(ports: &Census<1_024>) -> f64 {
    let part = (f64::from(ports.estimate()) / ALL_PORTS).min(1.0);
    (part * 1_000.0).round() / 1_000.0
}

impl Show for Incidents {
    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new([
            ("SHARED-SCAN", Side::Left),
            ("LAST", Side::Left),
            ("OVER", Side::Left),
            ("SOURCES", Side::Right),
            ("BANNED", Side::Right),
            ("PORTS", Side::Right),
            ("COVERAGE", Side::Right),
            ("RANGE", Side::Left),
            ("ATTEMPTS", Side::Right),
            ("PREFIXES", Side::Right),
            ("LARGEST", Side::Left),
            ("AGAINST", Side::Left),
        ]);
        for Line { incident } in &self.0 {
            let against: Vec<_> = incident.destinations.iter().map(IpAddr::to_string).collect();
            table.row([
                incident.since.clone(),
                incident.last.clone(),
                if incident.over { "yes" } else { "no" }.to_owned(),
                incident.sources.to_string(),
                incident.banned.to_string(),
                incident.ports.to_string(),
                format!("{:.1}%", incident.coverage * 100.0),
                incident.range(),
                incident.attempts.to_string(),
                incident.prefixes.to_string(),
                incident.largest(),
                against.join(", "),
            ]);
        }
        table.write(out)
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|line| json_line(out, line))
    }
}

/// What a scan by 20 sources looks like, for the tests of what it is shown with.
#[cfg(test)]
pub(super) fn example() -> Incidents {
    let windows = vec![("192.0.2.1".parse().expect("an address"), crate::incident::example(Seconds(100)))];
    let date = |Seconds(second)| Ok(format!("2024-02-29T12:{:02}:{:02}Z", second / 60, second % 60));
    Incidents::new(&crate::incident::merged(windows), Seconds(1_000), date).expect("dates are written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::shown;

    #[test]
    fn each_incident_is_one_line() {
        let expected = "\
SHARED-SCAN           LAST                  OVER  SOURCES  BANNED  PORTS  COVERAGE  RANGE      ATTEMPTS  PREFIXES  LARGEST                                AGAINST
2024-02-29T12:01:40Z  2024-02-29T12:01:53Z  yes        20       0    138      0.2%  1000-1139       140         2  198.51.100.0/24 15, 198.51.101.0/24 5  192.0.2.1
";
        assert_eq!(shown(&example(), false), expected);
    }

    #[test]
    fn json_has_every_field() {
        let expected = r#"{"incident":{"since":"2024-02-29T12:01:40Z","last":"2024-02-29T12:01:53Z","over":true,"sources":20,"banned":0,"ports":138,"coverage":0.002,"lowest_port":1000,"highest_port":1139,"attempts":140,"prefixes":2,"at_least":false,"largest":[{"prefix":"198.51.100.0/24","sources":15},{"prefix":"198.51.101.0/24","sources":5}],"destinations":["192.0.2.1"]}}
"#;
        assert_eq!(shown(&example(), true), expected);
    }
}
