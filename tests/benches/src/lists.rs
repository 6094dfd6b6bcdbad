//! What paths cost with an allowlist of any length.

use std::net::IpAddr;
use std::os::fd::AsFd;

use anyhow::{Context, Result, bail, ensure};
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Map, MapData};
use scanguard_common::cause::Cause;
use scanguard_common::key::Address;
use scanguard_common::schema::MAX_PREFIXES;
use scanguard_harness::Random;

use crate::bare::{Fronted, XDP_DROP, looks_up};
use crate::ground::{Family, Ground, Programs};
use crate::kernel::{Program, run};
use crate::machine;
use crate::paths::{Bench, Path, Shape, list};
use crate::row::{Goal, Judged, Row, Section, Unit};
use crate::sample::Pairs;

/// How the benchmark is called.
pub const NAME: &str = "lists";

/// How long the allowlist is.
pub const LENGTHS: [u32; 4] = [1, 1_000, 100_000, 1_000_000];

/// The paths that are measured: one that never asks for the list, one that asks for the same source each time, and one
/// that asks for another each time.
const CAUSES: [Cause; 3] = [Cause::InConnection, Cause::TcpXmas, Cause::ClosedPort];

/// How much dearer a path may become that does not ask, and how many nanoseconds more than the bare look-up one that
/// does: what two measurements of the same differ by.
const UNCHANGED: Goal = Goal::AtMost(1.05);
const NO_WORSE: Goal = Goal::AtMost(10.0);

/// Measures some paths so many times with lists of these lengths, the shortest first, in turn.
///
/// # Errors
///
/// Fails where a frame does not go the path that is measured.
pub fn measure(lengths: &[u32], repetitions: usize, runs: u32) -> Result<Section> {
    let strangers = repetitions as u64 * u64::from(runs) * lengths.len() as u64;
    ensure!(strangers < ALLOWED_FROM.into(), "{strangers} strangers are more than there are");
    let ground = Ground::prepare()?;
    let mut loaded = Vec::new();
    for &length in lengths {
        let mut programs = ground.lab.guarded.within(Programs::load)?;
        fill(&mut programs, length)?;
        loaded.push(programs);
    }
    let wanted =
        |path: &Path| path.shape == Shape::PLAIN && path.cause.is_some_and(|cause| CAUSES.contains(&cause));
    let mut paths: Vec<Path> = list(&ground)?.into_iter().filter(wanted).collect();
    let mut table = Table::new(paths.len(), lengths);
    ground.lab.guarded.within(|| {
        machine::stay_on(machine::RECEIVER)?;
        let benches = loaded.iter().map(Subject::new).collect::<Result<Vec<_>>>()?;
        for _ in 0..repetitions {
            for (number, path) in paths.iter_mut().enumerate() {
                let costs = benches.iter().map(|bench| bench.cost(path, runs)).collect::<Result<Vec<_>>>()?;
                table.push(number, &costs);
            }
        }
        Ok::<_, anyhow::Error>(())
    })?;
    table.into_section(&paths)
}

/// Strangers with a number from here on are allowed, those before are the ones that come: so the two are as near to each
/// other in the list as can be, and never the same.
const ALLOWED_FROM: u32 = 1 << 23;

/// An entry without an end, as it lies in map memory: see `Listed` of the schema.
const FOR_GOOD: [u32; 16] = {
    let mut words = [0; 16];
    words[1] = u32::MAX;
    words
};

/// Allows so many strangers, chosen at random.
fn fill(programs: &mut Programs, length: u32) -> Result<()> {
    programs.judge_with_allowed(length)?;
    let map = programs.ebpf.map_mut("ALLOWED").context("ALLOWED")?;
    let mut allowed: LpmTrie<&mut MapData, [u32; 4], [u32; 16]> = map.try_into()?;
    let mut random = Random::seeded(u64::from(length));
    for _ in 0..length {
        let number = ALLOWED_FROM + u32::from_le_bytes([random.byte(), random.byte(), random.byte() >> 1, 0]);
        let IpAddr::V4(address) = Family::V4.stranger(number.wrapping_mul(Fronted::STEP)) else { continue };
        allowed.insert(&Key::new(128, Address::v4(address.octets()).words()), FOR_GOOD, 0)?;
    }
    Ok(())
}

/// The programs with a list of one length, and nothing but a look-up in it.
struct Subject<'a> {
    bench: Bench<'a>,
    look_up: Program,
    fronted_look_up: Fronted,
}

/// Nanoseconds of a path, and of the bare look-up for the same frames.
#[derive(Clone, Copy)]
struct Cost {
    path: f64,
    look_up: f64,
}

impl<'a> Subject<'a> {
    fn new(programs: &'a Programs) -> Result<Subject<'a>> {
        let Map::LpmTrie(map) = programs.ebpf.map("ALLOWED").context("ALLOWED")? else {
            bail!("the allowlist is of another kind");
        };
        let offset = Shape::PLAIN.stranger_offset();
        let look_up = looks_up(map.fd().as_fd(), offset)?;
        let fronted_look_up = Fronted::before(look_up.as_fd(), offset)?;
        Ok(Subject { bench: Bench::new(programs)?, look_up, fronted_look_up })
    }

    fn cost(&self, path: &mut Path, runs: u32) -> Result<Cost> {
        let program = if path.is_first_contact { self.fronted_look_up.as_fd() } else { self.look_up.as_fd() };
        let look_up = run(program, &path.frame(), runs)?;
        ensure!(look_up.action == XDP_DROP.cast_unsigned(), "the bare look-up failed");
        let (_, path) = self.bench.compare(path, runs)?;
        Ok(Cost { path, look_up: look_up.nanos })
    }
}

/// Writes a number with its thousands apart.
fn grouped(number: u32) -> String {
    if number < 1_000 {
        number.to_string()
    } else {
        format!("{} {:03}", grouped(number / 1_000), number % 1_000)
    }
}

/// What was measured: for each path, and each length but the shortest.
struct Table<'a> {
    lengths: &'a [u32],
    /// What the path costs, beside the same with the shortest list.
    costs: Vec<Vec<Pairs>>,
    /// By how much the path grew, beside by how much the look-up did.
    growths: Vec<Vec<Pairs>>,
}

impl<'a> Table<'a> {
    fn new(paths: usize, lengths: &'a [u32]) -> Table<'a> {
        let empty = || vec![vec![Pairs::default(); lengths.len().saturating_sub(1)]; paths];
        Table { lengths, costs: empty(), growths: empty() }
    }

    fn push(&mut self, path: usize, costs: &[Cost]) {
        let Some((shortest, longer)) = costs.split_first() else { return };
        let places = self.costs.get_mut(path).into_iter().flatten();
        let places = places.zip(self.growths.get_mut(path).into_iter().flatten());
        for (cost, (beside, growth)) in longer.iter().zip(places) {
            beside.push(shortest.path, cost.path);
            growth.push(cost.look_up - shortest.look_up, cost.path - shortest.path);
        }
    }

    fn into_section(self, paths: &[Path]) -> Result<Section> {
        let mut rows = Vec::new();
        for ((path, costs), growths) in paths.iter().zip(&self.costs).zip(&self.growths) {
            for ((length, cost), growth) in self.lengths.iter().skip(1).zip(costs).zip(growths) {
                let name = format!("{}, {} allowed", path.name(), grouped(*length));
                rows.push(match path.cause {
                    Some(Cause::InConnection) => {
                        Row::compared(&name, Unit::Nanos, "1 allowed", cost, Judged::Ratio, UNCHANGED)?
                    }
                    _ => {
                        Row::compared(&name, Unit::Nanos, "1 allowed", cost, Judged::Difference, Goal::None)?
                    }
                });
                if path.cause != Some(Cause::InConnection) {
                    let name = format!("{name}: growth");
                    let base = "growth of the bare look-up";
                    rows.push(Row::compared(&name, Unit::Nanos, base, growth, Judged::Difference, NO_WORSE)?);
                }
            }
        }
        let about = "The same paths with an allowlist of other lengths, filled at random with neighbours of the first contacts' sources, beside \
            the same path with one entry. *Growth* is how much dearer a path became, beside how much dearer a bare \
            program became that does nothing but look the same sources up in the same list.";
        let note = format!("the allowlist has room for {MAX_PREFIXES} entries");
        Ok(Section { name: NAME, about: about.to_owned(), rows, notes: vec![note] })
    }
}
