//! Checks everything that is not a test: formatting, lints, documentation. All of it, before it says what failed.

use std::io::{Write, stdout};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, anyhow};

use crate::setup::Extent;
use crate::toolchain::{self, Toolchain};
use crate::{setup, shell};

/// Runs every check, a line each, and closes with those that failed.
pub(crate) fn run() -> Result<ExitCode> {
    setup::as_far_as_possible(Extent::Everyday);
    let toolchain = toolchain::find().map_err(|reason| anyhow!(reason))?;
    let mut failed = Vec::new();
    for (name, mut command) in checks(&toolchain) {
        if !passes(name, &mut command)? {
            failed.push(name);
        }
    }
    if failed.is_empty() {
        println!("ci: all checks passed");
        return Ok(ExitCode::SUCCESS);
    }
    println!("ci: failed: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

fn checks(toolchain: &Toolchain) -> [(&'static str, Command); 5] {
    [
        ("formatting", shell::cargo(["fmt", "--all", "--check"])),
        ("lints", lints(for_this_machine("clippy"))),
        ("lints of the kernel's part", lints(for_the_kernel("clippy", toolchain))),
        ("documentation", documentation(for_this_machine("doc"))),
        ("documentation of the kernel's part", documentation(for_the_kernel("doc", toolchain))),
    ]
}

fn for_this_machine(action: &str) -> Command {
    shell::cargo([action, "--quiet", "--workspace", "--exclude", "scanguard-ebpf", "--all-features"])
}

fn for_the_kernel(action: &str, toolchain: &Toolchain) -> Command {
    let mut command = toolchain::command(toolchain.name.as_deref(), "cargo");
    command.current_dir(shell::checkout());
    command.args([action, "--quiet", "--package", "scanguard-ebpf", "--target", toolchain::TARGET]);
    if toolchain.builds_core() {
        command.args(["-Z", "build-std=core"]);
    }
    if let Some(bootstrap) = toolchain.bootstrap() {
        command.env("RUSTC_BOOTSTRAP", bootstrap);
    }
    command
}

fn lints(mut command: Command) -> Command {
    command.args(["--all-targets", "--", "--deny", "warnings"]);
    command
}

fn documentation(mut command: Command) -> Command {
    command.env(toolchain::SKIP, "1"); // nobody reads the program here, and building it takes a while
    command.env("RUSTDOCFLAGS", "--deny warnings").args(["--no-deps", "--document-private-items"]);
    command
}

/// Runs a check and shows what it printed only if it fails.
fn passes(name: &str, command: &mut Command) -> Result<bool> {
    let line = shell::show(command);
    let start = Instant::now();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("starting `{line}`"))?;
    let seconds = start.elapsed().as_secs_f32();
    if output.status.success() {
        println!("{name}: ok ({seconds:.1} s)");
    } else {
        println!("{name}: failed ({seconds:.1} s): {line}");
        stdout().write_all(&output.stdout).and_then(|()| stdout().write_all(&output.stderr))?;
    }
    Ok(output.status.success())
}
