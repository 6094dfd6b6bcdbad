//! What must hold on every kernel that is supported: `cargo xtask vm` runs these in each of them.

pub(crate) mod feature;
mod talk;

mod agreement;
mod hostile;
mod legitimate;
mod load;
mod sctp;
mod smoke;
mod vlan;
mod vrf;
