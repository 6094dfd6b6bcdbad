//! From a fresh checkout to the demo.

use std::env;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::root::Root;
use crate::setup::Extent;
use crate::{demo, setup, shell, toolchain};

/// Sets up, builds scanguard as it is released, and runs the demo with it, as root if that can be had.
pub(crate) fn run() -> Result<ExitCode> {
    let root = Root::find();
    setup::as_far_as_possible(Extent::Everyday);
    let mut build = shell::cargo(["build", "--release", "--package", "scanguard"]);
    if let (Err(_), Err(reason)) = (&root, toolchain::find()) {
        // Nothing will be loaded, so the rest does without.
        println!("the program for the kernel is not built: {reason}");
        build.env(toolchain::SKIP, "1");
    }
    shell::run(&mut build)?;
    let scanguard = shell::built("release")?.join("scanguard");
    match root {
        Err(reason) => demo::run_as_far_as_permitted(&scanguard, Some(&reason)),
        Ok(Root::Already) => demo::run(&scanguard),
        Ok(root @ Root::Sudo) => {
            let xtask = env::current_exe().context("asking where this program is")?;
            let words = [&xtask, &scanguard].map(|path| path.to_string_lossy().into_owned());
            let mut again = root.command([words[0].as_str(), "demo", "--scanguard", &words[1]]);
            println!("$ {}", shell::show(&again));
            let status = again.stdin(Stdio::inherit()).status().context("starting sudo")?;
            Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}
