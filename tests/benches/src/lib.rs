//! What scanguard costs, measured beside bare programs and beside its alternatives.
//!
//! Every figure stands next to one of the same run on the same machine: the *floor*, a program that does nothing but
//! the same action, or what else does the same job. The two are measured in turn, many times, and what counts is the
//! median of their ratios; so a machine that is slow for a while is slow for both.
//!
//! From the ground up:
//!
//! - [`kernel`] makes the few BPF system calls that a measurement needs, [`bare`] writes the programs to compare with;
//! - [`sample`] is repeated figures, [`row`] one line of the results and its goal, [`report`] how they are written;
//! - [`paths`] measures single paths of a packet, with real sockets but without an interface; [`lists`] the same with
//!   lists of any length;
//! - [`floods`] measures how many packets a second end at a real interface, beside other ways to drop them, and
//!   [`clients`] what legitimate clients get through meanwhile;
//! - [`replay`] measures how fast a capture is replayed, and [`footprint`] memory and the time that commands take;
//!   [`stack`] counts how much of the BPF stack the programs take.
//!
//! What is pure is measured by criterion, in `benches/engine.rs`; [`engine`] reads what it found.

pub mod bare;
pub mod clients;
pub mod engine;
pub mod floods;
pub mod footprint;
pub mod kernel;
pub mod lists;
pub mod machine;
pub mod paths;
pub mod replay;
pub mod report;
pub mod row;
pub mod sample;
pub mod stack;

mod cable;
mod ground;
mod programs;
mod spent;
