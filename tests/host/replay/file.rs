//! Captures written for one test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A pcap file that is gone with this.
pub(super) struct Written(PathBuf);

/// Writes frames, the first at second 1000 and each so many milliseconds after the one before.
pub(super) fn written(frames: &[(u64, Vec<u8>)]) -> Written {
    let mut bytes = header();
    let mut millis = 1_000_000;
    for (after, frame) in frames {
        millis += after;
        bytes.extend(record(millis, frame));
    }
    write(&bytes)
}

/// Writes a file.
pub(super) fn write(bytes: &[u8]) -> Written {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("scanguard-replay-{}-{number}.pcap", std::process::id()));
    fs::write(&path, bytes).expect("a file can be written");
    Written(path)
}

/// The first bytes of a pcap file with Ethernet frames and microseconds.
pub(super) fn header() -> Vec<u8> {
    let words = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1];
    words.iter().flat_map(|word: &u32| word.to_le_bytes()).collect()
}

/// One frame, captured whole.
pub(super) fn record(millis: u64, frame: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frame.len()).expect("short");
    let seconds = u32::try_from(millis / 1000).expect("soon after 1970");
    let micros = u32::try_from(millis % 1000).expect("below a thousand") * 1000;
    let words = [seconds, micros, length, length];
    words.iter().flat_map(|word| word.to_le_bytes()).chain(frame.iter().copied()).collect()
}

impl Written {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
