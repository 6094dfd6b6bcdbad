//! What the operator chose, read from a file.

use std::fs;
use std::path::Path;

use scanguard_common::policy::{ClosedPorts, Policy, Role};
use serde::Deserialize;

use super::local::Local;
use crate::error::Error;
use crate::prefix::Prefix;

/// A policy, and whom it exempts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choices {
    /// What was chosen for the interface.
    pub(crate) policy: Policy,
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
        let policy = Policy { closed_ports, role, ..Policy::default() };
        Ok(Choices { policy, allowed: Local::of(&prefixes), prefixes })
    }
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
        assert!(of("allow = [\"nobody\"]").expect_err("no prefix").contains("nobody"));
    }
}
