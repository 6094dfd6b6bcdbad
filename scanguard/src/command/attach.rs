//! `scanguard attach`: protection without a process.

use aya::programs::XdpMode;
use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;
use scanguard_common::policy::{ClosedPorts, Policy, Preset};

use crate::error::Error;
use crate::guard::{self, Request};
use crate::output::Output;
use crate::prefix::Prefix;

/// Guard interfaces, without a process that stays
///
/// Every other command works on what is attached, from any terminal. Several interfaces are guarded together or
/// not at all. They share one allowlist, and each has its own counters, which begin at zero. While anything is
/// guarded, everything is pinned in /sys/fs/bpf/scanguard.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The interfaces to guard
    #[arg(required = true, value_name = "INTERFACE", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) interfaces: Vec<String>,

    /// Where the program runs: in the driver (native), in the network stack at a higher cost (generic), or in the
    /// driver if it can (auto)
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    mode: Mode,

    /// Where closed ports are silenced: as SYNs come in (ingress), as refusals go out (egress: where ports are
    /// redirected by who asks), nowhere (pass), or as they come in once a refusal has shown that the port is closed, and
    /// as refusals go out where something redirects ports (auto)
    #[arg(long, value_enum, default_value_t = Closed::Auto, value_name = "WHERE")]
    closed_ports: Closed,

    /// How soon a source counts as a scanner and is banned (off: never), for all guarded interfaces; where none is
    /// chosen, what was chosen before holds, and at first balanced
    #[arg(long, value_enum)]
    preset: Option<Strictness>,

    /// Addresses and prefixes that are never dropped, from the first packet on, like 192.0.2.7 or 2001:db8::/32
    #[arg(long, value_name = "CIDR", num_args = 1.., value_delimiter = ',')]
    allow: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    Auto,
    Native,
    Generic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Closed {
    Auto,
    Ingress,
    Egress,
    Pass,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Strictness {
    Tolerant,
    Balanced,
    Sensitive,
    Off,
}

impl From<Strictness> for Preset {
    fn from(typed: Strictness) -> Preset {
        match typed {
            Strictness::Tolerant => Preset::Tolerant,
            Strictness::Balanced => Preset::Balanced,
            Strictness::Sensitive => Preset::Sensitive,
            Strictness::Off => Preset::Off,
        }
    }
}

impl From<Closed> for ClosedPorts {
    fn from(typed: Closed) -> ClosedPorts {
        match typed {
            Closed::Auto => ClosedPorts::Auto,
            Closed::Ingress => ClosedPorts::Ingress,
            Closed::Egress => ClosedPorts::Egress,
            Closed::Pass => ClosedPorts::Pass,
        }
    }
}

impl Args {
    pub(crate) async fn run(&self, output: &mut Output<'_>) -> anyhow::Result<()> {
        let allow = self.prefixes()?;
        for attached in guard::attach(&self.request(&allow, 0), output).await? {
            output.word(format_args!("{}: guarded, in {} mode", attached.name, attached.mode.name()));
        }
        Ok(())
    }

    /// Whom to allow, as far as that is understood.
    pub(crate) fn prefixes(&self) -> Result<Vec<Prefix>, Error> {
        self.allow.iter().map(|given| Prefix::parse(given)).collect()
    }

    /// What was chosen for the interfaces.
    fn policy(&self) -> Policy {
        Policy { closed_ports: self.closed_ports.into(), ..Policy::default() }
    }

    /// What is wanted, with a program that keeps its own messages up to this level.
    pub(crate) fn request<'a>(&'a self, allow: &'a [Prefix], log_level: u8) -> Request<'a> {
        let mode = match self.mode {
            Mode::Auto => None,
            Mode::Native => Some(XdpMode::Driver),
            Mode::Generic => Some(XdpMode::Skb),
        };
        let judgement = self.preset.map(|preset| Preset::from(preset).judgement());
        Request { names: &self.interfaces, mode, allow, policy: self.policy(), judgement, log_level }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parsed(line: &str) -> Args {
        Line::try_parse_from(format!("attach {line}").split_whitespace()).expect("a command line").args
    }

    #[test]
    fn interfaces_are_taken_in_order() {
        assert_eq!(parsed("eth0 eth1").interfaces, ["eth0", "eth1"]);
    }

    #[test]
    fn the_mode_is_auto_unless_chosen() {
        assert!(parsed("eth0").request(&[], 0).mode.is_none());
        assert!(matches!(parsed("eth0 --mode native").request(&[], 0).mode, Some(XdpMode::Driver)));
        assert!(matches!(parsed("eth0 --mode generic").request(&[], 0).mode, Some(XdpMode::Skb)));
    }

    #[test]
    fn closed_ports_are_left_to_us_unless_chosen() {
        assert_eq!(parsed("eth0").policy().closed_ports, ClosedPorts::Auto);
        for choice in ClosedPorts::ALL {
            let line = format!("eth0 --closed-ports {}", choice.name());
            assert_eq!(parsed(&line).policy().closed_ports, choice);
        }
    }

    #[test]
    fn how_strict_to_be_is_left_as_it_was_unless_chosen() {
        assert_eq!(parsed("eth0").request(&[], 0).judgement, None);
        for preset in Preset::BANNING.into_iter().chain([Preset::Off]) {
            let line = format!("eth0 --preset {}", preset.name());
            assert_eq!(parsed(&line).request(&[], 0).judgement, Some(preset.judgement()));
        }
    }

    #[test]
    fn prefixes_are_given_one_by_one_or_together() {
        for line in [
            "eth0 --allow 192.0.2.7 --allow 2001:db8::/32",
            "eth0 --allow 192.0.2.7 2001:db8::/32",
            "--allow=192.0.2.7,2001:db8::/32 eth0",
        ] {
            let prefixes = parsed(line).prefixes().expect("both are prefixes");
            let written: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
            assert_eq!(written, ["192.0.2.7", "2001:db8::/32"], "{line}");
        }
    }

    #[test]
    fn a_prefix_that_is_none_is_our_error_and_not_the_parsers() {
        assert!(matches!(parsed("eth0 --allow nobody").prefixes(), Err(Error::InvalidCidr { .. })));
    }
}
