//! The kernel's own filters: of each the rule that comes nearest, which counts what it drops as scanguard does.

use std::time::Duration;

use anyhow::{Context, Result};
use scanguard_harness::{Host, INTERFACE};

use crate::cable::{Cable, Receiver};
use crate::row::Goal;

/// A way to drop the flood.
pub(super) struct Rival {
    pub(super) name: &'static str,
    /// How many times as fast scanguard is to be.
    pub(super) goal: Goal,
    set_up: &'static [&'static str],
    take_down: &'static [&'static str],
    pub(super) counter: Counter,
}

/// Where somebody says how many packets he has dropped: the number that follows a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counter {
    pub(super) line: &'static str,
    pub(super) after: &'static str,
}

pub(super) const RIVALS: [Rival; 4] = [
    Rival {
        name: "nftables, netdev ingress",
        goal: Goal::AtLeast(1.0),
        set_up: &[
            "nft add table netdev bench",
            "nft add chain netdev bench in { type filter hook ingress device eth0 priority -500 ; }",
            "nft add rule netdev bench in tcp flags & (fin|syn|rst|psh|ack|urg) == fin|psh|urg counter drop",
        ],
        take_down: &["nft delete table netdev bench"],
        counter: Counter { line: "nft list table netdev bench", after: "counter packets " },
    },
    Rival {
        name: "nftables, prerouting raw",
        goal: Goal::AtLeast(1.0),
        set_up: &[
            "nft add table ip bench",
            "nft add chain ip bench in { type filter hook prerouting priority raw ; }",
            "nft add rule ip bench in tcp flags & (fin|syn|rst|psh|ack|urg) == fin|psh|urg counter drop",
        ],
        take_down: &["nft delete table ip bench"],
        counter: Counter { line: "nft list table ip bench", after: "counter packets " },
    },
    Rival {
        name: "iptables, raw",
        goal: Goal::AtLeast(1.0),
        set_up: &[
            "iptables -t raw -A PREROUTING -p tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG FIN,PSH,URG -j DROP",
        ],
        take_down: &["iptables -t raw -F PREROUTING"],
        counter: Counter { line: "iptables -t raw -v -S PREROUTING", after: "-c " },
    },
    Rival {
        name: "iptables, conntrack INVALID",
        goal: Goal::AtLeast(3.0),
        set_up: &["iptables -A INPUT -m conntrack --ctstate INVALID -j DROP"],
        take_down: &["iptables -F INPUT"],
        counter: Counter { line: "iptables -v -S INPUT", after: "-c " },
    },
];

impl Rival {
    pub(super) fn set_up(&self, cable: &Cable) -> Result<Receiver<Undo>> {
        let host = &cable.lab.guarded;
        let undo = Undo {
            host: host.clone(),
            lines: self.take_down.iter().map(|line| words(line)).collect(),
            merges: true,
        };
        cable.receive(|| {
            set_up(host, self.name, self.set_up)?;
            cable.merge(true)?;
            Ok(undo)
        })
    }
}

/// Runs these lines, by which a rival is set up.
pub(super) fn set_up(host: &Host, name: &str, lines: &[&str]) -> Result<()> {
    for line in lines {
        run(host, &words(line)).with_context(|| format!("setting up {name}"))?;
    }
    Ok(())
}

impl Counter {
    /// How many packets were dropped.
    pub(super) fn read(self, host: &Host) -> Result<u64> {
        /// The longest that anybody may take to tell.
        const LIMIT: Duration = Duration::from_secs(10);
        let (program, words) = self.line.split_once(' ').context("a command and its words")?;
        // xdp-filter tells what it has, and fails all the same where one of its features is not in use.
        let output = host.spawn(program, words.split(' '))?.wait(LIMIT)?;
        self.find(&String::from_utf8_lossy(&output.stdout))
    }

    /// The last such number, because a policy may be counted before its rules are.
    fn find(self, said: &str) -> Result<u64> {
        let found = said.rsplit_once(self.after).and_then(|(_, rest)| {
            let digits = rest.trim_start().split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        });
        found.with_context(|| format!("`{}` has no number after {:?}: {said}", self.line, self.after))
    }
}

/// Commands that take back what was done, when this is dropped.
#[derive(Debug)]
pub(crate) struct Undo {
    pub(super) host: Host,
    pub(super) lines: Vec<Vec<String>>,
    pub(super) merges: bool,
}

impl Drop for Undo {
    fn drop(&mut self) {
        // What cannot be taken back is found by whatever is set up next.
        for line in &self.lines {
            let _ = run(&self.host, line);
        }
        if self.merges {
            let _ = self.host.run("ethtool", ["-K", INTERFACE, "gro", "off"]);
        }
    }
}

pub(super) fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn run(host: &Host, line: &[String]) -> Result<String> {
    let (program, words) = line.split_first().context("an empty command")?;
    host.run(program, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_counter_is_read() {
        let counter = Counter { line: "iptables -v -S INPUT", after: "-c " };
        let said = "-P INPUT ACCEPT -c 7 364\n-A INPUT -m conntrack -c 12 648 -j DROP\n";
        assert_eq!(counter.find(said).expect("a number"), 12);
        let counter = Counter { line: "xdp-filter status", after: "XDP_DROP" };
        assert_eq!(counter.find("  XDP_DROP          42 pkts    0 KiB\n").expect("a number"), 42);
        assert!(counter.find("  XDP_PASS          42 pkts    0 KiB\n").is_err());
    }
}
