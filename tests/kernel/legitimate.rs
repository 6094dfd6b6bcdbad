//! Difficult but legitimate traffic passes a guarded interface untouched: not a frame is dropped, not a connection
//! fails, over both families, with the guarded host as server and as client.

mod peer;
mod scene;
mod socket;
mod stage;

mod bad_cable;
mod datagrams;
mod devices;
mod endings;
mod idle;
mod indirect;
mod neighbours;
mod openings;
mod other_stacks;
mod programs;
mod published;
mod questions;
mod restarts;
mod routes;
mod volume;

pub(crate) use scene::Scene;
pub(crate) use socket::Socket;
pub(crate) use stage::{accept, exchange, happened, pour, set};
