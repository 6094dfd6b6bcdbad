//! What a kernel may have been built without, and tests need.

use std::env;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::libc;
use nix::sys::utsname::uname;
use scanguard_harness::{Host, INTERFACE};

/// Names the features that have to be there, with commas between them: where one of them is missing, the tests that
/// need it fail instead of being skipped.
const EXPECTED: &str = "SCANGUARD_EXPECT";

/// Whether and how congestion notification is negotiated.
const ECN: &str = "/proc/sys/net/ipv4/tcp_ecn";

/// Something that a kernel has or has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    /// Interfaces of a VLAN.
    Vlan,
    /// Sockets of the Stream Control Transmission Protocol.
    Sctp,
    /// A queue that delays, loses, doubles and reorders packets.
    Netem,
    /// Routing tables of their own for some interfaces.
    Vrf,
    /// The tables of the older iptables.
    Iptables,
    /// Accurate congestion notification (RFC 9768), which came with Linux 6.18 or so, by a setting.
    AccurateEcn,
}

impl Feature {
    const ALL: [Feature; 6] =
        [Feature::Vlan, Feature::Sctp, Feature::Netem, Feature::Vrf, Feature::Iptables, Feature::AccurateEcn];

    /// Whether a test that needs this has to be skipped, which is said.
    ///
    /// # Errors
    ///
    /// Fails where the environment says that it should have been there.
    pub(crate) fn is_missing(self) -> Result<bool> {
        let Err(reason) = self.probe() else { return Ok(false) };
        let release = uname().context("asking for the kernel's release")?;
        let release = release.release().to_string_lossy().into_owned();
        let told = format!("Linux {release} has no {} ({}): {reason:#}", self.name(), self.option());
        ensure!(!expected()?.contains(&self), "{told}; {EXPECTED} says that it has");
        println!("skipped: {told}");
        Ok(true)
    }

    /// What it is called in the environment.
    fn name(self) -> &'static str {
        match self {
            Feature::Vlan => "vlan",
            Feature::Sctp => "sctp",
            Feature::Netem => "netem",
            Feature::Vrf => "vrf",
            Feature::Iptables => "iptables",
            Feature::AccurateEcn => "accurate-ecn",
        }
    }

    /// With what the kernel is to be built.
    fn option(self) -> &'static str {
        match self {
            Feature::Vlan => "CONFIG_VLAN_8021Q",
            Feature::Sctp => "CONFIG_IP_SCTP",
            Feature::Netem => "CONFIG_NET_SCH_NETEM",
            Feature::Vrf => "CONFIG_NET_VRF",
            Feature::Iptables => "CONFIG_IP_NF_IPTABLES_LEGACY",
            Feature::AccurateEcn => "the setting 3 of net.ipv4.tcp_ecn",
        }
    }

    /// Uses it once, in a host of its own. An error says why that cannot be.
    fn probe(self) -> Result<()> {
        let host = Host::new("probe")?;
        match self {
            Feature::Vlan => {
                host.ip(&format!("link add {INTERFACE} type veth"))?;
                host.ip(&format!("link add link {INTERFACE} type vlan id 1")).map(drop)
            }
            Feature::Vrf => host.ip(&format!("link add {INTERFACE} type vrf table 1")).map(drop),
            Feature::Netem => {
                host.run("tc", "qdisc add dev lo root netem delay 1ms".split_whitespace()).map(drop)
            }
            Feature::Iptables => host.run("iptables-legacy", ["-t", "nat", "-S"]).map(drop),
            Feature::AccurateEcn => host.within(choose_accurate_ecn),
            Feature::Sctp => host.within(open_sctp).context("opening a socket"),
        }
    }
}

fn choose_accurate_ecn() -> Result<()> {
    fs::write(ECN, "3").with_context(|| format!("writing 3 to {ECN}"))?;
    // Where any number is taken, 3 means nothing.
    ensure!(fs::write(ECN, "99").is_err(), "{ECN} takes any number");
    Ok(())
}

fn open_sctp() -> Result<()> {
    // SAFETY: the call takes three numbers and no pointer.
    let descriptor =
        unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, libc::IPPROTO_SCTP) };
    nix::unistd::close(Errno::result(descriptor)?)?;
    Ok(())
}

/// The features that the environment names.
fn expected() -> Result<Vec<Feature>> {
    let Some(names) = env::var_os(EXPECTED) else { return Ok(Vec::new()) };
    let names = names.to_string_lossy().into_owned();
    let feature = |name: &str| {
        let Some(feature) = Feature::ALL.into_iter().find(|feature| feature.name() == name) else {
            bail!("{EXPECTED}={names}: there is no feature named {name}");
        };
        Ok(feature)
    };
    names.split(',').filter(|name| !name.is_empty()).map(feature).collect()
}

#[test]
fn what_is_expected_of_the_kernel_is_there() -> Result<()> {
    for feature in expected()? {
        feature.is_missing()?;
    }
    Ok(())
}
