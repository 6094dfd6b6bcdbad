//! All that is known of one source.

use std::net::IpAddr;

use scanguard_common::ban::Ban;
use scanguard_common::classify::signature::Label;
use scanguard_common::evidence::{Kind, Source, Trail};
use scanguard_common::policy::Judgement;
use scanguard_common::schema::Listed;
use scanguard_common::time::Seconds;

use crate::clock;
use crate::maps::{List, Maps};
use crate::prefix::{Prefix, key_of_source};
use crate::spared::Why;

/// What there is about one source, and the rules by which it is judged.
pub(crate) struct Case {
    /// Who it is: an IPv4 address, or an IPv6 /64.
    pub(crate) source: Prefix,
    /// The evidence, where it is under observation.
    pub(crate) record: Option<Source>,
    /// What moved its score last.
    pub(crate) trail: Option<Trail>,
    /// Its last ban, whether that holds or not.
    pub(crate) ban: Option<Ban>,
    /// The operator's ban of the address that was asked for, where one holds.
    pub(crate) denied: Option<Listed>,
    /// Whether the operator has allowed that address.
    pub(crate) is_allowed: bool,
    /// Why it is never banned, if so.
    pub(crate) spared: Option<&'static str>,
    /// The rules.
    pub(crate) rules: Judgement,
    now: Seconds,
}

impl Case {
    /// Reads what there is.
    pub(crate) fn of(address: IpAddr, maps: &Maps) -> anyhow::Result<Case> {
        let now = clock::seconds()?;
        let source = key_of_source(address);
        let denied = maps.longest_match(List::Denied, address)?.filter(|entry| entry.holds(now));
        Ok(Case {
            source: Prefix::of_source(address),
            record: maps.source(source)?,
            trail: maps.trail(source)?,
            ban: maps.ban(source)?,
            denied,
            is_allowed: maps.longest_match(List::Allowed, address)?.is_some(),
            spared: maps.spared_for(source)?.map(Why::name),
            rules: *maps.rules()?.judgement(),
            now,
        })
    }

    /// What is left of its score.
    pub(crate) fn score(&self) -> u32 {
        self.record.map_or(0, |record| record.score_at(self.now, self.rules.half_life))
    }

    /// Its ban, if it holds.
    pub(crate) fn held_ban(&self) -> Option<Ban> {
        self.ban.filter(|ban| ban.holds(self.now))
    }

    /// How long its next ban would last, in seconds, if that came now or as soon as the present one has ended.
    pub(crate) fn next_ban(&self) -> u32 {
        let last = self.ban.unwrap_or_default();
        let then = self.now.max(last.until());
        let next = last.again(Kind::Closed, Label::NONE, self.rules.terms, then);
        next.until().since(next.since())
    }
}
