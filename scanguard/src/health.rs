//! Whether what is guarded still is as it was, and what the operator should know where it is not.

use crate::egress::Door;
use crate::guarded::{Guarded, Place};
use crate::interface::{MacText, NetworkInterface};
use crate::maps::Maps;
use crate::pin::Pins;

/// What is wrong with one pinned link, and the remedy; `None` where all is well.
pub(crate) async fn warning(entry: &Guarded, maps: &Maps, pins: &Pins) -> anyhow::Result<Option<String>> {
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
    if let Some(changed) = changed_address(entry, interface, maps)? {
        return Ok(Some(changed));
    }
    if Door::of_this_kernel().is_attached(interface, &pins.egress(entry.slot)).await? {
        return Ok(None);
    }
    Ok(Some(format!(
        "its second door was taken away, so refusals that leave are not silenced; {}",
        remedy(&interface.name)
    )))
}

/// The program judges frames for the address that the interface had, and no others.
fn changed_address(
    entry: &Guarded,
    interface: &NetworkInterface,
    maps: &Maps,
) -> anyhow::Result<Option<String>> {
    let known = maps.interface(entry.slot)?.mac();
    if interface.mac == Some(known) {
        return Ok(None);
    }
    let now = interface.mac.map_or_else(|| "none".into(), |mac| MacText(mac).to_string());
    Ok(Some(format!(
        "its address changed from {} to {now}, so what comes in is not judged; {}",
        MacText(known),
        remedy(&interface.name)
    )))
}

fn remedy(name: &str) -> String {
    format!("`scanguard detach {name}` and `scanguard attach {name}` make it whole")
}
