//! What the scanner learned before and after, side by side.

use std::io::{self, Write};

use scanguard_harness::{Port, PortState};

use crate::demo::scan::Scan;
use crate::demo::{CLOSED, OPEN, list};

/// Writes a line for each kind of scan, and how to read it. The scans of both lists are of the same kinds in the
/// same order.
pub(crate) fn write(out: &mut dyn Write, before: &[Scan], after: &[Scan]) -> io::Result<()> {
    let numbers = [OPEN, CLOSED].map(|numbers| format!("ports {}", list(numbers)));
    for [open, closed] in [numbers, ["a service listens", "nothing listens"].map(str::to_owned)] {
        writeln!(out, "{:<13}{open:<32}{closed}", "")?;
    }
    let mut line = |scan: &str, [open_before, open_after, closed_before, closed_after]: [&str; 4]| {
        writeln!(out, "{scan:<13}{open_before:<15}{open_after:<17}{closed_before:<15}{closed_after}")
    };
    line("scan", ["before", "after", "before", "after"])?;
    for (before, after) in before.iter().zip(after) {
        let cells = [&before.open, &after.open, &before.closed, &after.closed].map(|ports| all(ports));
        let scan = format!("-s{} {}", before.kind.letter, before.kind.name);
        line(&scan, cells.each_ref().map(String::as_str))?;
    }
    writeln!(
        out,
        "\nHow to read it: \"{}\" and \"{}\" are nmap's words for silence. Where they stand\n\
         the same for ports with and without a service, the scanner has learned nothing.\n",
        PortState::Filtered,
        PortState::OpenOrFiltered,
    )
}

/// One word where it is true of every port, or else one for each.
fn all(ports: &[Port]) -> String {
    match ports {
        [first, rest @ ..] if rest.iter().all(|port| port.state == first.state) => first.state.to_string(),
        _ => {
            ports.iter().map(|port| format!("{} {}", port.number, port.state)).collect::<Vec<_>>().join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::scan::KINDS;

    fn ports(numbers: [u16; 3], state: PortState) -> Vec<Port> {
        numbers.map(|number| Port { number, state, probes: 1 }).to_vec()
    }

    #[test]
    fn before_and_after_stand_side_by_side() {
        let scan =
            |open, closed| Scan { kind: KINDS[2], open: ports(OPEN, open), closed: ports(CLOSED, closed) };
        let before = [scan(PortState::OpenOrFiltered, PortState::Closed)];
        let after = [scan(PortState::OpenOrFiltered, PortState::OpenOrFiltered)];
        let mut out = Vec::new();
        write(&mut out, &before, &after).expect("memory takes everything");
        let text = String::from_utf8(out).expect("it is text");
        let expected = [
            "             ports 22, 80, 443               ports 25, 3306, 8080",
            "             a service listens               nothing listens",
            "scan         before         after            before         after",
            "-sN NULL     open|filtered  open|filtered    closed         open|filtered",
            "",
        ];
        assert_eq!(text.lines().take(expected.len()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn ports_that_differ_are_told_apart() {
        let states = [(22, PortState::Open), (80, PortState::Filtered), (443, PortState::Open)];
        let ports = states.map(|(number, state)| Port { number, state, probes: 1 });
        assert_eq!(all(&ports), "22 open, 80 filtered, 443 open");
    }
}
