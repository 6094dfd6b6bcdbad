//! The programs stay within their budget: a ratchet, not a measurement of speed.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd as _;

use anyhow::{Context, Result, ensure};
use aya::Ebpf;
use aya::programs::{ProgramInfo, SchedClassifier, Xdp};
use scanguard::program::{
    Constants, EGRESS, INGRESS, INGRESS_IN_PIECES, load_apart, load_for_pieces, object,
};
use scanguard_benches::footprint::map_memory;
use scanguard_benches::{kernel, stack};
use scanguard_common::schema::InterfaceSlot;

const BUDGET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/budget.toml");

#[test]
fn the_programs_and_their_maps_stay_within_their_budget() -> Result<()> {
    let text = fs::read_to_string(BUDGET).with_context(|| format!("reading {BUDGET}"))?;
    let budget: BTreeMap<String, BTreeMap<String, u64>> =
        toml::from_str(&text).context("reading the budget")?;
    let slot = InterfaceSlot::new(0).context("the first slot")?;
    let mut ebpf = load_apart(Constants { slot, seed: 1, log_level: 0 })?;

    let mut spent = BTreeMap::from([
        ("maps.mebibytes".to_owned(), map_memory(&ebpf)?.div_ceil(1 << 20)),
        ("object.kibibytes".to_owned(), (object()?.len() as u64).div_ceil(1 << 10)),
    ]);
    ensure!(load_for_pieces(&mut ebpf)?, "this kernel knows no frames in pieces");
    for name in [INGRESS, INGRESS_IN_PIECES, EGRESS] {
        let info = info(&mut ebpf, name)?;
        let verified = info.verified_instruction_count().context("the kernel does not count instructions")?;
        let translated = info.size_translated().context("the kernel does not tell the size")?;
        spent.insert(format!("{name}.verified_instructions"), verified.into());
        spent.insert(format!("{name}.translated_bytes"), translated.into());
        let instructions = kernel::translated(info.fd()?.as_fd())?;
        spent.insert(format!("{name}.stack_bytes"), stack::deepest(&instructions)?);
    }
    println!("{spent:#?}");
    for (part, limits) in &budget {
        for (what, limit) in limits {
            let name = format!("{part}.{what}");
            let spent = spent.remove(&name).with_context(|| format!("{name}: nothing to measure"))?;
            ensure!(spent <= *limit, "{name}: {spent} is over the budget of {limit}");
        }
    }
    ensure!(spent.is_empty(), "no budget for {spent:?}");
    Ok(())
}

fn info(ebpf: &mut Ebpf, name: &str) -> Result<ProgramInfo> {
    let program = ebpf.program_mut(name).with_context(|| format!("no program {name}"))?;
    if name != EGRESS {
        let program: &mut Xdp = program.try_into()?;
        return Ok(program.info()?);
    }
    let program: &mut SchedClassifier = program.try_into()?;
    Ok(program.info()?)
}
