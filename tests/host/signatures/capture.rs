//! Recorded traffic.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{LegacyPcapReader, PcapBlockOwned, PcapError};

/// Names the folder of recorded traffic that is too large for the repository.
pub(super) const VARIABLE: &str = "SCANGUARD_CAPTURES";

/// More than a frame and its header.
const BUFFER: usize = 1 << 20;

/// A frame, and when it was recorded, in seconds since 1970.
pub(super) type Recorded = (u32, Vec<u8>);

/// Reads all frames of a capture of Ethernet.
pub(super) fn frames(path: &Path) -> Result<Vec<Recorded>> {
    read(path).with_context(|| format!("reading {}", path.display()))
}

fn read(path: &Path) -> Result<Vec<Recorded>> {
    const ETHERNET: i32 = 1;
    let mut reader =
        LegacyPcapReader::new(BUFFER, File::open(path)?).map_err(|error| error.to_owned_vec())?;
    let mut frames = Vec::new();
    loop {
        match reader.next() {
            Ok((length, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        ensure!(header.network.0 == ETHERNET, "not of Ethernet, but of {}", header.network.0);
                    }
                    PcapBlockOwned::Legacy(frame) => frames.push((frame.ts_sec, frame.data.to_vec())),
                    PcapBlockOwned::NG(_) => bail!("a block of another format"),
                }
                reader.consume(length);
            }
            Err(PcapError::Eof) => return Ok(frames),
            Err(PcapError::Incomplete(_)) => reader.refill().map_err(|error| error.to_owned_vec())?,
            Err(error) => return Err(error.to_owned_vec().into()),
        }
    }
}

/// All captures in a folder, in the order of their names.
pub(super) fn captures(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "pcap"));
    paths.sort_unstable();
    ensure!(!paths.is_empty(), "no captures in {}", folder.display());
    Ok(paths)
}

/// A folder of recorded traffic; `None`, and a word about it, where none was named.
pub(super) fn folder(below: &str) -> Option<PathBuf> {
    let folder = env::var_os(VARIABLE).map(|folder| Path::new(&folder).join(below));
    if folder.is_none() {
        println!("skipped: {VARIABLE} does not name a folder with {below}");
    }
    folder
}

/// The name of a capture without folder and ending.
pub(super) fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
