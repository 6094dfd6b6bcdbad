//! `scanguard allow`: whom nothing is ever dropped of.

use clap::Subcommand;
use scanguard_common::schema::Listed;

use super::prefixes::Prefixes;
use super::{change, pins_in_use};
use crate::clock;
use crate::maps::{List, Maps};
use crate::output::Output;
use crate::prefix::Prefix;
use crate::show::Show as _;
use crate::show::allowlist::Allowlist;

/// Say from whom nothing is dropped
///
/// Packets from an allowed source that would have been dropped pass, and are counted as `allowed`. The list is
/// shared by all guarded interfaces, takes effect with the next packet, and goes with the last interface that is
/// detached.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Allow addresses and prefixes
    Add {
        #[command(flatten)]
        prefixes: Prefixes,
    },
    /// Allow addresses and prefixes no longer: exactly those that were added
    Remove {
        #[command(flatten)]
        prefixes: Prefixes,
    },
    /// Show who is allowed
    List {
        /// One JSON object a line instead of a table
        #[arg(long)]
        json: bool,
    },
}

impl Args {
    pub(crate) async fn run(&self, output: &mut Output<'_>) -> anyhow::Result<()> {
        match &self.what {
            What::Add { prefixes } => add(&prefixes.understood()?).await,
            What::Remove { prefixes } => remove(&prefixes.understood()?).await,
            What::List { json } => {
                let list = Allowlist::dated(&Maps::open(&pins_in_use().await?)?.listed(List::Allowed)?)?;
                Ok(list.show(*json, output.data)?)
            }
        }
    }
}

/// Adds all or none.
async fn add(prefixes: &[Prefix]) -> anyhow::Result<()> {
    let (_lock, mut maps) = change().await?;
    let entry = Listed::new(clock::seconds()?, None);
    maps.enlist(List::Allowed, prefixes, entry).map(|_| ())
}

/// Removes all or none.
async fn remove(prefixes: &[Prefix]) -> anyhow::Result<()> {
    let (_lock, mut maps) = change().await?;
    maps.strike(List::Allowed, prefixes)
}
