//! Whether clients have ports to come from.
//!
//! Whoever ends a connection first keeps its port for a minute (`TIME_WAIT`, RFC 9293 §3.3.2). With a new connection for
//! each request, within seconds the outside host keeps all of the 14 000 ports that it looks at first; then it looks
//! through all of them for each connection, and what is measured is how long that takes, whatever the guarded host does.

use std::fs;

use anyhow::{Context, Result, ensure};
use scanguard_harness::Host;

use crate::cable::counted;

/// Whether ports that are kept may be used: `Documentation/networking/ip-sysctl.rst`.
const SWITCH: &str = "/proc/sys/net/ipv4/tcp_tw_reuse";

/// Lets a host use a port for a new connection that was kept for a second, to whomever it goes. Timestamps tell segments
/// of the one from those of the other (RFC 6191).
pub(super) fn use_again(client: &Host) -> Result<()> {
    client.within(|| fs::write(SWITCH, "1")).with_context(|| format!("writing 1 to {SWITCH}"))
}

/// The ports of a host, at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    /// How many there are for its own connections.
    all: u64,
    /// How many are kept for connections that have ended.
    kept: u64,
    /// How often one that was kept was used, ever.
    again: u64,
}

impl Ports {
    pub(super) fn of(client: &Host) -> Result<Ports> {
        client.within(|| {
            let range = read("/proc/sys/net/ipv4/ip_local_port_range")?;
            let mut ends = range.split_whitespace().map(str::parse::<u64>);
            let (first, last) = ends.next().zip(ends.next()).context("a range has two ends")?;
            let again = counted(&read("/proc/thread-self/net/netstat")?, "TcpExt", "TWRecycled")?;
            Ok(Ports {
                all: 1 + last? - first?,
                kept: kept(&read("/proc/thread-self/net/sockstat")?)?,
                again,
            })
        })
    }

    /// Makes sure that connections which were begun since then had ports: where most were kept by then, some of those must
    /// have been used, because the first to be tried is any.
    ///
    /// # Errors
    ///
    /// Fails where none was.
    pub(super) fn check(self, now: Ports) -> Result<()> {
        let Ports { all, kept, again } = self;
        // A connection takes an odd port only where no even one is left: `__inet_hash_connect` of
        // `net/ipv4/inet_hashtables.c`.
        let tried_first = all / 2;
        ensure!(
            kept <= tried_first / 2 || now.again > again,
            "clients are short of ports: {kept} of {all} are kept for connections that have ended, and none is used again"
        );
        Ok(())
    }
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("reading {file}"))
}

/// What `sockstat` tells of sockets in `TIME_WAIT`: a line of names, each with its value.
fn kept(sockstat: &str) -> Result<u64> {
    let line = sockstat.lines().find_map(|line| line.strip_prefix("TCP: ")).context("no sockets of TCP")?;
    let value = line.split(' ').skip_while(|word| *word != "tw").nth(1);
    Ok(value.context("no sockets in TIME_WAIT")?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_short_where_most_are_kept_and_none_is_used_again() {
        let ports = |kept, again| Ports { all: 28_232, kept, again };
        assert!(
            ports(7_000, 5).check(ports(14_000, 5)).is_ok(),
            "half of those that are tried first were free"
        );
        assert!(ports(14_000, 5).check(ports(14_000, 6)).is_ok(), "one was used again");
        let error = ports(14_000, 5).check(ports(14_001, 5)).expect_err("none was");
        assert!(error.to_string().contains("14000 of 28232"), "{error}");
    }

    #[test]
    fn sockets_in_time_wait_are_found_among_the_others() {
        let sockstat = "sockets: used 9\nTCP: inuse 1 orphan 0 tw 13497 alloc 2 mem 0\nUDP: inuse 0 mem 0\n";
        assert_eq!(kept(sockstat).expect("a number"), 13_497);
        assert!(kept("UDP: inuse 0 mem 0\n").is_err());
    }
}
