//! What the two kernels counted.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use scanguard_harness::Host;
use serde_json::Value;

/// How many packets scanguard has dropped on this host, by its own account.
pub(crate) fn dropped(host: &Host, scanguard: &Path) -> Result<u64> {
    dropped_in(&host.run(scanguard, ["stats", "--json"])?)
}

/// How many packets were dropped, by what `scanguard stats` or `replay` wrote as JSON.
pub(crate) fn dropped_in(text: &str) -> Result<u64> {
    let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
    let lines = lines.context("reading what `scanguard --json` printed")?;
    let totals = lines.iter().filter(|line| line["kind"] == "total" && line["action"] == "drop");
    totals.map(|line| line["packets"].as_u64()).sum::<Option<u64>>().context("a total is no number")
}

/// How many SYNs this host's kernel has sent again because nobody answered.
pub(crate) fn syn_retransmissions(host: &Host) -> Result<u64> {
    const COUNTERS: &str = "/proc/thread-self/net/netstat";
    let text = host.within(|| fs::read_to_string(COUNTERS)).with_context(|| format!("reading {COUNTERS}"))?;
    let value = counter(&text, "TcpExt:", "TCPSynRetrans");
    value.with_context(|| format!("{COUNTERS} has no TCPSynRetrans"))
}

/// Finds a number in pairs of lines, names above values.
fn counter(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with(group));
    let (names, values) = (lines.next()?.split_whitespace(), lines.next()?.split_whitespace());
    names.zip(values).find(|(candidate, _)| *candidate == name)?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_by_its_group_and_name() {
        let text = "TcpExt: TWRecycled TCPSynRetrans\nTcpExt: 4 7\nIpExt: InPkts TCPSynRetrans\nIpExt: 1 2\n";
        assert_eq!(counter(text, "TcpExt:", "TCPSynRetrans"), Some(7));
        assert_eq!(counter(text, "IpExt:", "InPkts"), Some(1));
        assert_eq!(counter(text, "TcpExt:", "InPkts"), None);
    }

    #[test]
    fn drops_are_summed_over_interfaces_and_not_over_causes() {
        let line = |kind: &str, action: &str, packets: u64| {
            format!("{{\"kind\":\"{kind}\",\"action\":\"{action}\",\"packets\":{packets}}}\n")
        };
        let text = line("cause", "drop", 9)
            + &line("total", "drop", 9)
            + &line("total", "pass", 5)
            + &line("total", "drop", 3);
        assert_eq!(dropped_in(&text).expect("that is JSON"), 12);
        assert!(dropped_in("eth0 12").is_err());
    }
}
