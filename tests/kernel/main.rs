//! What can only be promised by the real kernel: these need root, and fail without it.

mod conversation;
mod guard;
mod ledger;
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
mod forgery;
mod gateway;
mod knocking;
mod legitimate;
mod lifetime;
mod messages;
mod policy;
mod portable;
mod readme;
mod recent;
mod refusals;
mod replay;
mod scanners;
mod scans;
mod scoreboard;
mod signatures;
mod silence;
mod traffic;
mod translation;
