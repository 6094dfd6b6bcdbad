//! Closed ports: where they are silenced.

/// Where it is decided that a port is closed.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClosedPorts {
    /// At both doors: the second learns from each refusal which port is closed, and tells the first for a while.
    #[default]
    Auto = 0,
    /// At the first: the socket table knows all there is to know.
    Ingress = 1,
    /// At the second alone: whether a port is closed may depend on who asks.
    Egress = 2,
    /// At neither: closed ports answer, as they would without us.
    Pass = 3,
}

impl ClosedPorts {
    /// All choices.
    pub const ALL: [ClosedPorts; 4] =
        [ClosedPorts::Auto, ClosedPorts::Ingress, ClosedPorts::Egress, ClosedPorts::Pass];

    /// The choice of this number; where there is none, the one that harms nobody.
    pub fn from_number(number: u8) -> ClosedPorts {
        match number {
            0 => ClosedPorts::Auto,
            1 => ClosedPorts::Ingress,
            2 => ClosedPorts::Egress,
            _ => ClosedPorts::Pass,
        }
    }

    /// The number that stands for it in map memory.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// What the operator calls it.
    pub fn name(self) -> &'static str {
        match self {
            ClosedPorts::Auto => "auto",
            ClosedPorts::Ingress => "ingress",
            ClosedPorts::Egress => "egress",
            ClosedPorts::Pass => "pass",
        }
    }

    /// Whether a port without a socket counts as closed, by what was `refused` there lately.
    pub fn says_closed(self, refused: impl FnOnce() -> bool) -> bool {
        match self {
            ClosedPorts::Auto => refused(),
            ClosedPorts::Ingress => true,
            ClosedPorts::Egress | ClosedPorts::Pass => false,
        }
    }

    /// Whether closed ports are to answer.
    pub fn answer(self) -> bool {
        self == ClosedPorts::Pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back_and_strangers_harm_nobody() {
        for choice in ClosedPorts::ALL {
            assert_eq!(ClosedPorts::from_number(choice.number()), choice);
        }
        assert_eq!(ClosedPorts::from_number(u8::MAX), ClosedPorts::Pass);
    }

    #[test]
    fn only_where_both_doors_decide_the_first_hears_of_refusals() {
        let closed = |refused: bool| ClosedPorts::ALL.map(|choice| choice.says_closed(|| refused));
        assert_eq!(closed(false), [false, true, false, false]);
        assert_eq!(closed(true), [true, true, false, false]);
    }
}
