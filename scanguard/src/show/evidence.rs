//! What is known of one source: what moved its score, and what would happen next.

use std::io::{self, Write};

use scanguard_common::cause::Cause;
use scanguard_common::classify::signature::{Confidence, Signature};
use scanguard_common::evidence::{Entry, Weights};
use scanguard_common::parse::network::IpProtocol;

use super::score::Score;
use super::table::{Side, Table};
use crate::case::Case;
use crate::clock::dated;
use crate::duration;

/// Writes it for people.
pub(crate) fn tell(case: &Case, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "{}: {}\n", case.source, standing(case)?)?;
    known(case, out)?;
    trail(case, out)?;
    for sentence in next(case)? {
        writeln!(out, "{sentence}")?;
    }
    Ok(())
}

/// Whether its new contacts are refused.
fn standing(case: &Case) -> anyhow::Result<String> {
    if let Some(entry) = &case.denied {
        let until = entry.until().map(dated).transpose()?;
        let until =
            until.map_or_else(|| "until that is removed".to_owned(), |until| format!("until {until}"));
        return Ok(format!("banned by the operator, {until}"));
    }
    match case.held_ban() {
        Some(ban) => Ok(format!(
            "banned from {} until {}, the last evidence being: {}",
            dated(ban.since())?,
            dated(ban.until())?,
            ban.kind().name()
        )),
        None => Ok("not banned".to_owned()),
    }
}

fn known(case: &Case, out: &mut dyn Write) -> anyhow::Result<()> {
    let Some(record) = &case.record else {
        writeln!(out, "Nothing is known of it: whoever makes one contact alone is not kept.")?;
        return Ok(());
    };
    let [contacts, failed, answered] = record.contacts();
    writeln!(out, "Known since {}, last heard of {}.", dated(record.since())?, dated(record.last())?)?;
    writeln!(out, "First contacts: {contacts}, of which {failed} failed and {answered} were answered.")?;
    if let Some(signature) = record.label().signature() {
        let certainty = match signature.confidence() {
            Confidence::Certain => "What it sends was written by a tool",
            Confidence::Hint => "What it sends may have been written by a tool",
        };
        writeln!(out, "{certainty}, {}: {}", signature.name(), signature.sentence())?;
    }
    let threshold = Score(case.rules.threshold);
    writeln!(out, "Score: {} closed ports of {threshold}.", Score(case.score()))?;
    Ok(())
}

/// What moved the score, in order.
fn trail(case: &Case, out: &mut dyn Write) -> anyhow::Result<()> {
    let Some(trail) = &case.trail else { return Ok(()) };
    let mut table = Table::new([
        ("WHEN", Side::Left),
        ("CONTACT", Side::Left),
        ("WHAT", Side::Left),
        ("CAUSE", Side::Left),
        ("TOOL", Side::Left),
        ("BEFORE", Side::Right),
        ("AFTER", Side::Right),
        ("", Side::Left),
    ]);
    for entry in trail.entries() {
        let [before, after] = entry.scores();
        table.row([
            dated(entry.at())?,
            contact(entry),
            entry.kind().name().to_owned(),
            entry.cause().map_or("-", Cause::name).to_owned(),
            entry.label().signature().map_or("-", Signature::name).to_owned(),
            Score(before).to_string(),
            Score(after).to_string(),
            if after >= case.rules.threshold { "banned".to_owned() } else { String::new() },
        ]);
    }
    writeln!(out)?;
    table.write(out)?;
    Ok(writeln!(out)?)
}

/// What was tried.
fn contact(entry: &Entry) -> String {
    let port = entry.port();
    match IpProtocol(entry.protocol()) {
        IpProtocol(0) if port == 0 => "-".to_owned(),
        IpProtocol(0) => format!("port {port}"),
        IpProtocol::TCP => format!("tcp/{port}"),
        IpProtocol::UDP => format!("udp/{port}"),
        IpProtocol::SCTP => format!("sctp/{port}"),
        IpProtocol(number) => format!("protocol {number}"),
    }
}

/// What would happen next, in sentences.
fn next(case: &Case) -> io::Result<Vec<String>> {
    let mut sentences = Vec::new();
    if case.is_allowed {
        sentences
            .push("It is on the allowlist: nothing of it is dropped, and it is never banned.".to_owned());
        return Ok(sentences);
    }
    if let Some(whose) = case.spared {
        sentences.push(format!("It is never banned for scanning, because it is {whose}."));
        return Ok(sentences);
    }
    if case.rules.threshold == u32::MAX {
        sentences.push("Nobody is banned for scanning, because the operator has chosen so.".to_owned());
        return Ok(sentences);
    }
    let length = duration::written(case.next_ban());
    let more = case.rules.threshold.saturating_sub(case.score()).div_ceil(Weights::CLOSED);
    let ports =
        if more == 1 { "one more closed port".to_owned() } else { format!("{more} more closed ports") };
    sentences.push(if case.held_ban().is_some() {
        format!("When that ban has ended, {ports} would have it banned again, for {length}.")
    } else {
        format!("With {ports} it would be banned, for {length}.")
    });
    if case.score() > 0 && case.rules.half_life > 0 {
        let half = duration::written(case.rules.half_life);
        sentences.push(format!("Half of its score fades every {half}."));
    }
    Ok(sentences)
}
