//! Scans of the guarded host.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_harness::{Host, NMAP_OPTIONS, Process, Report};

/// The longest that a scan of a few ports may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Ports with a service behind them.
pub(crate) const OPEN: [u16; 3] = [22, 80, 443];
/// Ports without.
pub(crate) const CLOSED: [u16; 3] = [25, 3306, 8080];

/// What nmap calls silence is worth something only where others got an answer; these get none by themselves, from
/// any port, because nobody answers a segment with RST.
pub(crate) const NEVER_ANSWERED: [&str; 1] = ["-sS --scanflags SYNRST"];

/// Scans that no client's traffic looks like.
pub(crate) const STEALTHY: [&str; 10] = [
    "-sN",
    "-sF",
    "-sX",
    "-sM",
    "-sA",
    "-sW",
    "-sS --scanflags SYNFIN",
    NEVER_ANSWERED[0],
    "-sS --scanflags URG",
    "-sS --scanflags PSH",
];

/// A scan under way.
pub(crate) struct Scan {
    /// Its technique.
    pub(crate) technique: &'static str,
    process: Process,
}

impl Scan {
    /// Starts one scan of all the ports above.
    pub(crate) fn start(from: &Host, technique: &'static str, target: IpAddr) -> Result<Scan> {
        let ports: Vec<String> = OPEN.iter().chain(&CLOSED).map(u16::to_string).collect();
        let family = if target.is_ipv6() { "-6" } else { "" };
        let line = format!("{technique} {family} {NMAP_OPTIONS} -p {} {target}", ports.join(","));
        Ok(Scan { technique, process: from.spawn("nmap", line.split_whitespace())? })
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Result<Report> {
        let output = self.process.wait(LIMIT)?;
        let line = self.process.command_line();
        ensure!(output.status.success(), "`{line}`: {}", String::from_utf8_lossy(&output.stderr));
        Report::read(&String::from_utf8_lossy(&output.stdout)).with_context(|| format!("reading `{line}`"))
    }
}

/// Scans in several ways at once: most of the time passes waiting for answers that do not come.
pub(crate) fn scan(
    from: &Host,
    techniques: &[&'static str],
    target: IpAddr,
) -> Result<Vec<(&'static str, Report)>> {
    let scans = techniques.iter().map(|technique| Scan::start(from, technique, target));
    let scans: Vec<Scan> = scans.collect::<Result<_>>()?;
    scans.into_iter().map(|scan| Ok((scan.technique, scan.finish()?))).collect()
}

/// How many probes were sent.
pub(crate) fn probes<'a>(reports: impl IntoIterator<Item = &'a (&'static str, Report)>) -> u64 {
    reports.into_iter().flat_map(|(_, report)| report.ports()).map(|port| port.probes).sum()
}
