//! Whether ports may be redirected here, kept current where the programs read it: `closed_ports = auto` depends on it.

use scanguard_common::schema::InterfaceSlot;

use crate::guarded::{Place, survey};
use crate::interface::{Interfaces, NetworkInterface};
use crate::lock::Lock;
use crate::maps::Maps;
use crate::pin::Pins;
use crate::translation::{self, Reason};

/// Whether anything was found that may redirect what comes in by this interface, depending on who sends it.
pub(crate) async fn is_so(interface: &NetworkInterface, all: &Interfaces) -> anyhow::Result<bool> {
    Ok(translation::survey(interface, all).await?.iter().any(Reason::depends_on_source))
}

/// Looks at every guarded interface, and tells its program if that has changed: those where it has.
pub(crate) async fn renew(pins: &Pins) -> anyhow::Result<Vec<(String, bool)>> {
    let changes = changes(pins).await?;
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let _lock = Lock::take().await?;
    let mut maps = Maps::open(pins)?;
    let mut told = Vec::new();
    for (slot, name, redirected) in changes {
        let record = maps.interface(slot)?;
        // It may have been given back while the lock was waited for.
        if record.index().is_some() {
            maps.set_interface(slot, record.where_ports_are_redirected(redirected))?;
            told.push((name, redirected));
        }
    }
    Ok(told)
}

async fn changes(pins: &Pins) -> anyhow::Result<Vec<(InterfaceSlot, String, bool)>> {
    let interfaces = Interfaces::read().await?;
    let maps = Maps::open(pins)?;
    let mut changes = Vec::new();
    for entry in survey(pins, &interfaces)? {
        let Place::Here { interface, .. } = &entry.place else { continue };
        let redirected = is_so(interface, &interfaces).await?;
        if maps.interface(entry.slot)?.is_redirected() != redirected {
            changes.push((entry.slot, interface.name.clone(), redirected));
        }
    }
    Ok(changes)
}
