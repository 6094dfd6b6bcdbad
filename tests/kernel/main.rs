//! What can only be promised by the real kernel: these need root, and fail without it.

mod conversation;
mod guard;
mod nmap;

mod allowlist;
mod bans;
mod budget;
mod check;
mod counters;
mod events;
mod gateway;
mod legitimate;
mod lifetime;
mod policy;
mod portable;
mod readme;
mod refusals;
mod scans;
mod scoreboard;
mod silence;
mod traffic;
