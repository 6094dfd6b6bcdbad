//! Brings what is missing: a compiler for BPF, its linker, the tools that the demo and the tests run.

mod plan;
mod survey;
mod tools;

use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use crate::root::Root;
use crate::setup::plan::{NIGHTLY, Step, plan};
use crate::setup::survey::{DEBIAN, Survey};
pub(crate) use crate::setup::tools::Extent;
use crate::{shell, toolchain};

/// Says what is missing and what will be done about it, then does it, unless this is a dry run.
pub(crate) fn run(extent: Extent, dry_run: bool) -> Result<()> {
    let survey = Survey::take(extent);
    describe(&survey);
    if let Err(reason) = &survey.compiler
        && survey.wanted.as_ref().is_some_and(|name| name != DEBIAN)
    {
        bail!("{reason}; name another toolchain or unset the variable");
    }
    if !survey.apt {
        return advise(&survey);
    }
    let steps = plan(&survey);
    if steps.is_empty() {
        println!("set-up: nothing to do");
        return Ok(());
    }
    announce(&steps);
    if dry_run { Ok(()) } else { perform(&steps) }
}

/// Sets up, and goes on with what there is where that is not possible.
pub(crate) fn as_far_as_possible(extent: Extent) {
    if let Err(error) = run(extent, false) {
        eprintln!("set-up is incomplete, going on with what there is: {error:#}");
    }
}

fn describe(survey: &Survey) {
    let compiler = survey.compiler.as_ref().map_or("missing", |compiler| &compiler.description);
    println!("compiler for BPF: {compiler}");
    println!("linker for BPF: {}", if survey.linker { "bpf-linker" } else { "missing" });
    for tool in &survey.missing_tools {
        println!("{}, for {}: missing", tool.program, tool.purpose);
    }
}

fn announce(steps: &[Step]) {
    println!("set-up will");
    for step in steps {
        let rights = if step.as_root { ", as root" } else { "" };
        println!("- {}{rights}: {}", step.purpose, step.words.join(" "));
    }
}

fn perform(steps: &[Step]) -> Result<()> {
    for step in steps {
        shell::run(&mut command(step)?).with_context(|| match &step.otherwise {
            Some(way) => format!("set-up could not {} (another way: {way})", step.purpose),
            None => format!("set-up could not {}", step.purpose),
        })?;
    }
    let toolchain = toolchain::find()
        .map_err(|reason| anyhow!("{reason}, which did not help; is cargo's bin folder on PATH?"))?;
    println!("set-up: done; building for the kernel with {toolchain}");
    Ok(())
}

fn command(step: &Step) -> Result<Command> {
    let words = step.words.iter().map(String::as_str);
    if !step.as_root {
        return Ok(shell::command(words));
    }
    match Root::find() {
        Ok(root) => Ok(root.command(words)),
        Err(reason) => bail!("{reason}: run the commands above that say `as root` yourself, then this again"),
    }
}

/// Where there is no apt-get, the packages' names are not ours to know.
fn advise(survey: &Survey) -> Result<()> {
    let mut remedies = Vec::new();
    if survey.compiler.is_err() {
        remedies.push(NIGHTLY.to_owned());
    }
    if !survey.linker {
        remedies.push(
            "cargo install bpf-linker --no-default-features --features llvm-N, where N is the compiler's LLVM \
             version (`rustc +nightly -vV`) and LLVM N's development files are installed; or cargo binstall bpf-linker"
                .to_owned(),
        );
    }
    if !survey.missing_tools.is_empty() {
        let programs: Vec<&str> = survey.missing_tools.iter().map(|tool| tool.program).collect();
        remedies.push(format!("install with your package manager: {}", programs.join(" ")));
    }
    if remedies.is_empty() {
        println!("set-up: nothing to do");
        return Ok(());
    }
    bail!("this is no Debian, so these are yours to do:\n- {}", remedies.join("\n- "))
}
