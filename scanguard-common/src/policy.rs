//! What the operator chose for an interface.

mod closed_ports;
mod ping;
mod role;

pub use closed_ports::ClosedPorts;
pub use ping::Ping;
pub use role::Role;

/// All that the operator chose for an interface. The default harms nobody and needs no thought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// At which door it is decided that a port is closed.
    pub closed_ports: ClosedPorts,
    /// Whether the host answers pings.
    pub ping: Ping,
    /// Whether what is forwarded is judged.
    pub role: Role,
}
