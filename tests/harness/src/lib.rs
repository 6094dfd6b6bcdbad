//! What tests and the demo stand on, from the ground up:
//!
//! - [`Host`] is a machine of its own in all that matters here: network, interfaces in `/sys`, BPF pins and `/run`.
//!   Nothing of it has a name outside this process, so nothing of it can be left behind.
//! - [`Lab`] is two hosts and a cable: `guarded`, which scanguard protects, and `outside`, where scans come from.
//! - [`Process`] is a program running in a host; [`Service`] is a real server running in one.
//! - [`Report`] is what an nmap in one learned of the other.
//! - [`Frame`] builds any packet, right by default and wrong on request.
//! - [`Injector`] puts frames on a wire, [`Capture`] sees what comes back.
//! - [`Scoreboard`] is what every technique of scanners learns, measured.
//! - [`Passages`] is what legitimate traffic notices of a guard, and [`Page`] publishes both.
//! - [`Relay`] is a bad cable: it loses, doubles and reorders frames.
//! - [`Hostile`] writes what nobody means well with.
//! - [`World`] knows what a guarded host should do with a frame, and [`Traffic`] writes frames of every kind to ask.
//! - [`Random`] makes every generated run repeatable.

mod host;
mod hostile;
mod lab;
mod middle;
mod namespaces;
mod nmap;
mod offload;
mod oracle;
mod packet;
mod page;
mod passages;
mod process;
mod random;
mod raw;
mod relay;
mod scoreboard;
mod service;
mod traffic;
mod world;

pub use host::Host;
pub use hostile::{Hostile, endless_headers};
pub use lab::{GUARDED_MAC, GUARDED_V4, GUARDED_V6, INTERFACE, Lab, OUTSIDE_MAC, OUTSIDE_V4, OUTSIDE_V6};
pub use middle::{FAR, NEAR};
pub use nmap::{NMAP_OPTIONS, Port, PortState, Report};
pub use oracle::{Meaning, sendable_flags};
pub use packet::{Extension, Frame, Icmp, Ip, Link, Sctp, Tcp, Udp};
pub use page::Page;
pub use passages::{Passage, Passages, SceneName};
pub use process::{Process, close};
pub use random::Random;
pub use raw::{Capture, Injector};
pub use relay::{Faults, Relay};
pub use scoreboard::{Change, Learned, Scoreboard};
pub use service::Service;
pub use traffic::Traffic;
pub use world::World;
