//! What an interface is for.

use crate::flow::Destination;

/// Whose packets are judged.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Those for this host. What it forwards is none of our business.
    #[default]
    Host = 0,
    /// Also those for the networks behind this host: whoever is on this side of the interface is outside.
    Gateway = 1,
}

impl Role {
    /// For whom a packet is, once it is known whose packets are judged: on a gateway also those that it forwards, which
    /// belong to connections that only their flows tell of.
    pub fn settle(self, destination: Destination) -> Destination {
        match (self, destination) {
            (Role::Gateway, Destination::Forwarded) => Destination::OursOrTranslated,
            (Role::Host | Role::Gateway, destination) => destination,
        }
    }

    /// The role of this number; where there is none, the one that harms nobody.
    pub fn from_number(number: u8) -> Role {
        match number {
            1 => Role::Gateway,
            _ => Role::Host,
        }
    }

    /// The number that stands for it in map memory.
    pub fn number(self) -> u8 {
        self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_gateway_judges_what_it_forwards() {
        assert_eq!(Role::Host.settle(Destination::Forwarded), Destination::Forwarded);
        assert_eq!(Role::Gateway.settle(Destination::Forwarded), Destination::OursOrTranslated);
        for role in [Role::Host, Role::Gateway] {
            for destination in [Destination::Ours, Destination::Group, Destination::OtherStation] {
                assert_eq!(role.settle(destination), destination);
            }
            assert_eq!(Role::from_number(role.number()), role);
        }
        assert_eq!(Role::from_number(u8::MAX), Role::Host);
    }
}
