//! The policy: what was typed, in a file and as flags, and what it means here.

mod file;
mod port;

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use scanguard_common::classify::signature::PUBLIC_ADDRESSES;
use scanguard_common::policy::{ClosedPorts, Judgement, Ping, Policy, PortRule, Preset, Role};

pub(crate) use self::file::{PRESETS, name_of};
pub(crate) use self::port::Ports;
use self::port::ProtocolPort;
use crate::error::Error;
use crate::interface::Interfaces;
use crate::prefix::Prefix;

/// What a policy file says, as it was typed; what it does not say is `None` or empty.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Config {
    preset: Option<Preset>,
    half_life: Option<u32>,
    ban: BanTerms,
    public: Vec<ProtocolPort>,
    decoys: Vec<ProtocolPort>,
    closed_ports: Option<ClosedPorts>,
    ping: Option<Ping>,
    public_addresses: Vec<Ipv4Addr>,
    gateway: Vec<Placed<String>>,
    allow: Vec<Prefix>,
}

/// IPv4 addresses as numbers; 0 where there is none.
pub(crate) type PublicAddresses = [u32; PUBLIC_ADDRESSES];

/// How long bans last, in seconds, and how many sources it takes to ban a network.
#[derive(Debug, Default, PartialEq)]
struct BanTerms {
    first: Option<u32>,
    ceiling: Option<u32>,
    forget: Option<u32>,
    network: Option<u32>,
}

/// Something, and the line where it was typed.
#[derive(Debug, PartialEq)]
struct Placed<T> {
    line: usize,
    value: T,
}

/// What is wrong with a file, and in which line.
type Problem = Placed<String>;

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidPolicy`] with the line and what may have been meant.
    pub(crate) fn read(path: &Path) -> Result<Config, Error> {
        let text = fs::read_to_string(path)
            .map_err(|error| Error::UnreadablePolicy { path: path.to_owned(), why: error.to_string() })?;
        file::parse(&text).map_err(|problem| problem.of(path))
    }

    /// Where closed ports are silenced, and whether pings are answered.
    pub(crate) fn doors(&self) -> (ClosedPorts, Ping) {
        (self.closed_ports.unwrap_or_default(), self.ping.unwrap_or_default())
    }

    /// Of whom nothing is dropped.
    pub(crate) fn allowed(&self) -> &[Prefix] {
        &self.allow
    }

    /// The rules for judging sources.
    pub(crate) fn judgement(&self, preset: Option<Preset>) -> Judgement {
        let mut rules = preset.or(self.preset).unwrap_or_default().judgement();
        let overrides = [
            (&mut rules.half_life, self.half_life),
            (&mut rules.terms.first, self.ban.first),
            (&mut rules.terms.ceiling, self.ban.ceiling),
            (&mut rules.terms.forget, self.ban.forget),
            (&mut rules.network_sources, self.ban.network),
        ];
        for (rule, typed) in overrides {
            *rule = typed.unwrap_or(*rule);
        }
        rules
    }

    /// The IPv4 addresses by which others reach this host beside its own, as numbers; 0 where there is none.
    pub(crate) fn public_addresses(&self) -> PublicAddresses {
        let mut numbers = [0; PUBLIC_ADDRESSES];
        for (number, address) in numbers.iter_mut().zip(&self.public_addresses) {
            *number = address.to_bits();
        }
        numbers
    }

    /// The ports that are published or decoys.
    pub(crate) fn ports(&self) -> Ports {
        let mut ports = BTreeMap::<u16, PortRule>::new();
        for ProtocolPort { protocol, port } in &self.public {
            let rule = ports.entry(*port).or_default();
            *rule = rule.with_public(*protocol);
        }
        for ProtocolPort { protocol, port } in &self.decoys {
            let rule = ports.entry(*port).or_default();
            *rule = rule.with_decoy(*protocol);
        }
        Ports(ports)
    }
}

impl Problem {
    fn of(self, path: &Path) -> Error {
        Error::InvalidPolicy { path: path.to_owned(), line: self.line, what: self.value }
    }
}

/// What was typed as flags, which win over the file.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    /// `--preset`
    pub(crate) preset: Option<Preset>,
    /// `--closed-ports`
    pub(crate) closed_ports: Option<ClosedPorts>,
    /// `--ping`
    pub(crate) ping: Option<Ping>,
    /// `--gateway`
    pub(crate) gateway: bool,
    /// `--allow`
    pub(crate) allow: Vec<Prefix>,
}

/// What that means on this host.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    /// What holds for each interface, whatever its role.
    policy: Policy,
    /// The interfaces that are gateways, by their numbers; `None` for all.
    gateways: Option<Vec<u32>>,
    /// How sources are judged; `None` where nothing was said of it, and what holds is to stay.
    pub(crate) judgement: Option<Judgement>,
    /// The ports that are published or decoys; `None` as above.
    pub(crate) ports: Option<Ports>,
    /// By which addresses others reach this host beside its own; `None` as above.
    pub(crate) public_addresses: Option<PublicAddresses>,
    /// Whom to allow from the first packet on.
    pub(crate) allow: Vec<Prefix>,
}

impl Chosen {
    /// What a file and flags mean together on a host with these interfaces.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidPolicy`] where the file names an interface that is not there.
    pub(crate) fn here(
        file: Option<(&Path, &Config)>,
        flags: Flags,
        interfaces: &Interfaces,
    ) -> Result<Chosen, Error> {
        let nothing = Config::default();
        let config = file.map_or(&nothing, |(_, config)| config);
        let mut gateways = Vec::new();
        if let Some((path, config)) = file {
            for Placed { line, value: name } in &config.gateway {
                let unknown = |_| file::unknown(*line, "gateway", name, interfaces.names()).of(path);
                gateways.push(interfaces.named(name).map_err(unknown)?.index);
            }
        }
        let mut allow = flags.allow;
        allow.extend(&config.allow);
        Ok(Chosen {
            policy: Policy {
                closed_ports: flags.closed_ports.or(config.closed_ports).unwrap_or_default(),
                ping: flags.ping.or(config.ping).unwrap_or_default(),
                role: Role::default(),
            },
            gateways: if flags.gateway { None } else { Some(gateways) },
            judgement: (file.is_some() || flags.preset.is_some()).then(|| config.judgement(flags.preset)),
            ports: file.map(|(_, config)| config.ports()),
            public_addresses: file.map(|(_, config)| config.public_addresses()),
            allow,
        })
    }

    /// What holds for the interface of this number.
    pub(crate) fn policy_of(&self, index: u32) -> Policy {
        let is_gateway = self.gateways.as_ref().is_none_or(|gateways| gateways.contains(&index));
        Policy { role: if is_gateway { Role::Gateway } else { Role::Host }, ..self.policy }
    }
}

#[cfg(test)]
mod tests {
    use scanguard_common::parse::network::IpProtocol;

    use super::*;

    async fn here(text: Option<&str>, flags: Flags) -> Result<Chosen, Error> {
        let config = text.map(|text| file::parse(text).expect("a policy"));
        let file = config.as_ref().map(|config| (Path::new("policy.toml"), config));
        Chosen::here(file, flags, &Interfaces::read().await.expect("rtnetlink answers"))
    }

    #[tokio::test(flavor = "current_thread")]
    async fn where_nothing_is_said_nothing_that_holds_is_changed() {
        let chosen = here(None, Flags::default()).await.expect("nothing can be wrong");
        assert_eq!(chosen.policy_of(1), Policy::default());
        assert!(chosen.judgement.is_none() && chosen.ports.is_none() && chosen.allow.is_empty());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_empty_file_says_what_is_usual() {
        let chosen = here(Some(""), Flags::default()).await.expect("nothing can be wrong");
        assert_eq!(chosen.judgement, Some(Preset::Balanced.judgement()));
        assert_eq!(chosen.ports, Some(Ports::default()));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn flags_win_over_the_file() {
        let text = "preset = \"tolerant\"\nclosed_ports = \"pass\"\nping = \"silent\"\nhalf_life = \"1h\"\n";
        let file = here(Some(text), Flags::default()).await.expect("a policy");
        let expected = Policy { closed_ports: ClosedPorts::Pass, ping: Ping::Silent, role: Role::Host };
        assert_eq!(file.policy_of(1), expected);
        let rules = Judgement { half_life: 3_600, ..Preset::Tolerant.judgement() };
        assert_eq!(file.judgement, Some(rules));

        let flags = Flags {
            preset: Some(Preset::Sensitive),
            closed_ports: Some(ClosedPorts::Egress),
            ping: Some(Ping::Answer),
            gateway: true,
            allow: Vec::new(),
        };
        let both = here(Some(text), flags).await.expect("a policy");
        let expected = Policy { closed_ports: ClosedPorts::Egress, ping: Ping::Answer, role: Role::Gateway };
        assert_eq!(both.policy_of(1), expected);
        assert_eq!(both.judgement.map(|rules| rules.threshold), Some(Preset::Sensitive.threshold()));
        assert_eq!(both.judgement.map(|rules| rules.half_life), Some(3_600));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn gateways_are_found_by_name() {
        let chosen = here(Some("gateway = [\"lo\"]\n"), Flags::default()).await.expect("lo is always there");
        assert_eq!(chosen.policy_of(1).role, Role::Gateway);
        assert_eq!(chosen.policy_of(2).role, Role::Host);
        let error =
            here(Some("\ngateway = [\"lo\", \"loo\"]\n"), Flags::default()).await.expect_err("no such");
        assert!(error.to_string().starts_with("policy.toml:2: gateway: loo: "), "{error}");
        assert!(error.to_string().ends_with("did you mean lo?"), "{error}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn one_port_can_be_public_by_one_protocol_and_a_decoy_by_another() {
        let text = "public = [\"tcp/53\"]\ndecoys = [\"udp/53\", \"tcp/23\"]\n";
        let Ports(ports) = here(Some(text), Flags::default()).await.expect("a policy").ports.expect("a file");
        let both = PortRule::default().with_public(IpProtocol::TCP).with_decoy(IpProtocol::UDP);
        assert_eq!(ports, [(23, PortRule::default().with_decoy(IpProtocol::TCP)), (53, both)].into());
    }
}
