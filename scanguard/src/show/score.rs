//! Scores, in the unit that people can picture: one closed port.

use std::fmt;

use scanguard_common::evidence::Weights;
use serde::{Serialize, Serializer};

/// A score, or a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Score(pub(crate) u32);

impl Score {
    fn closed_ports(self) -> f64 {
        f64::from(self.0) / f64::from(Weights::CLOSED)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{:.2}", self.closed_ports()))
    }
}

impl Serialize for Score {
    /// To two places behind the point, as it is written for people.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64((self.closed_ports() * 100.0).round() / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_port_is_one() {
        assert_eq!(Score(Weights::CLOSED).to_string(), "1.00");
        assert_eq!(Score(Weights::SIGNATURE).to_string(), "4.00");
        assert_eq!(serde_json::to_string(&Score(7_063)).expect("a number"), "4.97");
        assert_eq!(format!("{:>6}", Score(0)), "  0.00");
    }
}
