//! Closed ports: where they are silenced.

use crate::flow::Destination;

/// At which door it is decided that a port is closed.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClosedPorts {
    /// At the first where the socket table knows, at the second where the interface forwards.
    #[default]
    Auto = 0,
    /// At the first: the socket table knows all there is to know.
    Ingress = 1,
    /// At the second: ports may be redirected, or belong to guests.
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

    /// For whom a packet is, once the operator has been heard: whether addresses may be translated here.
    pub fn settle(self, destination: Destination) -> Destination {
        match (self, destination) {
            (ClosedPorts::Ingress, Destination::OursOrTranslated) => Destination::Ours,
            (ClosedPorts::Egress | ClosedPorts::Pass, Destination::Ours) => Destination::OursOrTranslated,
            (_, destination) => destination,
        }
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
    fn only_what_is_ours_is_a_matter_of_choice() {
        let settled = |choice: ClosedPorts| {
            [Destination::Ours, Destination::OursOrTranslated].map(|destination| choice.settle(destination))
        };
        let (ours, either) = (Destination::Ours, Destination::OursOrTranslated);
        assert_eq!(settled(ClosedPorts::Auto), [ours, either]);
        assert_eq!(settled(ClosedPorts::Ingress), [ours, ours]);
        assert_eq!(settled(ClosedPorts::Egress), [either, either]);
        assert_eq!(settled(ClosedPorts::Pass), [either, either]);
        for choice in ClosedPorts::ALL {
            assert_eq!(choice.settle(Destination::Forwarded), Destination::Forwarded);
        }
    }
}
