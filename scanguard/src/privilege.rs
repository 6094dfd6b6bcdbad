//! What this process may do, asked before anything is tried.

use std::fs;

use anyhow::Context as _;
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use crate::error::Error;

/// Numbers of `include/uapi/linux/capability.h`.
const NET_ADMIN: u32 = 12;
const SYS_ADMIN: u32 = 21;
const BPF: u32 = 39;

/// Makes sure that this process may load and attach programs.
///
/// # Errors
///
/// [`Error::NoPrivileges`] with the capabilities that are missing.
pub(crate) fn require() -> anyhow::Result<()> {
    const STATUS: &str = "/proc/self/status";
    let status = fs::read_to_string(STATUS).with_context(|| format!("reading {STATUS}"))?;
    let effective = effective(&status).with_context(|| format!("{STATUS} has no CapEff line"))?;
    match missing(effective) {
        None => Ok(()),
        Some(missing) => Err(Error::NoPrivileges { missing }.into()),
    }
}

/// Lifts the limit on locked memory, to which kernels before 5.11 account all maps.
///
/// Newer kernels do not need it, so a refusal is not an error here: where it matters, creating a map fails.
pub(crate) fn lift_memory_limit() {
    if let Err(error) = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY) {
        tracing::info!("the limit on locked memory stays as it is: {error}");
    }
}

/// The effective capabilities, as one bit each.
fn effective(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Which capabilities are missing, if any. `CAP_SYS_ADMIN` stands for both, as it did before Linux 5.8.
fn missing(effective: u64) -> Option<String> {
    let has = |capability: u32| effective & (1 << capability) != 0;
    match (has(SYS_ADMIN), has(BPF), has(NET_ADMIN)) {
        (true, _, _) | (_, true, true) => None,
        (_, false, true) => Some("the capability CAP_BPF".to_owned()),
        (_, true, false) => Some("the capability CAP_NET_ADMIN".to_owned()),
        (_, false, false) => Some("the capabilities CAP_BPF and CAP_NET_ADMIN".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_effective_capabilities_is_found() {
        let status = "Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t0000018000201000\n";
        assert_eq!(effective(status), Some(0x180_0020_1000));
        assert_eq!(effective("Name:\tx\n"), None);
    }

    #[test]
    fn both_capabilities_are_needed_or_the_one_that_stands_for_all() {
        assert_eq!(missing(1 << BPF | 1 << NET_ADMIN), None);
        assert_eq!(missing(1 << SYS_ADMIN), None);
        assert_eq!(missing(1 << NET_ADMIN).as_deref(), Some("the capability CAP_BPF"));
        assert_eq!(missing(1 << BPF).as_deref(), Some("the capability CAP_NET_ADMIN"));
        assert_eq!(missing(0).as_deref(), Some("the capabilities CAP_BPF and CAP_NET_ADMIN"));
    }
}
