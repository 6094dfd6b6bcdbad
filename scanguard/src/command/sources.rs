//! `scanguard sources`: who is under observation, and what is held against whom.

use super::current;
use crate::output::Output;
use crate::show::Show as _;
use crate::show::sources::Sources;

/// Show who is under observation, and what is held against whom
///
/// Scores are in closed ports: at the score in the column OF a source is banned, and its score begins anew. A source is
/// an IPv4 address or an IPv6 /64. Those that are banned come first, then those with the highest scores. How a score
/// came about is told by `scanguard explain ADDRESS`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One JSON object a line instead of a table
    #[arg(long)]
    json: bool,

    /// Also those against whom nothing is held any more
    #[arg(long)]
    all: bool,
}

impl Args {
    pub(crate) async fn run(&self, output: &mut Output<'_>) -> anyhow::Result<()> {
        let sources = Sources::read(&current().await?, self.all)?;
        Ok(sources.show(self.json, output.data)?)
    }
}
