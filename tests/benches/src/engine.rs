//! What criterion found out about the pure part of the engine, read from its files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::row::{Goal, Judged, Row, Section, Unit};
use crate::sample::Figure;

/// How the benchmark is called.
pub const NAME: &str = "engine";

/// The groups of `benches/engine.rs`.
const GROUPS: [&str; 2] = ["parse-and-classify", "records"];

/// Reads the results in criterion's folder.
///
/// # Errors
///
/// Fails where criterion has not run.
pub fn read(folder: &Path) -> Result<Section> {
    let mut rows = Vec::new();
    for group in GROUPS {
        let folder = folder.join(group);
        let entries = fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))?;
        let mut names: Vec<String> = entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<Result<_>>()?;
        names.sort();
        for name in names.iter().filter(|name| *name != "report") {
            rows.push(row(&format!("{group}: {name}"), &folder.join(name).join("new"))?);
        }
    }
    let about = "The pure part of the engine on this machine's own instructions, by criterion: without a kernel, and \
        without what the verifier demands.";
    Ok(Section { name: NAME, about: about.to_owned(), rows, notes: Vec::new() })
}

fn row(name: &str, folder: &Path) -> Result<Row> {
    let median = json(&folder.join("estimates.json"))?;
    let number = |place: &str| {
        median.pointer(place).and_then(Value::as_f64).with_context(|| format!("{name}: no {place}"))
    };
    let value = Figure {
        median: number("/median/point_estimate")?,
        lower: number("/median/confidence_interval/lower_bound")?,
        upper: number("/median/confidence_interval/upper_bound")?,
        repetitions: json(&folder.join("sample.json"))?
            .pointer("/times")
            .and_then(Value::as_array)
            .with_context(|| format!("{name}: no times"))?
            .len(),
    };
    let name = name.to_owned();
    Ok(Row {
        name,
        unit: Unit::Nanos,
        value,
        base: None,
        judged: Judged::Itself,
        result: value,
        goal: Goal::None,
    })
}

fn json(file: &Path) -> Result<Value> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", file.display()))
}
