//! `scanguard explain`: what a probe is and what becomes of it, or why a source is banned.

use std::net::IpAddr;

use super::current;
use crate::case::Case;
use crate::error::Error;
use crate::explain;
use crate::output::Output;
use crate::prefix::Prefix;
use crate::show::evidence;

/// Explain a scan or a cause, without privileges, or what is held against a source
///
/// Of a source it tells the contacts that moved its score last, in order, with the score before and after each in closed
/// ports, and what would happen next. Without a name, lists everything that can be explained.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The name of a scan, like xmas, or of a cause, like closed-port; or an address
    #[arg(value_name = "TOPIC|ADDRESS")]
    name: Option<String>,
}

impl Args {
    pub(crate) async fn run(&self, output: &mut Output<'_>) -> anyhow::Result<()> {
        let Some(name) = &self.name else { return Ok(explain::list(output.data)?) };
        match address(name)? {
            Some(address) => evidence::tell(&Case::of(address, &current().await?)?, output.data),
            None => Ok(explain::explain(explain::find(name)?, output.data)?),
        }
    }
}

/// The address that was given, if it is one; a source as `scanguard sources` shows it stands for its first address.
fn address(given: &str) -> Result<Option<IpAddr>, Error> {
    if !given.contains('/') {
        return Ok(given.parse::<IpAddr>().ok().map(|address| address.to_canonical()));
    }
    let source = Prefix::parse(given)?.source();
    source.map(Some).ok_or_else(|| Error::InvalidCidr {
        given: given.to_owned(),
        why: "is no single source; give an address, or an IPv6 /64".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_topics() {
        let understood = |given: &str| address(given).map(|found| found.map(|found| found.to_string()));
        for (given, expected) in [
            ("xmas", None),
            ("192.0.2.7", Some("192.0.2.7")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("2001:db8::7", Some("2001:db8::7")),
            ("2001:db8::/64", Some("2001:db8::")),
        ] {
            assert_eq!(understood(given).ok().flatten().as_deref(), expected, "{given}");
        }
        assert!(understood("192.0.2.0/24").is_err() && understood("no/where").is_err());
    }
}
