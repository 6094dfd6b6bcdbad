//! The commands: one file each, with its arguments and what it does.

pub(crate) mod allow;
pub(crate) mod attach;
pub(crate) mod ban;
pub(crate) mod check;
pub(crate) mod detach;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod sources;
pub(crate) mod stats;
pub(crate) mod status;

mod prefixes;

use crate::error::Error;
use crate::lock::Lock;
use crate::maps::Maps;
use crate::pin::Pins;
use crate::{peers, privilege, spared};

/// The pins of what is guarded now, for a command that works on them.
///
/// # Errors
///
/// [`Error::NothingGuarded`] where there are none.
async fn pins_in_use() -> anyhow::Result<Pins> {
    privilege::require()?;
    let pins = Pins::ours();
    if are_whole(&pins).await? { Ok(pins) } else { Err(Error::NothingGuarded.into()) }
}

/// Whether anything is pinned, for a command that takes no lock: what is half-made may be in the making, so another
/// command that is at work is waited for before that is called broken.
async fn are_whole(pins: &Pins) -> anyhow::Result<bool> {
    match pins.check() {
        Err(error) if is_broken(&error) => {
            let _lock = Lock::take().await?;
            pins.check()
        }
        result => result,
    }
}

fn is_broken(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::BrokenPins { .. }))
}

/// The maps, for a command that shows who is banned. Whom this host depends on is brought up to date before.
async fn current() -> anyhow::Result<Maps> {
    let pins = pins_in_use().await?;
    spared::renew(&pins).await?;
    Maps::open(&pins)
}

/// The maps, for a command that changes something in them while it holds the lock. Whom this host depends on is brought
/// up to date on the way.
async fn change() -> anyhow::Result<(Lock, Maps)> {
    let pins = pins_in_use().await?;
    let lock = Lock::take().await?;
    let mut maps = Maps::open(&pins)?;
    spared::refresh(&mut maps).await?;
    peers::refresh(&mut maps)?;
    Ok((lock, maps))
}
