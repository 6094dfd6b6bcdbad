//! What `ban add` does to the list.
//!
//! Of all prefixes on the list that cover an address, the programs look at the longest alone. So an entry must not
//! lie within another that lasts as long: when it ends, it would end the other's ban for its part.

use scanguard_common::schema::Listed;
use scanguard_common::time::Seconds;

use crate::prefix::Prefix;

/// What to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// What is on the list, but bans nobody any more.
    pub(super) expired: Vec<Prefix>,
    /// What is to be on the list with the new entry.
    pub(super) added: Vec<Prefix>,
    /// What lies within those and ends no later.
    pub(super) superseded: Vec<Prefix>,
    /// What need not be added, and the wider prefix that bans it for as long.
    pub(super) covered: Vec<(Prefix, Prefix)>,
}

impl Plan {
    /// What to do so that all of these prefixes are banned by an entry, or for longer.
    pub(super) fn new(
        listed: &[(Prefix, Listed)],
        prefixes: &[Prefix],
        entry: &Listed,
        now: Seconds,
    ) -> Plan {
        let mut plan = Plan::default();
        let (holding, expired): (Vec<_>, Vec<_>) = listed.iter().partition(|(_, theirs)| theirs.holds(now));
        plan.expired = expired.iter().map(|(prefix, _)| *prefix).collect();
        let listed_as_long = holding.iter().filter(|(_, theirs)| end(theirs) >= end(entry));
        let wider: Vec<Prefix> = listed_as_long.map(|(prefix, _)| *prefix).chain(prefixes.to_vec()).collect();
        for prefix in prefixes {
            match wider.iter().find(|wider| *wider != prefix && wider.covers(prefix)) {
                Some(wider) => plan.covered.push((*prefix, *wider)),
                None if plan.added.contains(prefix) => {}
                None => plan.added.push(*prefix),
            }
        }
        let ends_no_later = holding.iter().filter(|(_, theirs)| end(theirs) <= end(entry));
        let within = |inner: &Prefix| plan.added.iter().any(|outer| outer != inner && outer.covers(inner));
        plan.superseded = ends_no_later.map(|(prefix, _)| *prefix).filter(within).collect();
        plan
    }
}

/// When an entry ends: the last moment there is for one that never does.
fn end(entry: &Listed) -> Seconds {
    entry.until().unwrap_or(Seconds(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Seconds = Seconds(1_000);

    fn prefix(given: &str) -> Prefix {
        Prefix::parse(given).expect("a prefix")
    }

    fn plan(listed: &[(&str, Option<u32>)], added: &[&str], seconds: Option<u32>) -> Plan {
        let listed: Vec<_> = listed
            .iter()
            .map(|(given, seconds)| (prefix(given), Listed::new(Seconds(900), *seconds)))
            .collect();
        let added: Vec<_> = added.iter().copied().map(prefix).collect();
        Plan::new(&listed, &added, &Listed::new(NOW, seconds), NOW)
    }

    #[test]
    fn what_is_new_is_added_once() {
        let plan = plan(&[("192.0.2.0/24", None)], &["198.51.100.7", "198.51.100.7"], Some(60));
        assert_eq!(plan, Plan { added: vec![prefix("198.51.100.7")], ..Plan::default() });
    }

    #[test]
    fn what_is_on_the_list_is_changed() {
        let plan = plan(&[("192.0.2.7", None)], &["192.0.2.7"], Some(60));
        assert_eq!(plan, Plan { added: vec![prefix("192.0.2.7")], ..Plan::default() });
    }

    #[test]
    fn a_part_of_what_is_banned_for_longer_is_not_added() {
        let plan = plan(&[("192.0.2.0/24", None)], &["192.0.2.7"], Some(60));
        assert_eq!(plan.covered, [(prefix("192.0.2.7"), prefix("192.0.2.0/24"))]);
        assert!(plan.added.is_empty());
    }

    #[test]
    fn a_part_that_is_to_be_banned_for_longer_is_added() {
        let plan = plan(&[("192.0.2.0/24", Some(500))], &["192.0.2.7"], None);
        assert_eq!(plan, Plan { added: vec![prefix("192.0.2.7")], ..Plan::default() });
    }

    #[test]
    fn what_lies_within_and_ends_earlier_goes() {
        let listed = [("192.0.2.7", Some(500)), ("192.0.2.8", None)];
        let plan = plan(&listed, &["192.0.2.0/24"], Some(1_000));
        assert_eq!(plan.added, [prefix("192.0.2.0/24")]);
        assert_eq!(plan.superseded, [prefix("192.0.2.7")]);
    }

    #[test]
    fn of_two_that_are_added_together_the_wider_is_enough() {
        let plan = plan(&[], &["192.0.2.7", "192.0.2.0/24"], None);
        assert_eq!(plan.added, [prefix("192.0.2.0/24")]);
        assert_eq!(plan.covered, [(prefix("192.0.2.7"), prefix("192.0.2.0/24"))]);
    }

    #[test]
    fn what_has_expired_goes_and_covers_nobody() {
        let plan = plan(&[("192.0.2.0/24", Some(50))], &["192.0.2.7"], Some(60));
        assert_eq!(plan.expired, [prefix("192.0.2.0/24")]);
        assert_eq!(plan.added, [prefix("192.0.2.7")]);
    }
}
