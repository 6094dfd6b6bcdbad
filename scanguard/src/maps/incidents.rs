//! What is known of shared scans.

use std::net::IpAddr;

use anyhow::Context as _;
use aya::maps::MapError;
use scanguard_common::incident::Target;

use super::{Maps, Wire};
use crate::prefix::address;

impl Maps {
    /// Every window in which a shared scan was recognised, with the destination.
    pub(crate) fn incidents(&self) -> anyhow::Result<Vec<(IpAddr, Target)>> {
        let present =
            self.targets.iter().map(|entry| entry.map(|(key, Wire(target))| (address(key), target)));
        let past = self
            .incidents
            .iter()
            .map(|entry| entry.map(|(Wire(past), Wire(target))| (address(past.destination.bytes()), target)));
        let mut windows: Vec<_> =
            present.chain(past).collect::<Result<_, MapError>>().context("reading the targets of scans")?;
        windows.retain(|(_, target)| target.is_incident());
        Ok(windows)
    }
}
