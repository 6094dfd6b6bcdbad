//! The prefixes that are put on a list, and taken off it.

use crate::prefix::Prefix;

/// Addresses and prefixes, as they are typed.
#[derive(Debug, clap::Args)]
pub(super) struct Prefixes {
    /// Like 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32, which is how `list` shows them
    #[arg(required = true, value_name = "CIDR")]
    prefixes: Vec<String>,
}

impl Prefixes {
    /// All of them, or the error of the first that is none.
    pub(super) fn understood(&self) -> anyhow::Result<Vec<Prefix>> {
        Ok(self.prefixes.iter().map(|prefix| Prefix::parse(prefix)).collect::<Result<_, _>>()?)
    }
}
