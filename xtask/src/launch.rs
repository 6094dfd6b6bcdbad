//! From a fresh checkout to the demo.

use std::env;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, anyhow};

use crate::root::Root;
use crate::setup::Extent;
use crate::{demo, setup, shell};

/// Sets up, builds scanguard as it is released, and runs the demo with it, as root.
pub(crate) fn run() -> Result<ExitCode> {
    let root = Root::find().map_err(|reason| anyhow!("the demo needs root: {reason}"))?;
    setup::as_far_as_possible(Extent::Everyday);
    shell::run(&mut shell::cargo(["build", "--release", "--package", "scanguard"]))?;
    let scanguard = shell::built("release")?.join("scanguard");
    match root {
        Root::Already => demo::run(&scanguard),
        Root::Sudo => {
            let xtask = env::current_exe().context("asking where this program is")?;
            let words = [&xtask, &scanguard].map(|path| path.to_string_lossy().into_owned());
            let mut again = root.command([words[0].as_str(), "demo", "--scanguard", &words[1]]);
            println!("$ {}", shell::show(&again));
            let status = again.stdin(Stdio::inherit()).status().context("starting sudo")?;
            Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}
