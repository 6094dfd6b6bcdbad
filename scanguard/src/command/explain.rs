//! `scanguard explain`: what a probe is, and what becomes of it.

use crate::explain;
use crate::output::Output;

/// Explain a scan or a cause, without privileges
///
/// Without a name, lists everything that can be explained.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The name of a scan, like xmas, or of a cause, like closed-port
    name: Option<String>,
}

impl Args {
    pub(crate) fn run(&self, output: &mut Output<'_>) -> anyhow::Result<()> {
        match &self.name {
            None => Ok(explain::list(output.data)?),
            Some(name) => Ok(explain::explain(explain::find(name)?, output.data)?),
        }
    }
}
