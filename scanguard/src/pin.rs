//! Where everything is pinned, whether it is ours and whole, and how it is removed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use scanguard_common::schema::{InterfaceSlot, SCHEMA};

use crate::bpffs::{self, BPFFS};
use crate::error::Error;
use crate::maps;

/// Our directory in the BPF file system, as this process sees it.
///
/// Links are pinned under their slot: an interface can be renamed, and its index can be used again for
/// another one, but a slot is ours.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    root: PathBuf,
}

impl Pins {
    /// The directory that all commands share.
    pub(crate) fn ours() -> Pins {
        Pins { root: Path::new(BPFFS).join("scanguard") }
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the map of this name is pinned.
    pub(crate) fn map(&self, name: &str) -> PathBuf {
        self.root.join("maps").join(name)
    }

    /// Where the link of this slot is pinned.
    pub(crate) fn link(&self, slot: InterfaceSlot) -> PathBuf {
        self.links().join(slot.number().to_string())
    }

    /// Where the link of this slot's second door is pinned, on kernels that have such links.
    pub(crate) fn egress(&self, slot: InterfaceSlot) -> PathBuf {
        self.egress_links().join(slot.number().to_string())
    }

    /// Whether anything is there: false where nothing is pinned at all.
    ///
    /// # Errors
    ///
    /// [`Error::OtherSchema`] where the pins follow another contract, which is looked at before anything
    /// else; [`Error::BrokenPins`] where they are half-made, or not ours.
    pub(crate) fn check(&self) -> anyhow::Result<bool> {
        if !self.exist()? {
            return Ok(false);
        }
        self.check_schema()?;
        maps::check(self)?;
        self.slots()?;
        Ok(true)
    }

    /// Whether our path is taken, by whatever.
    pub(crate) fn exist(&self) -> anyhow::Result<bool> {
        if !bpffs::is_mounted()? {
            return Ok(false);
        }
        match fs::symlink_metadata(&self.root) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).with_context(|| format!("looking for {}", self.root.display())),
        }
    }

    /// Compares the number kept with the pins to ours.
    pub(crate) fn check_schema(&self) -> anyhow::Result<()> {
        match maps::schema(self)? {
            SCHEMA => Ok(()),
            0 => {
                Err(self.broken(&self.map(maps::SCHEMA), "is empty: an attempt to attach was cut off").into())
            }
            found => Err(Error::OtherSchema { path: self.root.clone(), found }.into()),
        }
    }

    /// The slots whose link is pinned.
    pub(crate) fn slots(&self) -> anyhow::Result<Vec<InterfaceSlot>> {
        let links = self.links();
        let entries = match fs::read_dir(&links) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.broken(&links, "is missing").into());
            }
            Err(error) => return Err(error).with_context(|| format!("listing {}", links.display())),
        };
        let mut slots = Vec::new();
        for entry in entries {
            let entry = entry.with_context(|| format!("listing {}", links.display()))?;
            let slot =
                entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(InterfaceSlot::new);
            slots.push(slot.ok_or_else(|| self.broken(&entry.path(), "does not belong here"))?);
        }
        slots.sort_by_key(|slot| slot.number());
        Ok(slots)
    }

    /// Makes the directories.
    pub(crate) fn create(&self) -> anyhow::Result<()> {
        for directory in [&self.root, &self.root.join("maps"), &self.links(), &self.egress_links()] {
            fs::create_dir(directory).with_context(|| format!("making {}", directory.display()))?;
        }
        Ok(())
    }

    /// Removes the links of one slot, which ends its protection.
    pub(crate) fn remove_link(&self, slot: InterfaceSlot) -> anyhow::Result<()> {
        for path in [self.link(slot), self.egress(slot)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("removing {}", path.display()));
                }
                Err(_) | Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Removes everything: links first, so that no program outlives its maps' names.
    pub(crate) fn remove_all(&self) -> anyhow::Result<()> {
        let metadata = fs::symlink_metadata(&self.root)
            .with_context(|| format!("looking at {}", self.root.display()))?;
        if !metadata.is_dir() {
            return fs::remove_file(&self.root).with_context(|| format!("removing {}", self.root.display()));
        }
        for directory in [&self.links(), &self.egress_links(), &self.root] {
            match fs::remove_dir_all(directory) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("removing {}", directory.display()));
                }
                Err(_) | Ok(()) => {}
            }
        }
        Ok(())
    }

    fn links(&self) -> PathBuf {
        self.root.join("links")
    }

    fn egress_links(&self) -> PathBuf {
        self.root.join("egress")
    }

    /// The error for a pin that is not what it should be.
    pub(crate) fn broken(&self, path: &Path, what: impl Into<String>) -> Error {
        Error::BrokenPins { path: path.to_owned(), what: what.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_pinned_under_its_slot() {
        let slot = InterfaceSlot::new(3).expect("there are more than three slots");
        assert_eq!(Pins::ours().link(slot), Path::new("/sys/fs/bpf/scanguard/links/3"));
    }

    #[test]
    fn slots_are_listed_in_order_and_strangers_are_named() {
        let pins = Pins { root: std::env::temp_dir().join(format!("scanguard-pins-{}", std::process::id())) };
        pins.create().expect("the directories can be made");
        fs::write(pins.links().join("11"), "").expect("a file can be made");
        fs::write(pins.links().join("2"), "").expect("a file can be made");
        let slots: Vec<u32> = pins.slots().expect("all are slots").iter().map(|slot| slot.number()).collect();
        fs::write(pins.links().join("eth0"), "").expect("a file can be made");
        let stranger = pins.slots().expect_err("a name is no slot").to_string();
        pins.remove_all().expect("everything can be removed");
        assert_eq!(slots, [2, 11]);
        assert!(stranger.contains("links/eth0: does not belong here"), "{stranger}");
        assert!(!pins.root.exists());
    }
}
