//! The kernel's verifier accepts the program, with and without the program's own messages.

use anyhow::{Context, Result};
use scanguard::program::{Constants, load_apart};
use scanguard_common::schema::InterfaceSlot;

/// aya-log's levels: none of the messages, and all of them.
const LEVELS: [u8; 2] = [0, 5];

#[test]
fn the_verifier_accepts_the_program() -> Result<()> {
    let slot = InterfaceSlot::all().last().context("there are slots")?;
    for log_level in LEVELS {
        load_apart(Constants { slot, seed: 1, log_level })
            .with_context(|| format!("with messages of level {log_level}"))?;
    }
    Ok(())
}
