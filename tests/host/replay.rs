//! `scanguard replay`, as its users run it, without privileges.

mod captures;
mod ends;
mod file;
mod finding;
mod host;
mod incidents;
mod probes;
mod public;
mod published;
mod run;
mod speed;

use std::path::{Path, PathBuf};

/// The variable that names the folder with captures that are too large for the repository.
const CAPTURES: &str = "SCANGUARD_CAPTURES";

/// The capture that is kept in the repository.
fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/scans.pcap")
}

/// The captures of a folder below the one that the environment names, or nothing where there is none: a test that needs
/// it says so and ends.
fn folder(name: &str) -> Option<Vec<PathBuf>> {
    let Some(folder) = std::env::var_os(CAPTURES).map(|folder| Path::new(&folder).join(name)) else {
        println!("skipped: {CAPTURES} names no folder, so {name} is not there");
        return None;
    };
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: there is no {}", folder.display());
        return None;
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "pcap"));
    files.sort();
    assert!(!files.is_empty(), "{} has no captures", folder.display());
    Some(files)
}

/// What a capture is called.
fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}
