//! What the operator chose: for one interface, and for the whole host.

mod closed_ports;
mod judgement;
mod ping;
mod ports;
mod role;

pub use closed_ports::ClosedPorts;
pub use judgement::{Judgement, Preset};
pub use ping::Ping;
pub use ports::PortRule;
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
