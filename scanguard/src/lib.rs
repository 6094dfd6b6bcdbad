//! The controller, as a library: everything but the process around it.
//!
//! What was typed is in [`cli`]; each command is one file in `command`. Commands that guard an interface or end
//! that go through `guard`, which knows the order of the steps and how to take them back; it asks
//! `privilege`, `interface`, `bpffs`, `lock` and `pin` before it touches anything, and [`program`] loads what
//! runs in the kernel. What the operator chose, in a file or by flags, is read by `config`; whom this host depends
//! on, and must not ban therefore, is found out by `spared`. Nothing of what is guarded is remembered here: `guarded`
//! asks the pinned links and the network interfaces each time, `maps` the counters, the lists and the evidence,
//! `events` the ring buffer. `show` writes the answers as tables or as JSON, `explain` teaches, `case` gathers all
//! that is known of one source, `replay` runs the engine over what `capture` reads. What fails in a way that the
//! caller can mend is an
//! [`error::Error`], and ends the process with its own [`exit::Exit`] code.

pub mod cli;
pub mod error;
pub mod exit;
pub mod output;
pub mod program;
pub mod stop;

mod at_once;
mod bpffs;
mod capture;
mod case;
mod clock;
mod command;
mod config;
mod driver;
mod duration;
mod egress;
mod events;
mod explain;
mod filter;
mod guard;
mod guarded;
mod health;
mod incident;
mod interface;
mod kernel;
mod lock;
mod log;
mod maps;
mod nearest;
mod netlink;
mod open_link;
mod peers;
mod pin;
mod prefix;
mod privilege;
mod redirected;
mod replay;
mod session;
mod show;
mod spared;
mod stats;
mod translation;

pub use self::maps::Wire;
