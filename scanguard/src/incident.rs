//! Scans that are shared among many sources, put together from what was seen at each destination in each window.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use scanguard_common::incident::{Census, Target, WINDOW};
use scanguard_common::time::Seconds;

use crate::prefix::Prefix;

/// One scan, whatever addresses of this host it was for.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    /// When the first attempt was.
    pub(crate) since: Seconds,
    /// When the last attempt was.
    pub(crate) last: Seconds,
    /// For which addresses.
    pub(crate) destinations: BTreeSet<IpAddr>,
    /// How many attempts there were.
    pub(crate) attempts: u64,
    /// How many of the sources were banned.
    pub(crate) banned: u64,
    /// The lowest and the highest port that was tried.
    pub(crate) range: Option<[u16; 2]>,
    /// Which ports were tried, or protocols.
    pub(crate) ports: Census<1_024>,
    /// Who tried.
    pub(crate) sources: Census<512>,
    /// From which networks.
    pub(crate) prefixes: Census<256>,
    /// The networks with the most sources, and how many sources in each.
    pub(crate) shares: BTreeMap<Prefix, u32>,
}

/// Puts windows together in which shared scans were recognised, with the destination of each: those that overlap, or
/// are apart by less than a window, are one incident. In the order of their beginnings.
pub(crate) fn merged(mut windows: Vec<(IpAddr, Target)>) -> Vec<Incident> {
    windows.sort_by_key(|(destination, target)| (target.begun(), *destination));
    let mut incidents: Vec<Incident> = Vec::new();
    for (destination, target) in &windows {
        match incidents.last_mut() {
            Some(incident) if incident.goes_on(target.begun()) => incident.join(*destination, target),
            Some(_) | None => incidents.push(Incident::of(*destination, target)),
        }
    }
    incidents
}

impl Incident {
    fn of(destination: IpAddr, target: &Target) -> Incident {
        let mut incident = Incident {
            since: target.begun(),
            last: target.last(),
            destinations: BTreeSet::new(),
            attempts: 0,
            banned: 0,
            range: None,
            ports: Census::EMPTY,
            sources: Census::EMPTY,
            prefixes: Census::EMPTY,
            shares: BTreeMap::new(),
        };
        incident.join(destination, target);
        incident
    }

    fn join(&mut self, destination: IpAddr, target: &Target) {
        self.last = self.last.max(target.last());
        self.destinations.insert(destination);
        self.attempts += u64::from(target.attempts());
        self.banned += u64::from(target.banned());
        self.range = match (self.range, target.range()) {
            (Some([low, high]), Some([lower, higher])) => Some([low.min(lower), high.max(higher)]),
            (one, other) => one.or(other),
        };
        self.ports = self.ports.united(target.ports());
        self.sources = self.sources.united(target.sources());
        self.prefixes = self.prefixes.united(target.prefixes());
        for share in target.shares().all() {
            // The same sources may take part in both: it is as many at the least.
            let sources = self.shares.entry(Prefix::of_share(share.prefix())).or_default();
            *sources = share.sources().max(*sources);
        }
    }

    /// Whether it has not ended yet.
    pub(crate) fn goes_on(&self, now: Seconds) -> bool {
        now.since(self.last) < WINDOW
    }

    /// The networks with the most sources, the largest first.
    pub(crate) fn largest(&self) -> Vec<(Prefix, u32)> {
        let mut shares: Vec<_> = self.shares.iter().map(|(prefix, sources)| (*prefix, *sources)).collect();
        shares.sort_by_key(|(prefix, sources)| (u32::MAX - sources, *prefix));
        shares
    }
}

/// A scan by 20 sources in two networks, of 140 ports of 192.0.2.1, for tests.
#[cfg(test)]
pub(crate) fn example(begun: Seconds) -> Target {
    use scanguard_common::incident::{Attempt, Targets, attempt};
    use scanguard_common::key::Address;

    struct One(Target);
    impl Targets for One {
        fn failures(&mut self, _: Address) -> u16 {
            0
        }
        fn target(&mut self, _: Address) -> Option<&mut Target> {
            Some(&mut self.0)
        }
        fn renew(&mut self, _: Address) -> Option<&mut Target> {
            self.target(Address::v4([192, 0, 2, 1]))
        }
        fn archive(&mut self, _: Address) {}
    }

    let mut one = One(Target::EMPTY);
    for number in 0..140_u8 {
        let (network, host) = (100 + u8::from(number % 20 < 5), number % 20);
        let tried = Attempt {
            source: Address::v4([198, 51, network, host]),
            destination: Address::v4([192, 0, 2, 1]),
            protocol: 6,
            port: 1_000 + u16::from(number),
            at: begun.after(u32::from(number) / 10),
            bans: false,
        };
        attempt(&mut one, &tried, 1);
    }
    one.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn windows_that_follow_each_other_are_one_incident() {
        let windows = [100, 113 + WINDOW, 113 + 13 + 2 * WINDOW - 1]
            .map(|begun| (destination(1), example(Seconds(begun))))
            .into();
        let incidents = merged(windows);
        let spans: Vec<_> = incidents.iter().map(|incident| (incident.since.0, incident.last.0)).collect();
        assert_eq!(spans, [(100, 113), (713, 1_325 + 13)], "quiet for a whole window, and for a second less");
        let last = incidents.last().expect("there are two");
        assert_eq!((last.attempts, last.sources.estimate(), last.destinations.len()), (280, 20, 1));
    }

    #[test]
    fn what_several_addresses_see_at_once_is_one_incident() {
        let windows = [1, 2].map(|last| (destination(last), example(Seconds(100)))).into();
        let incidents = merged(windows);
        let [incident] = incidents.as_slice() else { panic!("{} incidents", incidents.len()) };
        assert_eq!(incident.destinations.len(), 2);
        assert_eq!(incident.attempts, 280);
        assert_eq!(incident.range, Some([1_000, 1_139]));
        assert_eq!(incident.ports, *example(Seconds(1)).ports(), "a port is the same on both");
        let largest: Vec<_> =
            incident.largest().iter().map(|(prefix, sources)| (prefix.to_string(), *sources)).collect();
        assert_eq!(largest, [("198.51.100.0/24".to_owned(), 15), ("198.51.101.0/24".to_owned(), 5)]);
    }

    #[test]
    fn an_incident_is_over_when_it_was_quiet_for_a_window() {
        let incident = Incident::of(destination(1), &example(Seconds(100)));
        assert!(incident.goes_on(Seconds(113 + WINDOW - 1)));
        assert!(!incident.goes_on(Seconds(113 + WINDOW)));
    }
}
