//! `scanguard check`: whether this host can be guarded, and what the policy in force means.

use std::path::{Path, PathBuf};

use aya::util::KernelVersion;
use scanguard_common::policy::{Judgement, Preset};

use super::pins_in_use;
use crate::bpffs::{self, BPFFS};
use crate::config::{Chosen, Config, Flags};
use crate::egress::Door;
use crate::error::Error;
use crate::guard::refuse_taken;
use crate::guarded::{Guarded, survey};
use crate::interface::{Interfaces, NetworkInterface};
use crate::maps::Maps;
use crate::output::Output;
use crate::pin::Pins;
use crate::show::Show as _;
use crate::show::check::{Findings, PolicyMeaning};
use crate::{driver, kernel, privilege, program};

/// Show whether interfaces can be guarded, what is missing, and what the policy means
///
/// Nothing is changed. Without names, all Ethernet interfaces are looked at. The policy in force is that of the file, else
/// the one under which something is guarded now, else the usual one. Ends with the exit code of the first thing that is
/// missing.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The interfaces to look at
    #[arg(value_name = "INTERFACE")]
    interfaces: Vec<String>,

    /// A policy file to judge by
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// One JSON object a line instead of words
    #[arg(long)]
    json: bool,
}

/// The MTU above which many drivers want programs that can deal with frames in several pieces.
const LARGE_MTU: u32 = 3_498;

impl Args {
    pub(crate) async fn run(&self, output: &mut Output<'_>) -> anyhow::Result<()> {
        let interfaces = Interfaces::read().await?;
        let policy = self.policy(&interfaces).await?;
        let mut findings = Findings::default();
        host(&mut findings);
        for name in self.names(&interfaces) {
            match interfaces.named(name) {
                Ok(interface) => look_at(interface, &interfaces, &mut findings),
                Err(error) => findings.missing(name, error),
            }
        }
        findings.show(self.json, output.data)?;
        policy.show(self.json, output.data)?;
        findings.first_missing().map_or(Ok(()), Err)
    }

    fn names<'n>(&'n self, interfaces: &'n Interfaces) -> Vec<&'n str> {
        if !self.interfaces.is_empty() {
            return self.interfaces.iter().map(String::as_str).collect();
        }
        let can_be = |name: &&str| interfaces.named(name).is_ok_and(|found| found.guardable().is_ok());
        interfaces.names().filter(can_be).collect()
    }

    /// What the rules for judging sources mean, and where they are from.
    async fn policy(&self, interfaces: &Interfaces) -> anyhow::Result<PolicyMeaning> {
        if let Some(path) = &self.policy {
            let rules = of_file(path, interfaces)?;
            return Ok(PolicyMeaning::new(&rules, path.display().to_string()));
        }
        let in_force = pins_in_use().await.and_then(|pins| Maps::open(&pins)?.rules());
        Ok(match in_force {
            Ok(rules) => PolicyMeaning::new(rules.judgement(), "in force now".to_owned()),
            Err(_) => {
                let usual = Preset::default().judgement();
                PolicyMeaning::new(&usual, "the usual one".to_owned())
            }
        })
    }
}

fn of_file(path: &Path, interfaces: &Interfaces) -> Result<Judgement, Error> {
    let config = Config::read(path)?;
    let chosen = Chosen::here(Some((path, &config)), Flags::default(), interfaces)?;
    Ok(chosen.judgement.unwrap_or_else(|| Preset::default().judgement()))
}

/// What holds for all interfaces.
fn host(findings: &mut Findings) {
    let release = kernel::release();
    let version = KernelVersion::current().ok();
    match version.filter(|version| *version < KernelVersion::new(5, 10, 0)) {
        Some(_) => findings.missing("kernel", kernel::lacks("what the program needs")),
        None => findings
            .found("kernel", format!("Linux {release}, second door by {}", Door::of_this_kernel().name())),
    }
    match program::object() {
        Ok(_) => findings.found("program", "built in".to_owned()),
        Err(error) => findings.missing("program", error),
    }
    match privilege::require() {
        Ok(()) => findings.found("privileges", "may load and attach programs".to_owned()),
        Err(error) => findings.failed("privileges", error),
    }
    match bpffs::is_mounted() {
        Ok(true) => findings.found("bpffs", format!("mounted at {BPFFS}")),
        Ok(false) => findings.found("bpffs", format!("not mounted at {BPFFS}: `scanguard attach` does it")),
        Err(error) => findings.failed("bpffs", error),
    }
}

fn look_at(interface: &NetworkInterface, interfaces: &Interfaces, findings: &mut Findings) {
    let name = &interface.name;
    if let Err(error) = interface.guardable() {
        return findings.missing(name, error);
    }
    let guarded = match guarded_now(interfaces) {
        Ok(guarded) => guarded,
        Err(error) => return findings.failed(name, error),
    };
    match refuse_taken(interface, &guarded, interfaces) {
        Ok(()) => findings.found(name, "no XDP program is attached".to_owned()),
        Err(Error::AlreadyGuarded(_)) => findings.found(name, "is guarded".to_owned()),
        Err(error) => findings.missing(name, error),
    }
    let driver = driver::name(name).unwrap_or_else(|| "none, it is virtual".to_owned());
    findings.found(name, format!("driver: {driver}; {}", mode(interface)));
    if let Some(mtu) = driver::mtu(name) {
        findings.found(name, format!("MTU: {mtu} bytes{}", pieces(interface, mtu)));
    }
}

fn mode(interface: &NetworkInterface) -> &'static str {
    match driver::runs_xdp(interface.index) {
        Some(true) => "it runs XDP programs itself (native mode)",
        Some(false) => "it cannot run XDP programs, so generic mode is used, at a higher cost",
        None => "`scanguard attach` finds out whether it runs XDP programs, and uses generic mode where not",
    }
}

/// What it means that packets are so large.
fn pieces(interface: &NetworkInterface, mtu: u32) -> &'static str {
    match driver::runs_xdp_on_pieces(interface.index) {
        _ if mtu <= LARGE_MTU => "",
        Some(true) => "; it runs XDP programs on frames in several pieces (native mode with frags)",
        Some(false) | None => "; where the driver refuses that, generic mode is used",
    }
}

/// What is guarded; nothing as far as this process may not know.
fn guarded_now(interfaces: &Interfaces) -> anyhow::Result<Vec<Guarded>> {
    let pins = Pins::ours();
    if privilege::require().is_err() || !pins.check()? {
        return Ok(Vec::new());
    }
    survey(&pins, interfaces)
}
