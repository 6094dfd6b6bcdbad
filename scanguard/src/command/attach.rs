//! `scanguard attach`: protection without a process.

use std::path::PathBuf;

use aya::programs::XdpMode;
use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;
use scanguard_common::policy::{ClosedPorts, Ping, Preset};

use crate::config::{Chosen, Config, Flags};
use crate::error::Error;
use crate::guard::{self, Request};
use crate::interface::Interfaces;
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
    #[arg(long, value_enum, value_name = "WHERE")]
    closed_ports: Option<Closed>,

    /// Whether echo requests are answered
    #[arg(long, value_enum)]
    ping: Option<PingChoice>,

    /// Also judge what these interfaces forward to the networks behind this host: whoever is on their side is outside
    #[arg(long)]
    gateway: bool,

    /// A file with the policy, over which flags win; without one, what holds for the whole host stays as it is
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

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
enum PingChoice {
    Answer,
    Silent,
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

impl From<PingChoice> for Ping {
    fn from(typed: PingChoice) -> Ping {
        match typed {
            PingChoice::Answer => Ping::Answer,
            PingChoice::Silent => Ping::Silent,
        }
    }
}

impl Args {
    pub(crate) async fn run(&self, output: &mut Output<'_>) -> anyhow::Result<()> {
        let chosen = self.chosen().await?;
        for attached in guard::attach(&self.request(&chosen, 0), output).await? {
            output.word(format_args!("{}: guarded, in {} mode", attached.name, attached.mode.name()));
        }
        Ok(())
    }

    /// What the file and the flags mean here.
    pub(crate) async fn chosen(&self) -> anyhow::Result<Chosen> {
        let flags = self.flags()?;
        let config = self.policy.as_deref().map(Config::read).transpose()?;
        let file = self.policy.as_deref().zip(config.as_ref());
        Ok(Chosen::here(file, flags, &Interfaces::read().await?)?)
    }

    /// What was typed, as far as that is understood.
    fn flags(&self) -> Result<Flags, Error> {
        Ok(Flags {
            preset: self.preset.map(Preset::from),
            closed_ports: self.closed_ports.map(ClosedPorts::from),
            ping: self.ping.map(Ping::from),
            gateway: self.gateway,
            allow: self.allow.iter().map(|given| Prefix::parse(given)).collect::<Result<_, _>>()?,
        })
    }

    /// What is wanted, with a program that keeps its own messages up to this level.
    pub(crate) fn request<'a>(&'a self, chosen: &'a Chosen, log_level: u8) -> Request<'a> {
        let mode = match self.mode {
            Mode::Auto => None,
            Mode::Native => Some(XdpMode::Driver),
            Mode::Generic => Some(XdpMode::Skb),
        };
        Request { names: &self.interfaces, mode, chosen, log_level }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::{PRESETS, name_of};

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
        let chosen = Chosen::default();
        assert!(parsed("eth0").request(&chosen, 0).mode.is_none());
        assert!(matches!(parsed("eth0 --mode native").request(&chosen, 0).mode, Some(XdpMode::Driver)));
        assert!(matches!(parsed("eth0 --mode generic").request(&chosen, 0).mode, Some(XdpMode::Skb)));
    }

    #[test]
    fn what_is_not_typed_is_left_open_and_what_is_typed_is_taken() {
        let none = parsed("eth0").flags().expect("nothing can be wrong");
        assert!(none.preset.is_none() && none.closed_ports.is_none() && none.ping.is_none() && !none.gateway);
        let flags = |flag: &str, name: &str| {
            parsed(&format!("eth0 --{flag} {name}")).flags().expect("nothing can be wrong")
        };
        for choice in ClosedPorts::ALL {
            assert_eq!(flags("closed-ports", choice.name()).closed_ports, Some(choice));
        }
        for choice in PRESETS {
            assert_eq!(flags("preset", choice.name()).preset, Some(choice));
        }
        for choice in [Ping::Answer, Ping::Silent] {
            assert_eq!(flags("ping", name_of(choice)).ping, Some(choice));
        }
        assert!(parsed("eth0 --gateway").flags().expect("nothing can be wrong").gateway);
    }

    #[test]
    fn prefixes_are_given_one_by_one_or_together() {
        for line in [
            "eth0 --allow 192.0.2.7 --allow 2001:db8::/32",
            "eth0 --allow 192.0.2.7 2001:db8::/32",
            "--allow=192.0.2.7,2001:db8::/32 eth0",
        ] {
            let prefixes = parsed(line).flags().expect("both are prefixes").allow;
            let written: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
            assert_eq!(written, ["192.0.2.7", "2001:db8::/32"], "{line}");
        }
    }

    #[test]
    fn a_prefix_that_is_none_is_our_error_and_not_the_parsers() {
        assert!(matches!(parsed("eth0 --allow nobody").flags(), Err(Error::InvalidCidr { .. })));
    }
}
