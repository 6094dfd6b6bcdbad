//! xdp-filter: an XDP program as well, which takes turns with scanguard in the same link.

use std::os::fd::OwnedFd;

use anyhow::{Context, Result};
use scanguard_harness::Host;
use serde_json::Value;

use super::rival::{Counter, Undo, set_up, words};
use crate::kernel::link;

/// What it is called, and its nearest rule.
pub(super) const NAME: &str = "xdp-filter, by port";

/// Where it says how many packets it has dropped.
pub(super) const COUNTER: Counter = Counter { line: "xdp-filter status", after: "XDP_DROP" };

/// It loads its program for an interface: one to which nothing comes.
const SPARE: &str = "spare";
const SET_UP: [&str; 4] = [
    "ip link add spare type veth peer name nowhere",
    "ip link set spare up",
    "xdp-filter load --mode native --features tcp spare",
    "xdp-filter port --proto tcp --mode dst 9",
];
const TAKE_DOWN: [&str; 2] = ["xdp-filter unload spare", "ip link del spare"];

/// Its program, loaded.
pub(super) struct XdpFilter {
    pub(super) program: OwnedFd,
    _undo: Undo,
}

impl XdpFilter {
    /// Has it load its program, and finds that.
    ///
    /// # Errors
    ///
    /// Fails where it is not installed.
    pub(super) fn load(host: &Host) -> Result<XdpFilter> {
        let lines = TAKE_DOWN.map(words).to_vec();
        let undo = Undo { host: host.clone(), lines, merges: false };
        set_up(host, NAME, &SET_UP)?;
        let said = host.ip(&format!("-json link show {SPARE}"))?;
        let told: Value = serde_json::from_str(&said).with_context(|| format!("ip says {said}"))?;
        let id = told.pointer("/0/xdp/prog/id").and_then(Value::as_u64);
        let id = id.with_context(|| format!("no program is at {SPARE}: {said}"))?;
        Ok(XdpFilter { program: link::program(u32::try_from(id)?)?, _undo: undo })
    }
}
