//! What holds for the whole host.

use std::io::{self, Write};

use scanguard_common::policy::{Judgement, Preset};
use serde::Serialize;

use super::score::Score;
use crate::config::{PRESETS, Ports};
use crate::duration;

/// By which rules sources are banned, and what is special about which ports.
#[derive(Serialize)]
pub(crate) struct HostRules {
    preset: &'static str,
    threshold: Score,
    half_life: u32,
    first: u32,
    ceiling: u32,
    forget: u32,
    public: Vec<String>,
    decoys: Vec<String>,
}

impl HostRules {
    /// These rules.
    pub(crate) fn new(judgement: &Judgement, ports: &Ports) -> HostRules {
        HostRules {
            preset: preset_of(judgement).map_or("none", Preset::name),
            threshold: Score(judgement.threshold),
            half_life: judgement.half_life,
            first: judgement.terms.first,
            ceiling: judgement.terms.ceiling,
            forget: judgement.terms.forget,
            public: ports.public(),
            decoys: ports.decoys(),
        }
    }

    /// Writes them for people.
    pub(super) fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        let (first, ceiling) = (duration::written(self.first), duration::written(self.ceiling));
        writeln!(out, "bans: preset {}, for {first} the first time and at most {ceiling}", self.preset)?;
        for (which, ports) in [("public", &self.public), ("decoy", &self.decoys)] {
            let ports = if ports.is_empty() { "none".to_owned() } else { ports.join(", ") };
            writeln!(out, "{which} ports: {ports}")?;
        }
        Ok(())
    }
}

/// The preset that rules were made from: each has a threshold of its own.
pub(crate) fn preset_of(judgement: &Judgement) -> Option<Preset> {
    PRESETS.into_iter().find(|preset| preset.threshold() == judgement.threshold)
}
