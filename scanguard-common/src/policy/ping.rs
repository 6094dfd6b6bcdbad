//! Echo requests: whether they are answered.

/// What becomes of echo requests.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ping {
    /// The host answers them.
    #[default]
    Answer = 0,
    /// They are dropped, so that nobody learns by them that the host is up.
    Silent = 1,
}

impl Ping {
    /// The choice of this number; where there is none, the one that harms nobody.
    pub fn from_number(number: u8) -> Ping {
        match number {
            1 => Ping::Silent,
            _ => Ping::Answer,
        }
    }

    /// The number that stands for it in map memory.
    pub fn number(self) -> u8 {
        self as u8
    }
}
