//! Who was found in a capture, as it is published.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::run::Run;
use super::stem;

/// From so many ports of one host on, a scanner is to be found.
const TEN: usize = 10;

/// What became of one scanner.
pub(super) struct Finding {
    pub(super) file: PathBuf,
    pub(super) source: IpAddr,
    /// To how many ports of one host it has sent anything.
    pub(super) ports: usize,
    /// By what closed ports were known, where that differs.
    pub(super) told: Option<&'static str>,
    /// How many contacts had failed when it was banned, and how the last of them ended.
    pub(super) found: Option<(u64, String)>,
}

/// Why some are not found, by the name of the capture.
pub(super) struct Reasons(pub(super) &'static [(&'static str, &'static str)]);

impl Reasons {
    fn of(&self, file: &Path) -> Option<&'static str> {
        self.0.iter().find(|(name, _)| *name == stem(file)).map(|(_, reason)| *reason)
    }

    /// Demands that whoever probed ten ports is found, but for those with a reason, who are not.
    pub(super) fn judge(&self, findings: &[Finding]) {
        let is_missed = |finding: &&Finding| finding.ports >= TEN && finding.found.is_none();
        let missed: Vec<&Path> =
            findings.iter().filter(is_missed).map(|finding| finding.file.as_path()).collect();
        let many = findings.iter().filter(|finding| finding.ports >= TEN).count();
        println!("{many} scanners of ten ports and more, {} of them not found", missed.len());
        let unexplained: Vec<_> = missed.iter().filter(|file| self.of(file).is_none()).collect();
        assert!(unexplained.is_empty(), "not found: {unexplained:#?}");
        let stale = self.0.iter().find(|(name, _)| missed.iter().all(|file| stem(file) != *name));
        assert_eq!(stale, None, "it is found, and needs no reason any more");
    }
}

/// The rows of a table: those that are to be found first.
pub(super) fn rows(findings: &[Finding], reasons: &Reasons) -> Vec<Vec<String>> {
    let (many, few): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| finding.ports >= TEN);
    many.into_iter().chain(few).map(|finding| finding.row(reasons)).collect()
}

impl Finding {
    fn row(&self, reasons: &Reasons) -> Vec<String> {
        let result = match &self.found {
            Some((failed, kind)) => format!("banned after {failed} that failed, the last: {kind}"),
            None if self.ports < TEN => "not banned".to_owned(),
            None => format!("**not banned**: {}", reasons.of(&self.file).unwrap_or("unknown")),
        };
        let told = self.told.map(str::to_owned);
        [code(&self.file), self.source.to_string(), self.ports.to_string()]
            .into_iter()
            .chain(told)
            .chain([result])
            .collect()
    }
}

/// Whether and by what a source was banned.
pub(super) fn found(run: &Run, source: IpAddr) -> Option<(u64, String)> {
    let bans = run.bans();
    let ban =
        bans.iter().find(|ban| ban["source"].as_str().is_some_and(|banned| is_sender(banned, source)))?;
    let failed = ban["failed"].as_u64().expect("a number");
    Some((failed, ban["contact"].as_str().expect("a name").to_owned()))
}

/// Whether this source is the sender: over IPv6 a source is a /64.
pub(super) fn is_sender(source: &str, sender: IpAddr) -> bool {
    let source: IpAddr = source.parse().expect("an address");
    match (source, sender) {
        (IpAddr::V6(source), IpAddr::V6(sender)) => source.segments()[..4] == sender.segments()[..4],
        (source, sender) => source == sender,
    }
}

/// What was dropped, in a cell.
pub(super) fn by_cause<C: std::fmt::Display>(dropped: &BTreeMap<C, u64>) -> String {
    let causes: Vec<String> = dropped.iter().map(|(cause, packets)| format!("{cause} {packets}")).collect();
    if causes.is_empty() { "nothing".to_owned() } else { causes.join(", ") }
}

/// The name of a capture, in a cell.
pub(super) fn code(file: &Path) -> String {
    format!("`{}`", stem(file))
}
