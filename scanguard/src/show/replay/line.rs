//! What a replay showed, for programs: one object a line.

use std::collections::BTreeMap;
use std::net::IpAddr;

use scanguard_common::cause::{Action, Cause};
use scanguard_common::classify::signature::Signature;
use scanguard_common::count::Tally;
use serde::Serialize;

use super::super::incidents::Scan;
use super::super::stats::action_name;
use super::{score, time};
use crate::prefix;
use crate::replay::ledger::Banned;
use crate::replay::report::{Conversation, Counts, Loss, Report, Source};

/// One of them.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Line {
    Cause {
        cause: &'static str,
        action: &'static str,
        packets: u64,
        bytes: u64,
    },
    Total {
        action: &'static str,
        packets: u64,
        bytes: u64,
    },
    Source {
        source: IpAddr,
        dropped: u64,
        causes: BTreeMap<&'static str, u64>,
        first: String,
        last: String,
    },
    Ban {
        source: IpAddr,
        since: String,
        seconds: u32,
        contact: &'static str,
        cause: &'static str,
        tool: Option<&'static str>,
        contacts: u16,
        failed: u16,
        answered: u16,
        score: f64,
    },
    Incident(Scan),
    Loss {
        remote: IpAddr,
        remote_port: u16,
        local: IpAddr,
        local_port: u16,
        since: String,
        causes: BTreeMap<&'static str, u64>,
    },
    Capture {
        packets: u64,
        left: u64,
        unasked: u64,
        within: u64,
        unsupported: u64,
        other_drops: u64,
        other_bans: u64,
        unbanned: u64,
        other_losses: u64,
        first: Option<String>,
        last: Option<String>,
        kernel_alike: Option<u64>,
        kernel_unshown: Option<u64>,
    },
}

impl Line {
    pub(super) fn cause(cause: Cause, tally: Tally) -> Line {
        let (packets, bytes) = (tally.packets(), tally.bytes());
        Line::Cause { cause: cause.name(), action: action_name(cause.action()), packets, bytes }
    }

    pub(super) fn total(action: Action, tally: Tally) -> Line {
        Line::Total { action: action_name(action), packets: tally.packets(), bytes: tally.bytes() }
    }

    pub(super) fn source(source: &Source) -> Line {
        let (first, last) = source.span;
        Line::Source {
            source: source.address,
            dropped: source.dropped,
            causes: named(&source.causes),
            first: time(first),
            last: time(last),
        }
    }

    pub(super) fn ban(ban: &Banned) -> Line {
        let [contacts, failed, answered] = ban.contacts;
        Line::Ban {
            source: prefix::address(ban.source.bytes()),
            since: time(ban.at),
            seconds: ban.seconds,
            contact: ban.kind.name(),
            cause: ban.cause.name(),
            tool: ban.mark.signature().map(Signature::name),
            contacts,
            failed,
            answered,
            score: score(ban),
        }
    }

    pub(super) fn loss(conversation: &Conversation, loss: &Loss) -> Line {
        let Conversation { remote: (remote, remote_port), local: (local, local_port) } = *conversation;
        let (since, causes) = (time(loss.since), named(&loss.causes));
        Line::Loss { remote, remote_port, local, local_port, since, causes }
    }

    pub(super) fn capture(report: &Report) -> Line {
        Line::Capture {
            packets: report.packets(),
            left: report.left.packets(),
            unasked: report.unasked,
            within: report.within,
            unsupported: report.unsupported,
            other_drops: report.other_drops(),
            other_bans: report.other_bans,
            unbanned: report.unbanned,
            other_losses: report.other_losses,
            first: report.span.map(|(first, _)| time(first)),
            last: report.span.map(|(_, last)| time(last)),
            kernel_alike: report.kernel.map(|kernel| kernel.alike),
            kernel_unshown: report.kernel.map(|kernel| kernel.unshown),
        }
    }
}

fn named(causes: &Counts) -> BTreeMap<&'static str, u64> {
    causes.sorted().into_iter().map(|(cause, count)| (cause.name(), count)).collect()
}
