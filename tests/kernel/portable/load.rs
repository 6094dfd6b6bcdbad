//! The kernel's verifier accepts the program, with and without the program's own messages.

use anyhow::{Context, Result, ensure};
use scanguard::program::{Constants, load_apart, load_for_pieces};
use scanguard_common::schema::InterfaceSlot;

use super::jumbo::knows_pieces;

/// aya-log's levels: none of the messages, and all of them.
const LEVELS: [u8; 2] = [0, 5];

#[test]
fn the_verifier_accepts_the_program() -> Result<()> {
    let slot = InterfaceSlot::all().last().context("there are slots")?;
    for log_level in LEVELS {
        let level = || format!("with messages of level {log_level}");
        let mut ebpf = load_apart(Constants { slot, seed: 1, log_level }).with_context(level)?;
        let pieces = load_for_pieces(&mut ebpf).with_context(level)?;
        ensure!(pieces == knows_pieces()?, "frames in pieces: {pieces}");
    }
    Ok(())
}
