//! What must hold on every kernel that is supported: `cargo xtask vm` runs these in each of them.

pub(crate) mod feature;
mod talk;

mod agreement;
mod evidence;
mod hostile;
mod jumbo;
mod legitimate;
mod load;
mod sctp;
mod second_door;
mod smoke;
mod upper;
mod vlan;
mod vrf;
