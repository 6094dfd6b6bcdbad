//! A cpio archive in the `newc` format, which the kernel unpacks as its first file system.
//!
//! Source: Linux, `Documentation/driver-api/early-userspace/buffer-format.rst`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

/// An archive in memory. The folders of a file come with it.
#[derive(Default)]
pub(super) struct Archive {
    /// By path, without a leading slash, so that a folder comes before what is in it.
    entries: BTreeMap<String, Entry>,
}

enum Entry {
    Folder,
    File(Vec<u8>),
}

const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_755;
const LAST: &str = "TRAILER!!!";

impl Archive {
    /// Adds a folder and those it is in.
    pub(super) fn folder(&mut self, path: &str) {
        let path = path.trim_start_matches('/');
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for folder in ends.filter_map(|end| path.get(..end)) {
            self.entries.entry(folder.to_owned()).or_insert(Entry::Folder);
        }
    }

    /// Adds a file that everybody may read and run.
    pub(super) fn file(&mut self, path: &str, content: Vec<u8>) {
        if let Some((folder, _)) = path.rsplit_once('/')
            && !folder.is_empty()
        {
            self.folder(folder);
        }
        self.entries.insert(path.trim_start_matches('/').to_owned(), Entry::File(content));
    }

    /// Whether there is something of this path.
    pub(super) fn contains(&self, path: &str) -> bool {
        self.entries.contains_key(path.trim_start_matches('/'))
    }

    /// The archive's bytes.
    pub(super) fn into_bytes(self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for (number, (path, entry)) in (1..).zip(&self.entries) {
            match entry {
                Entry::Folder => append(&mut bytes, number, FOLDER, path, &[])?,
                Entry::File(content) => append(&mut bytes, number, FILE, path, content)?,
            }
        }
        append(&mut bytes, 0, 0, LAST, &[])?;
        Ok(bytes)
    }
}

/// A header of thirteen numbers in hexadecimal, then the path and the content, each filled up to a multiple of four.
fn append(bytes: &mut Vec<u8>, number: u32, mode: u32, path: &str, content: &[u8]) -> Result<()> {
    let size =
        u32::try_from(content.len()).with_context(|| format!("{path} is too large for the archive"))?;
    let path_size = u32::try_from(path.len() + 1).with_context(|| format!("{path} is too long a path"))?;
    let [links, none] = [1, 0];
    // inode, mode, user, group, links, time, size, device (2), special device (2), size of the path, checksum
    let header = [number, mode, none, none, links, none, size, none, none, none, none, path_size, none];
    bytes.extend(b"070701");
    bytes.extend(header.iter().flat_map(|number| format!("{number:08x}").into_bytes()));
    bytes.extend(path.bytes().chain([0]));
    fill_up(bytes);
    bytes.extend(content);
    fill_up(bytes);
    Ok(())
}

fn fill_up(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::Archive;

    #[test]
    fn cpio_reads_it() {
        let mut archive = Archive::default();
        archive.file("/usr/bin/tool", b"#!/bin/sh\n".to_vec());
        archive.file("/init", b"odd".to_vec());
        archive.folder("/sys/fs/bpf");
        let bytes = archive.into_bytes().expect("it is small");

        let mut cpio = Command::new("cpio")
            .args(["--list", "--verbose", "--numeric-uid-gid", "--quiet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cpio is one of the tools that set-up installs");
        cpio.stdin.take().expect("it is a pipe").write_all(&bytes).expect("cpio reads to the end");
        let output = cpio.wait_with_output().expect("cpio ends");
        let listed = String::from_utf8(output.stdout).expect("the paths are text");
        let columns = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            [0, 4, 8].map(|column| *words.get(column).unwrap_or(&"")).join(" ")
        };
        let expected = [
            "-rwxr-xr-x 3 init",
            "drwxr-xr-x 0 sys",
            "drwxr-xr-x 0 sys/fs",
            "drwxr-xr-x 0 sys/fs/bpf",
            "drwxr-xr-x 0 usr",
            "drwxr-xr-x 0 usr/bin",
            "-rwxr-xr-x 10 usr/bin/tool",
        ];
        assert!(output.status.success());
        assert_eq!(listed.lines().map(columns).collect::<Vec<_>>(), expected);
    }
}
