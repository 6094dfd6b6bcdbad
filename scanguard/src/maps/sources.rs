//! What is known of sources: evidence, bans, and who is never banned.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::Context as _;
use aya::maps::{HashMap, MapData, MapError};
use scanguard_common::ban::{Ban, Terms};
use scanguard_common::evidence::{Source, Trail};
use scanguard_common::time::Seconds;

use super::{AddressKey, Maps, Wire, is_absent};
use crate::prefix::{address, mapped};
use crate::spared::Why;

impl Maps {
    /// Every source under observation, with the evidence about it.
    pub(crate) fn sources(&self) -> anyhow::Result<Vec<(IpAddr, Source)>> {
        entries(&self.sources).context("reading the map SOURCES")
    }

    /// The evidence about one source, if it is under observation.
    pub(crate) fn source(&self, source: IpAddr) -> anyhow::Result<Option<Source>> {
        found(self.sources.get(&mapped(source), 0)).context("reading the map SOURCES")
    }

    /// The latest contacts of one source.
    pub(crate) fn trail(&self, source: IpAddr) -> anyhow::Result<Option<Trail>> {
        found(self.trails.get(&mapped(source), 0)).context("reading the map TRAILS")
    }

    /// Every ban, those that have expired included.
    pub(crate) fn bans(&self) -> anyhow::Result<Vec<(IpAddr, Ban)>> {
        entries(&self.banned).context("reading the map BANNED")
    }

    /// The last ban of one source.
    pub(crate) fn ban(&self, source: IpAddr) -> anyhow::Result<Option<Ban>> {
        found(self.banned.get(&mapped(source), 0)).context("reading the map BANNED")
    }

    /// Lifts a ban and forgets it: whether there was one.
    pub(crate) fn lift(&mut self, source: IpAddr) -> anyhow::Result<bool> {
        let was_banned = self.forget_ban(source)?;
        if was_banned {
            self.forget_decisions()?;
        }
        Ok(was_banned)
    }

    fn forget_ban(&mut self, source: IpAddr) -> anyhow::Result<bool> {
        match self.banned.remove(&mapped(source)) {
            Ok(()) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error).with_context(|| format!("lifting the ban of {source}")),
        }
    }

    /// Forgets the bans of which nothing counts any more, neither themselves nor as a repeat: their places are needed.
    pub(crate) fn forget_bans(&mut self, terms: Terms, now: Seconds) -> anyhow::Result<()> {
        for (source, ban) in self.bans()? {
            if !ban.holds(now) && ban.repeats_at(terms, now) == 0 {
                self.forget_ban(source)?;
            }
        }
        Ok(())
    }

    /// Every address that is never banned, and the number of the reason.
    pub(crate) fn spared(&self) -> anyhow::Result<BTreeMap<IpAddr, u32>> {
        self.spared
            .iter()
            .map(|entry| entry.map(|(key, why)| (address(key), why)))
            .collect::<Result<_, MapError>>()
            .context("reading the map SPARED")
    }

    /// Why a source is never banned, if so.
    pub(crate) fn spared_for(&self, source: IpAddr) -> anyhow::Result<Option<Why>> {
        match self.spared.get(&mapped(source), 0) {
            Ok(number) => Ok(Why::from_number(number)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error).context("reading the map SPARED"),
        }
    }

    /// Never bans exactly these sources.
    pub(crate) fn spare(&mut self, sources: &BTreeMap<IpAddr, Why>) -> anyhow::Result<()> {
        let before = self.spared()?;
        for gone in before.keys().filter(|spared| !sources.contains_key(spared)) {
            self.spared.remove(&mapped(*gone)).with_context(|| format!("sparing {gone} no longer"))?;
        }
        for (source, why) in sources {
            let why = *why as u32;
            self.spared.insert(mapped(*source), why, 0).with_context(|| format!("sparing {source}"))?;
        }
        // Whoever is spared from now on may come from a network that is banned.
        let is_news = sources.keys().any(|source| !before.contains_key(source));
        if is_news { self.forget_decisions() } else { Ok(()) }
    }
}

pub(super) fn entries<T: Copy>(
    map: &HashMap<MapData, AddressKey, Wire<T>>,
) -> Result<Vec<(IpAddr, T)>, MapError>
where
    Wire<T>: aya::Pod,
{
    map.iter().map(|entry| entry.map(|(key, Wire(value))| (address(key), value))).collect()
}

pub(super) fn found<T>(result: Result<Wire<T>, MapError>) -> Result<Option<T>, MapError> {
    match result {
        Ok(Wire(value)) => Ok(Some(value)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
