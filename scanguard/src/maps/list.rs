//! The operator's lists: whom nothing is dropped of, and whose new contacts are refused.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::IpAddr;

use anyhow::Context as _;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{MapData, MapError};
use scanguard_common::schema::Listed;

use super::{AddressKey, Maps, Wire, is_absent};
use crate::error::Error;
use crate::prefix::{Prefix, mapped};

/// `BPF_NOEXIST` of `include/uapi/linux/bpf.h`: only a key that is not there yet.
const ONLY_NEW: u64 = 1;

/// Which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// Sources of which nothing is dropped.
    Allowed,
    /// Sources whose new contacts are refused.
    Denied,
}

impl Maps {
    /// Everything on a list, in the order of addresses.
    pub(crate) fn listed(&self, list: List) -> anyhow::Result<Vec<(Prefix, Listed)>> {
        let mut entries = Vec::new();
        for entry in self.list(list).iter() {
            let (key, Wire(listed)) =
                entry.with_context(|| format!("reading the list of {}", list.name()))?;
            let prefix = Prefix::from_mapped(key.data(), key.prefix_len());
            entries.push((prefix.context("a key that is no prefix is on a list")?, listed));
        }
        entries.sort_by_key(|(prefix, _)| *prefix);
        Ok(entries)
    }

    /// The entry of the longest prefix on a list that covers an address: the one that the programs look at.
    pub(crate) fn longest_match(&self, list: List, address: IpAddr) -> anyhow::Result<Option<Listed>> {
        match self.list(list).get(&Key::new(128, mapped(address)), 0) {
            Ok(Wire(entry)) => Ok(Some(entry)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("looking for {address} on a list")),
        }
    }

    /// Puts these prefixes on a list, all or none: those that were not there yet.
    ///
    /// # Errors
    ///
    /// [`Error::ListFull`] where there is no room for them.
    pub(crate) fn enlist(
        &mut self,
        list: List,
        prefixes: &[Prefix],
        entry: Listed,
    ) -> anyhow::Result<Vec<Prefix>> {
        let mut added = Vec::new();
        for prefix in prefixes {
            match self.list_mut(list).insert(&key(prefix), Wire(entry), ONLY_NEW) {
                Ok(()) => added.push(*prefix),
                Err(MapError::SyscallError(error)) if error.io_error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => {
                    for prefix in &added {
                        self.list_mut(list).remove(&key(prefix)).context("taking back what was added")?;
                    }
                    return Err(list.refusal(prefix, error));
                }
            }
        }
        self.count(list, i64::try_from(added.len())?)?;
        Ok(added)
    }

    /// Puts a prefix on a list, or changes its entry: what was there before.
    ///
    /// # Errors
    ///
    /// [`Error::ListFull`] where there is no room for it.
    pub(crate) fn replace(
        &mut self,
        list: List,
        prefix: &Prefix,
        entry: Listed,
    ) -> anyhow::Result<Option<Listed>> {
        if !self.enlist(list, &[*prefix], entry)?.is_empty() {
            return Ok(None);
        }
        let Wire(before) = self.list(list).get(&key(prefix), 0).context("reading a list of prefixes")?;
        self.list_mut(list)
            .insert(&key(prefix), Wire(entry), 0)
            .with_context(|| format!("changing {prefix} on the list of {}", list.name()))?;
        // Whatever was decided by the old entry is not to be recalled.
        self.count(list, 0).map(|()| Some(before))
    }

    /// Takes these prefixes off a list: all of them, or none where one of them is not on it.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllowed`] and [`Error::NotBanned`] where one is not on the list.
    pub(crate) fn strike(&mut self, list: List, prefixes: &[Prefix]) -> anyhow::Result<()> {
        let mut struck = Vec::new();
        for prefix in prefixes.iter().collect::<BTreeSet<_>>() {
            // Where exactly this prefix is on the list, it is what the longest match finds.
            let entry = self.list(list).get(&key(prefix), 0).map(|Wire(listed)| listed);
            match self.list_mut(list).remove(&key(prefix)) {
                Ok(()) => struck.extend(entry.ok().map(|entry| (prefix, entry))),
                Err(error) => {
                    for (prefix, entry) in &struck {
                        self.list_mut(list)
                            .insert(&key(prefix), Wire(*entry), 0)
                            .with_context(|| format!("putting {prefix} back on the list"))?;
                    }
                    if is_absent(&error) {
                        return Err(list.absent(prefix).into());
                    }
                    return Err(error).with_context(|| format!("taking {prefix} off the list"));
                }
            }
        }
        self.count(list, -i64::try_from(struck.len())?)
    }

    /// Keeps the number of entries, because a list that is empty is not asked.
    fn count(&mut self, list: List, change: i64) -> anyhow::Result<()> {
        let rules = self.rules()?;
        let [mut allowed, mut denied] = rules.lists();
        let count = match list {
            List::Allowed => &mut allowed,
            List::Denied => &mut denied,
        };
        *count = u32::try_from(i64::from(*count) + change).context("counting the entries of a list")?;
        self.set_rules(rules.with_lists(allowed, denied))
    }

    fn list(&self, list: List) -> &LpmTrie<MapData, AddressKey, Wire<Listed>> {
        match list {
            List::Allowed => &self.allowed,
            List::Denied => &self.denied,
        }
    }

    fn list_mut(&mut self, list: List) -> &mut LpmTrie<MapData, AddressKey, Wire<Listed>> {
        match list {
            List::Allowed => &mut self.allowed,
            List::Denied => &mut self.denied,
        }
    }
}

impl List {
    fn name(self) -> &'static str {
        match self {
            List::Allowed => "allowed sources",
            List::Denied => "banned prefixes",
        }
    }

    /// What it means that a prefix could not be added.
    fn refusal(self, prefix: &Prefix, error: MapError) -> anyhow::Error {
        // What the kernel says when a trie has no room.
        if matches!(&error, MapError::SyscallError(error) if error.io_error.kind() == ErrorKind::StorageFull)
        {
            return Error::ListFull(prefix.to_string()).into();
        }
        anyhow::Error::new(error).context(format!("adding {prefix} to the list of {}", self.name()))
    }

    fn absent(self, prefix: &Prefix) -> Error {
        match self {
            List::Allowed => Error::NotAllowed(prefix.to_string()),
            List::Denied => Error::NotBanned(prefix.to_string()),
        }
    }
}

fn key(prefix: &Prefix) -> Key<AddressKey> {
    let (address, bits) = prefix.mapped();
    Key::new(bits, address)
}
