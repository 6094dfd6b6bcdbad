//! What is guarded now. Nobody keeps a list: the pinned links and the interfaces are asked.

use anyhow::Context as _;
use aya::programs::links::PinnedLink;
use scanguard_common::schema::InterfaceSlot;

use crate::interface::{Interfaces, Mode, NetworkInterface};
use crate::open_link::OpenLink;
use crate::pin::Pins;

/// One pinned link.
#[derive(Clone, Debug)]
pub(crate) struct Guarded {
    /// Where it stands in all tables.
    pub(crate) slot: InterfaceSlot,
    /// The kernel's number for its program.
    pub(crate) program: u32,
    /// Where that program is attached.
    pub(crate) place: Place,
}

/// Where a program is attached.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// To an interface of this network namespace.
    Here {
        /// Which.
        interface: NetworkInterface,
        /// How.
        mode: Mode,
    },
    /// To an interface of another network namespace.
    Elsewhere {
        /// Its number there.
        index: u32,
    },
    /// Nowhere any more: the interface was deleted, or somebody detached the link by force.
    Gone,
}

impl Guarded {
    /// What to call it: the interface's name where it has one here.
    pub(crate) fn label(&self) -> String {
        match &self.place {
            Place::Here { interface, .. } => interface.name.clone(),
            Place::Elsewhere { index } => format!("(index {index} elsewhere)"),
            Place::Gone => format!("(slot {}, gone)", self.slot.number()),
        }
    }

    /// Whether this is the interface with this number, here.
    pub(crate) fn is(&self, index: u32) -> bool {
        match &self.place {
            Place::Here { interface, .. } => interface.index == index,
            Place::Elsewhere { .. } | Place::Gone => false,
        }
    }

    /// Whether nothing is guarded by it any more.
    pub(crate) fn is_stale(&self) -> bool {
        match self.place {
            Place::Gone => true,
            Place::Here { .. } | Place::Elsewhere { .. } => false,
        }
    }
}

/// Looks at every pinned link.
pub(crate) fn survey(pins: &Pins, interfaces: &Interfaces) -> anyhow::Result<Vec<Guarded>> {
    pins.slots()?.into_iter().map(|slot| look(pins, slot, interfaces)).collect()
}

/// A program is loaded for each interface, so its number tells which one: that holds when the interface is
/// renamed, and when its index is used again for another.
fn look(pins: &Pins, slot: InterfaceSlot, interfaces: &Interfaces) -> anyhow::Result<Guarded> {
    let path = pins.link(slot);
    let link = PinnedLink::from_pin(&path).map(aya::programs::links::FdLink::from);
    let link = link.with_context(|| format!("opening {}", path.display()))?;
    let info = link.info().with_context(|| format!("asking about {}", path.display()))?;
    let program = info.program_id();
    let index = OpenLink::of_id(info.id())?.and_then(|open| open.index());
    let place = match (interfaces.running(program), index) {
        (Some((interface, mode)), _) => Place::Here { interface: interface.clone(), mode },
        (None, Some(index)) => Place::Elsewhere { index },
        (None, None) => Place::Gone,
    };
    Ok(Guarded { slot, program, place })
}
