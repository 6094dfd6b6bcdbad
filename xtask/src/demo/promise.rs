//! What must have been seen for the demo to have shown what scanguard promises.

use scanguard_harness::{Port, PortState};

use crate::demo::scan::Scan;

/// All that was seen.
pub(crate) struct Evidence {
    pub(crate) before: Vec<Scan>,
    pub(crate) after: Vec<Scan>,
    /// What curl said of each download.
    pub(crate) downloads: [String; 2],
    /// How many packets scanguard dropped.
    pub(crate) dropped: u64,
    /// How many SYNs of the connect scan the scanner's kernel sent again.
    pub(crate) syn_retransmissions: u64,
}

impl Evidence {
    /// What was promised and not seen, in a few words each.
    pub(crate) fn broken_promises(&self) -> Vec<String> {
        let scans = self.before.iter().filter_map(nothing_to_hide).chain(self.after.iter().filter_map(leak));
        let downloads = self.downloads.iter().filter(|said| !said.starts_with("HTTP 200,"));
        let downloads = downloads.map(|said| format!("a download ended with {}", said.trim_end()));
        scans.chain(downloads).chain(self.miscount()).collect()
    }

    /// A drop too many was a legitimate packet's; one too few was a probe that came through.
    fn miscount(&self) -> Option<String> {
        let probes = self.after.iter().map(probes_to_drop).sum::<u64>() + self.syn_retransmissions;
        let dropped = self.dropped;
        (dropped != probes).then(|| format!("{dropped} packets were dropped, but {probes} probes were to be"))
    }
}

/// Without an answer before, silence after proves nothing.
fn nothing_to_hide(before: &Scan) -> Option<String> {
    let heard = before.closed.iter().all(|port| !port.state.is_silence());
    (!heard).then(|| format!("before attach, -s{} heard nothing from closed ports", before.kind.letter))
}

/// What a scan learned in spite of scanguard, or did not learn because of it.
fn leak(after: &Scan) -> Option<String> {
    let (letter, published) = (after.kind.letter, published(after));
    let as_promised = |port: &Port| {
        if published.contains(port) { port.state == PortState::Open } else { port.state.is_silence() }
    };
    if let Some(port) = after.ports().find(|port| !as_promised(port)) {
        return Some(format!("after attach, -s{letter} saw port {} as {}", port.number, port.state));
    }
    // Silence has two names, but one kind of scan knows only one of them.
    let mut silent = after.ports().filter(|port| !published.contains(port));
    let first = silent.next()?;
    let other = silent.find(|port| port.state != first.state)?;
    Some(format!("after attach, -s{letter} told port {} from port {}", first.number, other.number))
}

fn probes_to_drop(after: &Scan) -> u64 {
    let published = published(after);
    after.ports().filter(|port| !published.contains(port)).map(|port| port.probes).sum()
}

/// The ports that answer a scan of this kind, because they would answer anybody who asks in this way.
fn published(after: &Scan) -> &[Port] {
    if after.kind.knocks { &after.open } else { &[] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::scan::KINDS;
    use crate::demo::{CLOSED, OPEN};

    /// What is seen when all is well, with one probe for each port.
    fn evidence() -> Evidence {
        let scan = |knocks: bool, open, closed| {
            let kind = KINDS.into_iter().find(|kind| kind.knocks == knocks).expect("there are both");
            let port = |state| move |number| Port { number, state, probes: 1 };
            Scan { kind, open: OPEN.map(port(open)).to_vec(), closed: CLOSED.map(port(closed)).to_vec() }
        };
        Evidence {
            before: vec![
                scan(true, PortState::Open, PortState::Closed),
                scan(false, PortState::OpenOrFiltered, PortState::Closed),
            ],
            after: vec![
                scan(true, PortState::Open, PortState::Filtered),
                scan(false, PortState::OpenOrFiltered, PortState::OpenOrFiltered),
            ],
            downloads: ["HTTP 200, 8 bytes\n", "HTTP 200, 1 bytes\n"].map(str::to_owned),
            dropped: 10,
            syn_retransmissions: 1,
        }
    }

    fn broken(change: impl FnOnce(&mut Evidence)) -> String {
        let mut evidence = evidence();
        change(&mut evidence);
        evidence.broken_promises().join("; ")
    }

    #[test]
    fn a_promise_that_was_kept_is_not_mentioned() {
        assert_eq!(broken(|_| ()), "");
    }

    /// Makes one scan see one port differently.
    fn see(scans: &mut [Scan], letter: char, number: u16, state: PortState) {
        let scan = scans.iter_mut().find(|scan| scan.kind.letter == letter).expect("a scan of this kind");
        let mut ports = scan.open.iter_mut().chain(&mut scan.closed);
        ports.find(|port| port.number == number).expect("a port that was scanned").state = state;
    }

    #[test]
    fn a_scan_that_learns_something_is_named() {
        let seen = "after attach, -sT saw port 3306 as closed";
        assert_eq!(broken(|evidence| see(&mut evidence.after, 'T', 3306, PortState::Closed)), seen);
        let seen = "after attach, -sS saw port 80 as unfiltered";
        assert_eq!(broken(|evidence| see(&mut evidence.after, 'S', 80, PortState::Unfiltered)), seen);
        let seen = "after attach, -sS told port 22 from port 8080";
        assert_eq!(broken(|evidence| see(&mut evidence.after, 'S', 8080, PortState::Filtered)), seen);
    }

    #[test]
    fn a_service_that_is_not_seen_is_named() {
        let seen = "after attach, -sT saw port 443 as filtered";
        assert_eq!(broken(|evidence| see(&mut evidence.after, 'T', 443, PortState::Filtered)), seen);
    }

    #[test]
    fn a_scan_that_was_silent_from_the_beginning_shows_nothing() {
        let seen = "before attach, -sS heard nothing from closed ports";
        assert_eq!(broken(|evidence| see(&mut evidence.before, 'S', 25, PortState::OpenOrFiltered)), seen);
    }

    #[test]
    fn a_download_that_failed_is_quoted() {
        let seen = "a download ended with HTTP 400, 0 bytes";
        assert_eq!(
            broken(|evidence| evidence.downloads =
                ["HTTP 200, 8 bytes\n", "HTTP 400, 0 bytes\n"].map(str::to_owned)),
            seen
        );
    }

    #[test]
    fn drops_and_probes_must_be_equal() {
        for dropped in [9, 11] {
            let seen = format!("{dropped} packets were dropped, but 10 probes were to be");
            assert_eq!(broken(|evidence| evidence.dropped = dropped), seen);
        }
    }
}
