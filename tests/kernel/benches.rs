//! What the benchmarks measure is what they say: every frame goes the path that it is to go.

use anyhow::Result;
use scanguard_benches::{clients, lists, paths};

/// Few, because nothing is measured here.
const REPETITIONS: usize = 2;
const RUNS: u32 = 64;

#[test]
fn every_path_that_is_measured_ends_as_it_is_said_to() -> Result<()> {
    print!("{}", paths::measure(REPETITIONS, RUNS)?);
    Ok(())
}

#[test]
fn paths_with_longer_lists_end_in_the_same_way() -> Result<()> {
    print!("{}", lists::measure(&[1_000], REPETITIONS, RUNS)?);
    Ok(())
}

#[test]
fn floods_beside_clients_are_what_they_are_called() -> Result<()> {
    clients::check_floods()
}
