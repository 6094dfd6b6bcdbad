//! What the older iptables and IPVS have, as the kernel lists it below `/proc`.
//!
//! A table that was only looked at once is there, too, and its rules are told in a form that depends on each of its
//! matches and targets. So a table is a reason whatever is in it: the price of a mistake is small.

use std::fs;

use super::Reason;

/// This thread's network namespace, which a test may have chosen.
const FOLDER: &str = "/proc/thread-self/net";

/// For each family: the file that lists tables, the one that lists targets, and the command that shows a table.
const FAMILIES: [(&str, &str, [&str; 2]); 2] = [
    ("ip_tables_names", "ip_tables_targets", ["iptables-legacy -t nat -S", "iptables-legacy -t mangle -S"]),
    (
        "ip6_tables_names",
        "ip6_tables_targets",
        ["ip6tables-legacy -t nat -S", "ip6tables-legacy -t mangle -S"],
    ),
];

pub(super) fn survey() -> Vec<Reason> {
    let read = |file: &str| fs::read_to_string(format!("{FOLDER}/{file}")).unwrap_or_default();
    let mut reasons = Vec::new();
    for (names, targets, commands) in FAMILIES {
        let tables = tables_that_redirect(&read(names), &read(targets));
        let commands = commands.into_iter().zip(tables).filter(|(_, is_there)| *is_there);
        reasons.extend(commands.map(|(command, _)| Reason::Table { command }));
    }
    let services = virtual_servers(&read("ip_vs"));
    if services > 0 {
        reasons.push(Reason::VirtualServers { services });
    }
    reasons
}

/// Whether there is a table `nat`, and a table `mangle` that may hold a rule with `TPROXY`.
fn tables_that_redirect(names: &str, targets: &str) -> [bool; 2] {
    let lists = |list: &str, wanted: &str| list.lines().any(|line| line == wanted);
    [lists(names, "nat"), lists(names, "mangle") && lists(targets, "TPROXY")]
}

/// How many services there are: a line for each, which begins with its protocol or with `FWM` for a firewall mark,
/// below two lines of headings, and above a line for each of its servers.
fn virtual_servers(list: &str) -> usize {
    const KINDS: [&str; 4] = ["TCP", "UDP", "SCTP", "FWM"];
    list.lines()
        .filter(|line| line.split_whitespace().next().is_some_and(|word| KINDS.contains(&word)))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_of_ipvs_are_counted_without_headings_and_servers() {
        let list = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A4D0001:0050 rr
  -> 0A4D0102:0050      Masq    1      0          0
  -> 0A4D0103:0050      Masq    1      0          0
UDP  [fd770000000000000000000000000001]:0035 wrr
FWM  00000007 rr
";
        assert_eq!(virtual_servers(list), 3);
        assert_eq!(virtual_servers(&list.lines().take(3).collect::<Vec<_>>().join("\n")), 0);
        assert_eq!(virtual_servers(""), 0);
    }

    #[test]
    fn a_mangle_table_counts_only_where_it_could_redirect() {
        assert_eq!(tables_that_redirect("mangle\nfilter\n", "DNAT\nTPROXY\n"), [false, true]);
        assert_eq!(tables_that_redirect("mangle\nnat\n", "DNAT\n"), [true, false]);
        assert_eq!(tables_that_redirect("", "TPROXY\n"), [false, false]);
    }
}
