//! What the operator chose, read from a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use scanguard_common::parse::network::IpProtocol;
use scanguard_common::parse::transport::Port;
use scanguard_common::policy::{ClosedPorts, Judgement, Ping, Policy, PortRule, Preset, Role};
use serde::Deserialize;

use super::local::Local;
use crate::error::Error;
use crate::prefix::Prefix;

/// A policy, and whom it exempts.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    /// What was chosen for the interface.
    pub(crate) policy: Policy,
    /// When a source is banned.
    pub(crate) judgement: Judgement,
    /// Ports that are published, or decoys.
    pub(crate) ports: BTreeMap<u16, PortRule>,
    /// From whom nothing is dropped.
    pub(crate) allowed: Local,
    /// The same as they were written, for the kernel's own list.
    pub(crate) prefixes: Vec<Prefix>,
}

/// The file: TOML, of which every key may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    closed_ports: Option<String>,
    #[serde(default)]
    allow: Vec<String>,
    preset: Option<String>,
    #[serde(default)]
    public: Vec<String>,
    #[serde(default)]
    decoys: Vec<String>,
    ping: Option<String>,
}

impl Default for Choices {
    fn default() -> Choices {
        Choices {
            policy: Policy::default(),
            judgement: Preset::default().judgement(),
            ports: BTreeMap::new(),
            allowed: Local::default(),
            prefixes: Vec::new(),
        }
    }
}

impl Choices {
    /// What a file says, or nothing where there is none, for a host or a gateway.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidPolicy`] where it cannot be read or understood.
    pub(crate) fn read(path: Option<&Path>, gateway: bool) -> Result<Choices, Error> {
        let role = if gateway { Role::Gateway } else { Role::Host };
        let policy = Policy { role, ..Policy::default() };
        let Some(path) = path else { return Ok(Choices { policy, ..Choices::default() }) };
        let invalid = |why: String| Error::InvalidPolicy { path: path.into(), why };
        let text = fs::read_to_string(path).map_err(|error| invalid(error.to_string()))?;
        Choices::of(&text, role).map_err(invalid)
    }

    /// What a text says, or what is wrong with it.
    fn of(text: &str, role: Role) -> Result<Choices, String> {
        let file: File = toml::from_str(text).map_err(|error| in_one_line(&error, text))?;
        let prefixes: Result<Vec<_>, Error> = file.allow.iter().map(|given| Prefix::parse(given)).collect();
        let prefixes = prefixes.map_err(|error| error.to_string())?;
        let closed_ports = file.closed_ports.map_or(Ok(ClosedPorts::default()), |given| {
            let choice = ClosedPorts::ALL.into_iter().find(|choice| choice.name() == given);
            choice.ok_or_else(|| format!("closed_ports is {given}; write one of {}", names()))
        })?;
        let preset = file.preset.map_or(Ok(Preset::default()), |given| {
            let preset = presets().find(|preset| preset.name() == given);
            preset.ok_or_else(|| {
                let names: Vec<_> = presets().map(Preset::name).collect();
                format!("preset is {given}; write one of {}", names.join(", "))
            })
        })?;
        let ping = match file.ping.as_deref() {
            None | Some("answer") => Ping::Answer,
            Some("silent") => Ping::Silent,
            Some(other) => return Err(format!("ping is {other}; write answer or silent")),
        };
        let mut ports: BTreeMap<u16, PortRule> = BTreeMap::new();
        for (given, rule) in [
            (&file.public, PortRule::with_public as fn(PortRule, IpProtocol) -> PortRule),
            (&file.decoys, PortRule::with_decoy),
        ] {
            for given in given {
                let (protocol, port) = port(given)?;
                let entry = ports.entry(port).or_default();
                *entry = rule(*entry, protocol);
            }
        }
        let policy = Policy { closed_ports, ping, role };
        let (judgement, allowed) = (preset.judgement(), Local::of(&prefixes));
        Ok(Choices { policy, judgement, ports, allowed, prefixes })
    }

    /// What was said of a port.
    pub(super) fn port_rule(&self, port: Port) -> PortRule {
        self.ports.get(&port.0).copied().unwrap_or_default()
    }
}

/// What `preset` may be.
fn presets() -> impl Iterator<Item = Preset> {
    Preset::BANNING.into_iter().chain([Preset::Off])
}

/// A port as it is written: tcp/443.
fn port(given: &str) -> Result<(IpProtocol, u16), String> {
    let wrong = || format!("{given} is no port; write it like tcp/443 or udp/53");
    let (protocol, port) = given.split_once('/').ok_or_else(wrong)?;
    let protocol = match protocol {
        "tcp" => IpProtocol::TCP,
        "udp" => IpProtocol::UDP,
        _ => return Err(wrong()),
    };
    Ok((protocol, port.parse().map_err(|_| wrong())?))
}

/// What `closed_ports` may be.
fn names() -> String {
    ClosedPorts::ALL.map(ClosedPorts::name).join(", ")
}

/// What the parser found, without the picture that it draws.
fn in_one_line(error: &toml::de::Error, text: &str) -> String {
    let line = error
        .span()
        .and_then(|span| text.get(..span.start))
        .map_or(1, |before| before.lines().count().max(1));
    format!("line {line}: {}", error.message().replace('\n', ", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Choices, String> {
        Choices::of(text, Role::Host)
    }

    #[test]
    fn what_is_left_out_is_what_harms_nobody() {
        let choices = of("").expect("every key may be left out");
        assert_eq!(choices.policy, Policy::default());
        assert!(choices.prefixes.is_empty());
    }

    #[test]
    fn every_choice_can_be_written() {
        for choice in ClosedPorts::ALL {
            let choices = of(&format!("closed_ports = \"{}\"", choice.name())).expect("a choice");
            assert_eq!(choices.policy.closed_ports, choice);
        }
        for preset in presets() {
            let choices = of(&format!("preset = \"{}\"", preset.name())).expect("a preset");
            assert_eq!(choices.judgement, preset.judgement());
        }
        assert_eq!(of("ping = \"silent\"").expect("a choice").policy.ping, Ping::Silent);
        let choices = of("public = [\"tcp/443\", \"udp/443\"]\ndecoys = [\"tcp/23\"]").expect("ports");
        for protocol in [IpProtocol::TCP, IpProtocol::UDP] {
            assert!(choices.port_rule(Port(443)).is_public(protocol));
        }
        let decoy = choices.port_rule(Port(23));
        assert!(decoy.is_decoy(IpProtocol::TCP) && !decoy.is_decoy(IpProtocol::UDP));
        assert_eq!(of("allow = [\"192.0.2.0/24\", \"2001:db8::1\"]").expect("prefixes").prefixes.len(), 2);
    }

    #[test]
    fn what_is_not_understood_is_refused_and_its_line_named() {
        assert_eq!(
            of("closed_ports = \"shut\"").expect_err("no such choice"),
            "closed_ports is shut; write one of auto, ingress, egress, pass"
        );
        let error = of("\nclosed_port = \"pass\"").expect_err("no such key");
        assert!(error.starts_with("line ") && error.contains("closed_port"), "{error}");
        assert_eq!(
            of("preset = \"harsh\"").expect_err("no such preset"),
            "preset is harsh; write one of tolerant, balanced, sensitive, off"
        );
        for wrong in ["443", "tcp/65536", "sctp/1", "tcp/"] {
            let error = of(&format!("public = [\"{wrong}\"]")).expect_err("no port");
            assert!(error.starts_with(&format!("{wrong} is no port")), "{error}");
        }
        assert!(of("ping = \"loud\"").is_err());
        assert!(of("allow = [\"nobody\"]").expect_err("no prefix").contains("nobody"));
    }
}
