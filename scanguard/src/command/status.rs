//! `scanguard status`: what is guarded, and whether it still is as it was.

use aya::programs::loaded_programs;
use scanguard_common::policy::{ClosedPorts, Role};
use scanguard_common::schema::SCHEMA;

use crate::clock::rfc3339_seconds;
use crate::config;
use crate::egress::Door;
use crate::guarded::{Guarded, Place, survey};
use crate::interface::{Interfaces, MacText};
use crate::maps::Maps;
use crate::output::Output;
use crate::pin::Pins;
use crate::privilege;
use crate::show::Show as _;
use crate::show::rules::HostRules;
use crate::show::status::{InterfaceStatus, Status};

/// Show which interfaces are guarded
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One JSON object a line instead of a table
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) async fn run(&self, output: &mut Output<'_>) -> anyhow::Result<()> {
        privilege::require()?;
        let pins = Pins::ours();
        if !pins.check()? {
            return output.word(format_args!("no interface is guarded"));
        }
        let maps = Maps::open(&pins)?;
        let guarded = survey(&pins, &Interfaces::read().await?)?;
        let interfaces = guarded.iter().map(|entry| describe(entry, &maps)).collect::<anyhow::Result<_>>()?;
        let rules = maps.rules()?;
        let host = HostRules::new(rules.judgement(), &maps.ports()?);
        let status = Status { interfaces, host, allowed: rules.lists()[0], schema: SCHEMA };
        Ok(status.show(self.json, output.data)?)
    }
}

fn describe(entry: &Guarded, maps: &Maps) -> anyhow::Result<InterfaceStatus> {
    let (index, mode) = match &entry.place {
        Place::Here { interface, mode } => (Some(interface.index), Some(*mode)),
        Place::Elsewhere { index } => (Some(*index), None),
        Place::Gone => (None, None),
    };
    let here = mode.is_some().then(|| maps.interface(entry.slot)).transpose()?;
    Ok(InterfaceStatus {
        interface: entry.label(),
        index,
        mode,
        egress: mode.map(|_| Door::of_this_kernel().name()),
        program: entry.program,
        since: loaded_at(entry.program),
        closed_ports: closed_ports(entry, maps)?,
        ping: here.map(|interface| config::name_of(interface.ping())),
        role: here.map(|interface| name_of(interface.role())),
        warning: warning(entry, maps)?,
    })
}

/// When the program was loaded: immediately before it was attached.
fn loaded_at(program: u32) -> Option<String> {
    let info = loaded_programs().filter_map(Result::ok).find(|info| info.id() == program)?;
    Some(rfc3339_seconds(info.loaded_at()?))
}

/// At which door closed ports are silenced, and why there.
fn closed_ports(entry: &Guarded, maps: &Maps) -> anyhow::Result<Option<&'static str>> {
    let Place::Here { interface, .. } = &entry.place else { return Ok(None) };
    let forwards = || ["ipv4", "ipv6"].into_iter().any(|family| forwards(family, &interface.name));
    Ok(Some(match maps.interface(entry.slot)?.policy().closed_ports {
        ClosedPorts::Auto if forwards() => "silenced at egress (auto: the interface forwards)",
        ClosedPorts::Auto => "silenced at ingress (auto: the interface does not forward)",
        ClosedPorts::Ingress => "silenced at ingress",
        ClosedPorts::Egress => "silenced at egress",
        ClosedPorts::Pass => "not silenced",
    }))
}

fn name_of(role: Role) -> &'static str {
    match role {
        Role::Host => "host",
        Role::Gateway => "gateway",
    }
}

/// Whether the kernel forwards what comes in by the interface: the program asks it for each packet.
fn forwards(family: &str, interface: &str) -> bool {
    let setting = format!("/proc/sys/net/{family}/conf/{interface}/forwarding");
    std::fs::read_to_string(setting).is_ok_and(|value| value.trim() != "0")
}

fn warning(entry: &Guarded, maps: &Maps) -> anyhow::Result<Option<String>> {
    let interface = match &entry.place {
        Place::Here { interface, .. } => interface,
        Place::Elsewhere { .. } => {
            return Ok(Some("is in another network namespace, where it is still guarded".into()));
        }
        Place::Gone => {
            return Ok(Some(
                "its interface was deleted; `scanguard detach --all` or the next attach cleans up".into(),
            ));
        }
    };
    let known = maps.interface(entry.slot)?.mac();
    if interface.mac == Some(known) {
        return Ok(None);
    }
    let name = &interface.name;
    let now = interface.mac.map_or_else(|| "none".into(), |mac| MacText(mac).to_string());
    Ok(Some(format!(
        "its address changed from {} to {now}, so it is not protected; `scanguard detach {name}` and \
         `scanguard attach {name}` make it so",
        MacText(known)
    )))
}
