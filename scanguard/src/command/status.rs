//! `scanguard status`: what is guarded, and whether it still is as it was.

use aya::programs::loaded_programs;
use scanguard_common::policy::{ClosedPorts, Role};
use scanguard_common::schema::SCHEMA;

use super::are_whole;
use crate::clock::rfc3339_seconds;
use crate::config;
use crate::egress::Door;
use crate::guarded::{Guarded, Place, survey};
use crate::health::warning;
use crate::interface::Interfaces;
use crate::maps::Maps;
use crate::output::Output;
use crate::pin::Pins;
use crate::privilege;
use crate::program::INGRESS_IN_PIECES;
use crate::redirected;
use crate::show::Show as _;
use crate::show::rules::HostRules;
use crate::show::status::{InterfaceStatus, Status};
use crate::spared;
use crate::translation;

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
        if !are_whole(&pins).await? {
            output.word("no interface is guarded");
            return Ok(());
        }
        redirected::renew(&pins).await?;
        spared::renew(&pins).await?;
        let maps = Maps::open(&pins)?;
        let all = Interfaces::read().await?;
        let guarded = survey(&pins, &all)?;
        let mut interfaces = Vec::new();
        for entry in &guarded {
            let translation = match &entry.place {
                Place::Here { interface, .. } => translation::survey(interface, &all).await?,
                Place::Elsewhere { .. } | Place::Gone => Vec::new(),
            };
            let translation = translation.iter().map(ToString::to_string).collect();
            interfaces.push(InterfaceStatus { translation, ..describe(entry, &maps, &pins).await? });
        }
        let rules = maps.rules()?;
        let host = HostRules::new(rules.judgement(), &maps.ports()?);
        let status = Status { interfaces, host, allowed: rules.lists()[0], schema: SCHEMA };
        Ok(status.show(self.json, output.data)?)
    }
}

async fn describe(entry: &Guarded, maps: &Maps, pins: &Pins) -> anyhow::Result<InterfaceStatus> {
    let (index, mode) = match &entry.place {
        Place::Here { interface, mode } => (Some(interface.index), Some(*mode)),
        Place::Elsewhere { index } => (Some(*index), None),
        Place::Gone => (None, None),
    };
    let here = mode.is_some().then(|| maps.interface(entry.slot)).transpose()?;
    // It was loaded immediately before it was attached.
    let program = loaded_programs().filter_map(Result::ok).find(|info| info.id() == entry.program);
    Ok(InterfaceStatus {
        interface: entry.label(),
        index,
        mode,
        frags: program.as_ref().is_some_and(|program| program.name_as_str() == Some(INGRESS_IN_PIECES)),
        egress: second_door(entry, pins).await?,
        program: entry.program,
        since: program.and_then(|program| Some(rfc3339_seconds(program.loaded_at()?))),
        closed_ports: closed_ports(entry, maps)?,
        ping: here.map(|interface| config::name_of(interface.ping())),
        role: here.map(|interface| name_of(interface.role())),
        translation: Vec::new(),
        warning: warning(entry, maps, pins).await?,
    })
}

/// How the second door is attached, if it still is.
async fn second_door(entry: &Guarded, pins: &Pins) -> anyhow::Result<Option<&'static str>> {
    let Place::Here { interface, .. } = &entry.place else { return Ok(None) };
    let door = Door::of_this_kernel();
    Ok(door.is_attached(interface, &pins.egress(entry.slot)).await?.then(|| door.name()))
}

/// At which door closed ports are silenced, and why there.
fn closed_ports(entry: &Guarded, maps: &Maps) -> anyhow::Result<Option<&'static str>> {
    let Place::Here { .. } = &entry.place else { return Ok(None) };
    let interface = maps.interface(entry.slot)?;
    Ok(Some(match interface.policy().closed_ports {
        ClosedPorts::Auto if interface.is_redirected() => {
            "silenced at egress (auto: ports are redirected here)"
        }
        ClosedPorts::Auto => "silenced at both doors (auto: no port is redirected here)",
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
