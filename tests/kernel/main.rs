//! What can only be promised by the real kernel: these need root, and fail without it.

mod conversation;
mod guard;
mod nmap;

mod adversity;
mod allowlist;
mod bans;
mod benches;
mod budget;
mod check;
mod counters;
mod events;
mod flags;
mod gateway;
mod knocking;
mod legitimate;
mod lifetime;
mod messages;
mod policy;
mod portable;
mod readme;
mod refusals;
mod scans;
mod scoreboard;
mod signatures;
mod silence;
mod traffic;
mod translation;
