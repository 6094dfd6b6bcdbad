//! Whether this host can be guarded, and what a policy means.

use std::io::{self, Write};

use scanguard_common::policy::{Judgement, Preset};
use serde::Serialize;

use super::rules::preset_of;
use super::{Show, json_line};
use crate::duration;
use crate::error::Error;

/// What was found, in order.
#[derive(Default)]
pub(crate) struct Findings {
    lines: Vec<Finding>,
    first: Option<anyhow::Error>,
}

#[derive(Serialize)]
struct Finding {
    about: String,
    ok: bool,
    finding: String,
}

impl Findings {
    /// Something is as it should be.
    pub(crate) fn found(&mut self, about: &str, finding: String) {
        self.lines.push(Finding { about: about.to_owned(), ok: true, finding });
    }

    /// Something is missing, with the remedy.
    pub(crate) fn missing(&mut self, about: &str, error: Error) {
        self.failed(about, error.into());
    }

    /// The same, or it could not be found out.
    pub(crate) fn failed(&mut self, about: &str, error: anyhow::Error) {
        self.lines.push(Finding { about: about.to_owned(), ok: false, finding: format!("{error:#}") });
        self.first.get_or_insert(error);
    }

    /// The first thing that is missing, if anything is.
    pub(crate) fn first_missing(self) -> Option<anyhow::Error> {
        self.first
    }
}

impl Show for Findings {
    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        for Finding { about, ok, finding } in &self.lines {
            writeln!(out, "{:<7}  {about}: {finding}", if *ok { "ok" } else { "missing" })?;
        }
        Ok(())
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        self.lines.iter().try_for_each(|line| json_line(out, line))
    }
}

/// What the rules for judging sources come to.
#[derive(Serialize)]
pub(crate) struct PolicyMeaning {
    policy: String,
    preset: &'static str,
    /// How many closed ports a source can reach, the one included by which it is banned; `None` where nobody is.
    closed_ports: Option<u32>,
    /// How long the first ban lasts, in seconds.
    first_ban: u32,
    /// How many sources of a network have to be banned at once until the network is; 0 for never.
    network_sources: u32,
    /// The longest time between two probes of a scan that is still caught, in seconds.
    slowest_interval: Option<u32>,
    /// The same in probes an hour.
    probes_per_hour: Option<f64>,
    /// Of how many runs of honest sources one is mistaken at most.
    one_mistaken_in: Option<u32>,
    /// Of how many scanners one is missed at most.
    one_missed_in: Option<u32>,
}

impl PolicyMeaning {
    /// What these rules mean, which are from there.
    pub(crate) fn new(rules: &Judgement, policy: String) -> PolicyMeaning {
        let bans = rules.threshold != u32::MAX;
        let preset = preset_of(rules);
        let slowest_interval = rules.slowest_interval().filter(|seconds| *seconds > 0);
        let per_hour = |seconds: u32| (360_000.0 / f64::from(seconds)).ceil() / 100.0;
        PolicyMeaning {
            policy,
            preset: preset.map_or("none", Preset::name),
            closed_ports: bans.then(|| rules.closed_ports()),
            first_ban: rules.terms.first,
            network_sources: rules.network_sources,
            slowest_interval,
            probes_per_hour: slowest_interval.map(per_hour),
            one_mistaken_in: preset.filter(|_| bans).map(Preset::one_mistake_in),
            one_missed_in: preset.filter(|_| bans).map(|_| Preset::ONE_MISSED_IN),
        }
    }
}

impl Show for PolicyMeaning {
    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\npolicy: preset {} ({})", self.preset, self.policy)?;
        let Some(closed_ports) = self.closed_ports else {
            return writeln!(out, "  Nobody is banned for scanning.");
        };
        let length = duration::written(self.first_ban);
        writeln!(out, "  A scanner reaches {closed_ports} closed ports, and is banned for {length}.")?;
        if self.network_sources > 0 {
            writeln!(
                out,
                "  A network is banned when {} of its sources are at once, unless it has a peer of this host.",
                self.network_sources
            )?;
        }
        if let Some((interval, per_hour)) = self.slowest_interval.zip(self.probes_per_hour) {
            let interval = duration::written(interval);
            writeln!(
                out,
                "  The slowest scan that is still caught sends {per_hour:.2} probes an hour, one each {interval}."
            )?;
        }
        if let Some((mistaken, missed)) = self.one_mistaken_in.zip(self.one_missed_in) {
            writeln!(
                out,
                "  Of honest sources' runs of failed contacts, at most one in {mistaken} is mistaken."
            )?;
            writeln!(out, "  Of scanners, at most one in {missed} is missed.")?;
        }
        Ok(())
    }

    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(out, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::shown;

    #[test]
    fn what_is_missing_is_told_and_the_first_is_the_commands_end() {
        let mut findings = Findings::default();
        findings.found("kernel", "Linux 6.18".into());
        findings.missing("eth9", Error::UnknownInterface("eth9".into()));
        findings.missing("lo", Error::Loopback("lo".into()));
        let expected = "\
ok       kernel: Linux 6.18
missing  eth9: eth9: no such interface; `ip link` lists them
missing  lo: lo: carries only what this host says to itself; guard an interface to the outside instead
";
        assert_eq!(shown(&findings, false), expected);
        assert!(
            shown(&findings, true)
                .starts_with("{\"about\":\"kernel\",\"ok\":true,\"finding\":\"Linux 6.18\"}\n")
        );
        assert!(findings.first_missing().is_some_and(|error| error.to_string().starts_with("eth9: ")));
    }

    #[test]
    fn a_policy_is_told_in_figures_that_the_rules_give() {
        let rules = Preset::Balanced.judgement();
        let meaning = PolicyMeaning::new(&rules, "the usual one".into());
        let interval = rules.slowest_interval().expect("scores fade");
        assert_eq!((meaning.closed_ports, meaning.slowest_interval), (Some(5), Some(interval)));
        // Rounded up: a scan with fewer probes would not be caught.
        let per_hour = meaning.probes_per_hour.expect("scores fade");
        assert!(
            (per_hour - 3_600.0 / f64::from(interval)).abs() <= 0.01
                && per_hour * f64::from(interval) >= 3_600.0
        );
        let text = shown(&meaning, false);
        assert!(text.contains("A scanner reaches 5 closed ports, and is banned for 10m."), "{text}");
        assert!(text.contains("at most one in 1000 is mistaken"), "{text}");
    }
}
