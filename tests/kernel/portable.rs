//! What must hold on every kernel that is supported: `cargo xtask vm` runs these in each of them.

mod agreement;
mod load;
mod smoke;
