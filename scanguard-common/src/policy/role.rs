//! What an interface is for.

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
