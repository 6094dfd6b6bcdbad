//! The commands: one file each, with its arguments and what it does.

pub(crate) mod allow;
pub(crate) mod attach;
pub(crate) mod detach;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod stats;
pub(crate) mod status;

use crate::error::Error;
use crate::pin::Pins;
use crate::privilege;

/// The pins of what is guarded now, for a command that works on them.
///
/// # Errors
///
/// [`Error::NothingGuarded`] where there are none.
fn pins_in_use() -> anyhow::Result<Pins> {
    privilege::require()?;
    let pins = Pins::ours();
    if pins.check()? { Ok(pins) } else { Err(Error::NothingGuarded.into()) }
}
