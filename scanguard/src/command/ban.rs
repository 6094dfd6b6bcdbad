//! `scanguard ban`: whose new contacts are refused.

mod plan;

use std::net::IpAddr;

use clap::Subcommand;
use scanguard_common::schema::{Listed, REASON_BYTES};
use scanguard_common::time::Seconds;

use self::plan::Plan;
use super::prefixes::Prefixes;
use super::{change, current};
use crate::duration;
use crate::error::Error;
use crate::maps::{List, Maps};
use crate::output::Output;
use crate::prefix::Prefix;
use crate::show::Show as _;
use crate::show::banlist::Banlist;
use crate::{clock, session, spared};

/// Say whose new contacts are refused
///
/// Sources that scan are banned without being asked for, and their bans end by themselves. A ban refuses new contacts
/// and nothing else: connections that exist go on, and so does whatever this host has begun, and published ports stay
/// open. Bans are shared by all guarded interfaces, and go with the last interface that is detached.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Ban addresses and prefixes, whatever they did
    Add {
        #[command(flatten)]
        prefixes: Prefixes,

        /// For how long, like 90s, 2h or 7days; for good unless given
        #[arg(long = "for", value_name = "TIME", value_parser = duration::parse)]
        lasting: Option<u32>,

        /// Why, for whoever reads the list: up to 56 bytes
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: Option<String>,

        /// Also where that covers this host, its gateways, its name servers, or the address you work from
        #[arg(long)]
        force: bool,
    },
    /// Lift bans: those that were added, and those of sources that scanned
    Remove {
        #[command(flatten)]
        prefixes: Prefixes,
    },
    /// Show who is banned, by whom, and until when
    List {
        /// One JSON object a line instead of a table
        #[arg(long)]
        json: bool,
    },
}

impl Args {
    pub(crate) async fn run(&self, output: &mut Output<'_>) -> anyhow::Result<()> {
        match &self.what {
            What::Add { prefixes, lasting, reason, force } => {
                let prefixes = prefixes.understood()?;
                if !force {
                    refuse_to_cut_off(&prefixes).await?;
                }
                let entry = Listed::new(clock::seconds()?, *lasting);
                add(&prefixes, entry.with_reason(bytes(reason.as_deref())), output).await
            }
            What::Remove { prefixes } => remove(&prefixes.understood()?).await,
            What::List { json } => {
                let list = Banlist::read(&current().await?)?;
                Ok(list.show(*json, output.data)?)
            }
        }
    }
}

/// Text that fits into an entry and into a line.
fn reason(given: &str) -> Result<String, String> {
    if given.is_empty() || given.len() > REASON_BYTES {
        return Err(format!("has {} bytes; from 1 to {REASON_BYTES} are kept", given.len()));
    }
    if given.contains(char::is_control) {
        return Err("has control characters; write it in one line".to_owned());
    }
    Ok(given.to_owned())
}

fn bytes(reason: Option<&str>) -> [u8; REASON_BYTES] {
    let mut bytes = [0; REASON_BYTES];
    for (byte, given) in bytes.iter_mut().zip(reason.unwrap_or_default().bytes()) {
        *byte = given;
    }
    bytes
}

/// Makes sure that nobody bans whom this host depends on, or himself.
async fn refuse_to_cut_off(prefixes: &[Prefix]) -> anyhow::Result<()> {
    let depended_on = spared::read().await?.into_iter().map(|(address, why)| (address, why.name()));
    let operator = session::client().map(|address| (address, "the address of your ssh session"));
    for (address, whose) in depended_on.chain(operator) {
        if let Some(prefix) = prefixes.iter().find(|prefix| prefix.contains(address)) {
            return Err(Error::CutsOff { prefix: prefix.to_string(), address, whose }.into());
        }
    }
    Ok(())
}

/// Adds all or none.
async fn add(prefixes: &[Prefix], entry: Listed, output: &mut Output<'_>) -> anyhow::Result<()> {
    let (_lock, mut maps) = change().await?;
    let plan = Plan::new(&maps.listed(List::Denied)?, prefixes, &entry, clock::seconds()?);
    maps.strike(List::Denied, &plan.expired)?;
    let mut before = Vec::new();
    for prefix in &plan.added {
        match maps.replace(List::Denied, prefix, entry) {
            Ok(earlier) => before.push((prefix, earlier)),
            Err(error) => {
                take_back(&mut maps, &before)?;
                return Err(error);
            }
        }
    }
    maps.strike(List::Denied, &plan.superseded)?;
    for (prefix, wider) in &plan.covered {
        output.word(format_args!("{prefix}: is banned for as long already, as a part of {wider}"));
    }
    Ok(())
}

fn take_back(maps: &mut Maps, before: &[(&Prefix, Option<Listed>)]) -> anyhow::Result<()> {
    for (prefix, earlier) in before.iter().rev() {
        match earlier {
            Some(earlier) => drop(maps.replace(List::Denied, prefix, *earlier)?),
            None => maps.strike(List::Denied, &[**prefix])?,
        }
    }
    Ok(())
}

/// Removes all or none.
async fn remove(prefixes: &[Prefix]) -> anyhow::Result<()> {
    let (_lock, mut maps) = change().await?;
    let now = clock::seconds()?;
    let listed = maps.listed(List::Denied)?;
    let (mut denied, mut banned, mut networks) = (Vec::new(), Vec::new(), Vec::new());
    for prefix in prefixes {
        let is_denied = listed.iter().any(|(other, _)| other == prefix);
        let source = is_banned(prefix, &maps, now)?;
        let network = is_banned_network(prefix, &maps, now)?;
        if !is_denied && source.is_none() && network.is_none() {
            return Err(Error::NotBanned(prefix.to_string()).into());
        }
        if is_denied && !denied.contains(prefix) {
            denied.push(*prefix);
        }
        banned.extend(source);
        networks.extend(network);
    }
    maps.strike(List::Denied, &denied)?;
    for source in banned {
        maps.lift(source)?;
    }
    networks.into_iter().try_for_each(|network| maps.lift_network(network))
}

/// The first address of the network whose ban holds now, if it is this.
fn is_banned_network(prefix: &Prefix, maps: &Maps, now: Seconds) -> anyhow::Result<Option<IpAddr>> {
    let first = prefix.first();
    if Prefix::of_network(first) != *prefix {
        return Ok(None);
    }
    Ok(maps.network_ban(first)?.filter(|ban| ban.holds(now)).map(|_| first))
}

/// The source whose ban holds now, if it is this.
fn is_banned(prefix: &Prefix, maps: &Maps, now: Seconds) -> anyhow::Result<Option<IpAddr>> {
    let Some(source) = prefix.source() else { return Ok(None) };
    Ok(maps.ban(source)?.filter(|ban| ban.holds(now)).map(|_| source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_line_that_fits() {
        assert_eq!(reason("scans by night").as_deref(), Ok("scans by night"));
        assert!(reason(&"x".repeat(REASON_BYTES)).is_ok());
        assert!(reason(&"x".repeat(REASON_BYTES + 1)).is_err_and(|why| why.starts_with("has 57 bytes; ")));
        assert!(reason("").is_err() && reason("two\nlines").is_err());
    }

    #[test]
    fn a_reason_is_kept_whole() {
        for text in ["scans", &"x".repeat(REASON_BYTES)] {
            let entry = Listed::new(Seconds(0), None).with_reason(bytes(Some(text)));
            assert_eq!(entry.reason(), text.as_bytes());
        }
        assert_eq!(Listed::new(Seconds(0), None).with_reason(bytes(None)).reason(), b"");
    }
}
