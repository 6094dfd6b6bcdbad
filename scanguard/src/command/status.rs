//! `scanguard status`: what is guarded, and whether it still is as it was.

use aya::programs::loaded_programs;
use scanguard_common::policy::ClosedPorts;
use scanguard_common::schema::SCHEMA;

use crate::clock::rfc3339_seconds;
use crate::egress::Door;
use crate::guarded::{Guarded, Place, survey};
use crate::interface::{Interfaces, MacText};
use crate::maps::Maps;
use crate::output::Output;
use crate::pin::Pins;
use crate::privilege;
use crate::show::Show as _;
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
        let status = Status { interfaces, allowed: maps.rules()?.lists()[0], schema: SCHEMA };
        Ok(status.show(self.json, output.data)?)
    }
}

fn describe(entry: &Guarded, maps: &Maps) -> anyhow::Result<InterfaceStatus> {
    let (index, mode) = match &entry.place {
        Place::Here { interface, mode } => (Some(interface.index), Some(*mode)),
        Place::Elsewhere { index } => (Some(*index), None),
        Place::Gone => (None, None),
    };
    Ok(InterfaceStatus {
        interface: entry.label(),
        index,
        mode,
        egress: mode.map(|_| Door::of_this_kernel().name()),
        program: entry.program,
        since: loaded_at(entry.program),
        closed_ports: closed_ports(entry, maps)?,
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
    let Place::Here { .. } = &entry.place else { return Ok(None) };
    let interface = maps.interface(entry.slot)?;
    Ok(Some(match interface.policy().closed_ports {
        ClosedPorts::Auto if interface.is_redirected() => {
            "silenced at egress (auto: something here may redirect ports)"
        }
        ClosedPorts::Auto => "silenced at both doors (auto: nothing here redirects ports)",
        ClosedPorts::Ingress => "silenced at ingress",
        ClosedPorts::Egress => "silenced at egress",
        ClosedPorts::Pass => "not silenced",
    }))
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
