//! What the kernel tells of the BPF links that this process has open.
//!
//! It is also in `bpf_link_info`, but aya does not show the part of it that belongs to XDP. What it says in
//! `/proc/self/fdinfo` needs no privileges.

use std::fs;

use anyhow::Context as _;

const OPEN_FILES: &str = "/proc/self/fdinfo";

/// An open link.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OpenLink {
    id: u32,
    program: u32,
    index: u32,
}

impl OpenLink {
    /// The open link of this number.
    pub(crate) fn of_id(id: u32) -> anyhow::Result<Option<OpenLink>> {
        find(|link| link.id == id)
    }

    /// The open link that carries the program of this number.
    pub(crate) fn of_program(program: u32) -> anyhow::Result<Option<OpenLink>> {
        find(|link| link.program == program)
    }

    /// The index of the interface that it is attached to, in whatever network namespace, or `None` where it is
    /// attached no longer.
    pub(crate) fn index(&self) -> Option<u32> {
        (self.index != 0).then_some(self.index)
    }

    /// Reads one file of [`OPEN_FILES`]; `None` where it is not that of a link to an interface.
    fn parse(text: &str) -> Option<OpenLink> {
        Some(OpenLink {
            id: field(text, "link_id:")?,
            program: field(text, "prog_id:")?,
            index: field(text, "ifindex:")?,
        })
    }
}

fn find(is_it: impl Fn(&OpenLink) -> bool) -> anyhow::Result<Option<OpenLink>> {
    let listing = || format!("listing {OPEN_FILES}");
    for entry in fs::read_dir(OPEN_FILES).with_context(listing)? {
        let Ok(text) = fs::read_to_string(entry.with_context(listing)?.path()) else {
            continue; // the directory's own descriptor is listed, and closed by now
        };
        if let Some(link) = OpenLink::parse(&text).filter(&is_it) {
            return Ok(Some(link));
        }
    }
    Ok(None)
}

fn field(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_an_interface_is_read_and_other_files_are_not() {
        let text = "pos:\t0\nflags:\t02000000\nlink_type:\txdp\nlink_id:\t12\nprog_id:\t34\nifindex:\t5\n";
        assert_eq!(OpenLink::parse(text), Some(OpenLink { id: 12, program: 34, index: 5 }));
        assert_eq!(OpenLink::parse("pos:\t0\nflags:\t02000000\n"), None);
    }

    #[test]
    fn an_interface_that_is_gone_has_no_index() {
        assert_eq!(OpenLink { id: 12, program: 34, index: 0 }.index(), None);
    }
}
