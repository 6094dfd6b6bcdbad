//! `scanguard detach`: the end of protection.

use clap::builder::NonEmptyStringValueParser;

use crate::guard;
use crate::output::Output;

/// End the protection of interfaces
///
/// With the last of them everything that was pinned is removed, counters and allowlist included.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The interfaces to guard no longer
    #[arg(required_unless_present = "all", value_name = "INTERFACE", value_parser = NonEmptyStringValueParser::new())]
    interfaces: Vec<String>,

    /// All of them; also removes pins that are stale or broken
    #[arg(long, conflicts_with = "interfaces")]
    all: bool,
}

impl Args {
    pub(crate) async fn run(&self, output: &mut Output<'_>) -> anyhow::Result<()> {
        if self.all {
            let done = guard::detach_all().await?;
            output.word(if done { "nothing is guarded now" } else { "nothing was guarded" });
            return Ok(());
        }
        guard::detach(&self.interfaces).await?;
        for name in &self.interfaces {
            output.word(format_args!("{name}: no longer guarded"));
        }
        Ok(())
    }
}
