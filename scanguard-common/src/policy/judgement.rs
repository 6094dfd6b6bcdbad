//! When a source counts as a scanner, and what follows.

use crate::ban::Terms;
use crate::evidence::{Weights, decayed};
use crate::network::USUAL;

/// The rules by which evidence is judged.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The score at which a source is banned, in units of [`Weights::UNIT`]; the largest there is bans nobody.
    pub threshold: u32,
    /// How long until half of a score has faded, in seconds; 0 for never.
    pub half_life: u32,
    /// How long bans last.
    pub terms: Terms,
    /// How many sources of a network have to be banned at once until the network is, 16 at the most; 0 for never.
    pub network_sources: u32,
}

const _: () = assert!(size_of::<Judgement>() == 24);

impl Judgement {
    /// How many closed ports a source can reach until it is banned, if it does nothing else and does it at once: the
    /// last of them is the one that it is banned for.
    pub fn closed_ports(&self) -> u32 {
        self.threshold.div_ceil(Weights::CLOSED)
    }

    /// The longest time between two closed ports, in whole seconds, at which a source is still banned in the end;
    /// `None` where that is so however long it takes, or never.
    ///
    /// With so long a time between its contacts a source's score comes to rest where as much fades from one to the next
    /// as each adds. It is found by halving the interval, with the very arithmetic that the programs use.
    pub fn slowest_interval(&self) -> Option<u32> {
        if self.half_life == 0 || self.threshold == u32::MAX || self.threshold <= Weights::CLOSED {
            return None;
        }
        let (mut caught, mut missed) = (0, 64 * self.half_life);
        while missed - caught > 1 {
            let middle = caught + (missed - caught) / 2;
            if self.catches(middle) { caught = middle } else { missed = middle }
        }
        Some(caught)
    }

    /// Whether one closed port every so many seconds leads to a ban.
    fn catches(&self, seconds: u32) -> bool {
        let mut score = 0;
        loop {
            let next = decayed(score, seconds, self.half_life) + Weights::CLOSED;
            if next >= self.threshold {
                return true;
            }
            if next <= score {
                return false;
            }
            score = next;
        }
    }
}

/// How soon a source counts as a scanner.
///
/// The threshold is Wald's: a test that is to mistake at most α of the benign sources, and to miss at most β of the
/// scanners, decides at ln((1 − β)/α). Here β is 1 %. As a score never falls below zero, α is not a bound for a source's
/// whole life: it bounds each run from zero, so that a benign source is banned, on average, not before 1/α such runs
/// (Lorden, *Procedures for Reacting to a Change in Distribution*, 1971); and β errs on the safe side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// α = 10⁻⁵: for hosts with many clients behind one address, or clients that are lost.
    Tolerant,
    /// α = 10⁻³.
    #[default]
    Balanced,
    /// α = 10⁻²: the signature of a known tool bans at once.
    Sensitive,
    /// Evidence is kept, and nobody is banned for it.
    Off,
}

impl Preset {
    /// All presets by which sources are banned, the most lenient first.
    pub const BANNING: [Preset; 3] = [Preset::Tolerant, Preset::Balanced, Preset::Sensitive];

    /// What the operator calls it.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Tolerant => "tolerant",
            Preset::Balanced => "balanced",
            Preset::Sensitive => "sensitive",
            Preset::Off => "off",
        }
    }

    /// Of how many benign runs one is mistaken, at the most; the largest number there is for none.
    pub fn one_mistake_in(self) -> u32 {
        match self {
            Preset::Tolerant => 100_000,
            Preset::Balanced => 1_000,
            Preset::Sensitive => 100,
            Preset::Off => u32::MAX,
        }
    }

    /// Of how many scanners one is missed, at the most.
    pub const ONE_MISSED_IN: u32 = 100;

    /// The score at which a source is banned: ln(0.99 · [`one_mistake_in`](Self::one_mistake_in)).
    pub fn threshold(self) -> u32 {
        match self {
            Preset::Tolerant => 11_779,
            Preset::Balanced => 7_063,
            Preset::Sensitive => 4_705,
            Preset::Off => u32::MAX,
        }
    }

    /// The rules that go with it.
    pub fn judgement(self) -> Judgement {
        const HOUR: u32 = 3_600;
        let terms = Terms { first: HOUR / 6, ceiling: 24 * HOUR, forget: 24 * HOUR };
        Judgement { threshold: self.threshold(), half_life: 6 * HOUR, terms, network_sources: USUAL }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_walds() {
        for preset in Preset::BANNING {
            let hit = 1.0 - 1.0 / f64::from(Preset::ONE_MISSED_IN);
            let truth = (hit * f64::from(preset.one_mistake_in())).ln() * f64::from(Weights::UNIT);
            assert!((f64::from(preset.threshold()) - truth).abs() <= 0.5, "{}: {truth}", preset.name());
        }
    }

    #[test]
    fn nobody_is_banned_for_as_few_closed_ports_as_benign_sources_touch() {
        let ports = Preset::BANNING.map(|preset| preset.judgement().closed_ports());
        assert_eq!(ports, [9, 5, 4]);
    }

    #[test]
    fn one_probe_every_five_minutes_is_caught_by_every_preset() {
        for preset in Preset::BANNING {
            let slowest = preset.judgement().slowest_interval().expect("scores fade");
            assert!(slowest > 300, "{}: {slowest}", preset.name());
        }
    }

    #[test]
    fn the_slowest_scan_is_the_one_whose_score_comes_to_rest_at_the_threshold() {
        for preset in Preset::BANNING {
            let rules = preset.judgement();
            let share = f64::from(Weights::CLOSED) / f64::from(rules.threshold);
            let truth = -f64::from(rules.half_life) * (1.0 - share).log2();
            let found = f64::from(rules.slowest_interval().expect("scores fade"));
            assert!((found / truth - 1.0).abs() < 0.01, "{}: {found} and not {truth}", preset.name());
        }
    }
}
