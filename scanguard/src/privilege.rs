//! What this process may do, asked before anything is tried.

use std::fs;

use anyhow::Context as _;
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use crate::error::Error;

/// A capability: its number in `include/uapi/linux/capability.h`, and its name.
type Capability = (u32, &'static str);

const NET_ADMIN: Capability = (12, "CAP_NET_ADMIN");
const SYS_ADMIN: Capability = (21, "CAP_SYS_ADMIN");
const PERFMON: Capability = (38, "CAP_PERFMON");
const BPF: Capability = (39, "CAP_BPF");

/// Makes sure that this process may work on what is attached.
///
/// # Errors
///
/// [`Error::NoPrivileges`] with the capabilities that are missing.
pub(crate) fn require() -> anyhow::Result<()> {
    require_all(&[BPF, NET_ADMIN])
}

/// Makes sure that this process may load and attach programs. Without `CAP_PERFMON` the verifier refuses to compare
/// pointers, which reading packets takes.
///
/// # Errors
///
/// As above.
pub(crate) fn require_to_load() -> anyhow::Result<()> {
    require_all(&[BPF, NET_ADMIN, PERFMON])
}

fn require_all(needed: &[Capability]) -> anyhow::Result<()> {
    const STATUS: &str = "/proc/self/status";
    let status = fs::read_to_string(STATUS).with_context(|| format!("reading {STATUS}"))?;
    let effective = effective(&status).with_context(|| format!("{STATUS} has no CapEff line"))?;
    match missing(needed, effective) {
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

/// Which of these capabilities are missing, if any. `CAP_SYS_ADMIN` stands for all of them, as it did before Linux 5.8.
fn missing(needed: &[Capability], effective: u64) -> Option<String> {
    let has = |(number, _): &Capability| effective & (1 << number) != 0;
    let missing: Vec<&str> = needed.iter().filter(|needed| !has(needed)).map(|(_, name)| *name).collect();
    match missing.as_slice() {
        _ if has(&SYS_ADMIN) => None,
        [] => None,
        [one] => Some(format!("the capability {one}")),
        [rest @ .., last] => Some(format!("the capabilities {} and {last}", rest.join(", "))),
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
    fn every_capability_is_needed_or_the_one_that_stands_for_all() {
        let bits = |held: &[Capability]| held.iter().fold(0, |bits, (number, _)| bits | 1 << number);
        let missing = |held: &[Capability]| missing(&[BPF, NET_ADMIN, PERFMON], bits(held));
        assert_eq!(missing(&[BPF, NET_ADMIN, PERFMON]), None);
        assert_eq!(missing(&[SYS_ADMIN]), None);
        assert_eq!(missing(&[NET_ADMIN, PERFMON]).as_deref(), Some("the capability CAP_BPF"));
        assert_eq!(missing(&[BPF]).as_deref(), Some("the capabilities CAP_NET_ADMIN and CAP_PERFMON"));
        let all = "the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON";
        assert_eq!(missing(&[]).as_deref(), Some(all));
    }
}
