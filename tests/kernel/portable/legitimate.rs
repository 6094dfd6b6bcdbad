//! Scenes of legitimate traffic that need what not every kernel has: they are played in virtual machines.

mod other_kernels;
