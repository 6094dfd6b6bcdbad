//! A host in the middle of the cable.

use std::fs;

use anyhow::{Context, Result};

use crate::offload::turn_offloads_off;
use crate::{Host, INTERFACE, Lab, OUTSIDE_MAC, OUTSIDE_V4, OUTSIDE_V6};

/// The middle's interface towards the guarded host.
pub const NEAR: &str = "near";
/// The middle's interface towards the outside host.
pub const FAR: &str = "far";

impl Lab {
    /// Cuts the cable and puts a host without addresses between the ends: whatever is to reach the other side, it has
    /// to carry there.
    ///
    /// # Errors
    ///
    /// Fails when it was done before.
    pub fn cut(&self) -> Result<Host> {
        let middle = Host::new("middle")?;
        for family in ["all", "default"] {
            // It is to say nothing of its own.
            let path = format!("/proc/sys/net/ipv6/conf/{family}/disable_ipv6");
            middle.within(|| fs::write(&path, "1")).with_context(|| format!("writing 1 to {path}"))?;
        }
        let (middle_path, outside_path) = (middle.network_path(), self.outside.network_path());
        self.outside.ip(&format!("link set {INTERFACE} name {NEAR} netns {middle_path}"))?;
        let mac = OUTSIDE_MAC.map(|byte| format!("{byte:02x}")).join(":");
        middle.ip(&format!(
            "link add {FAR} numtxqueues 1 numrxqueues 1 type veth \
             peer name {INTERFACE} numtxqueues 1 numrxqueues 1 address {mac} netns {outside_path}"
        ))?;
        // Frames are for the host behind it, not for itself.
        middle.ip(&format!("link set {NEAR} address 02:77:00:00:00:03 up"))?;
        middle.ip(&format!("link set {FAR} up"))?;
        middle.within(|| turn_offloads_off(FAR))?;
        self.outside.within(|| turn_offloads_off(INTERFACE))?;
        self.outside.ip(&format!("link set {INTERFACE} up"))?;
        self.outside.ip(&format!("addr add {OUTSIDE_V4}/24 dev {INTERFACE}"))?;
        self.outside.ip(&format!("addr add {OUTSIDE_V6}/64 dev {INTERFACE} nodad"))?;
        Ok(middle)
    }
}
