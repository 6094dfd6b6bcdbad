//! scanguard's programs, loaded beside each other with maps of their own.

mod strangers;

use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, MapData, PerCpuArray};
use aya::programs::{SchedClassifier, Xdp};
use aya::{Ebpf, Pod};
use nix::time::{ClockId, clock_gettime};
use scanguard::program::{self, INGRESS};
use scanguard_common::ban::{ANY_HINT, Ban, Terms, hint};
use scanguard_common::cause::Cause;
use scanguard_common::classify::signature::Label;
use scanguard_common::count::{self, Note, Notes, Tally};
use scanguard_common::evidence::Kind;
use scanguard_common::key::{Address, spread};
use scanguard_common::parse::link::MacAddress;
use scanguard_common::policy::{ClosedPorts, Policy, Preset};
use scanguard_common::schema::{Interface, InterfaceSlot, Listed, MAX_BANS, Rules};
use scanguard_common::time::{Nanos, Seconds};
use scanguard_harness::GUARDED_MAC;

pub(crate) use strangers::Strangers;

/// How the programs judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judging {
    /// As they do where nothing was chosen.
    ByDefault,
    /// Each packet by itself: nobody is banned, and what is closed is dropped from the first packet on.
    EachByItself,
}

/// A list of addresses that a path may have to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// The allowlist.
    Allowed,
    /// The operator's list of bans.
    Denied,
    /// The programs' own.
    Banned,
}

impl List {
    pub(crate) const ALL: [List; 3] = [List::Allowed, List::Denied, List::Banned];

    /// Its map.
    pub(crate) fn map(self) -> &'static str {
        match self {
            List::Allowed => "ALLOWED",
            List::Denied => "DENIED",
            List::Banned => "BANNED",
        }
    }
}

/// The programs at both doors, and their maps.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) ebpf: Ebpf,
    pub(crate) took: Took,
    preset: Preset,
    /// How many entries the operator's lists have: those that are empty are not asked.
    allowed: u32,
    denied: u32,
}

/// How long it took to load them, by step.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Took {
    /// Reading the object and making the maps.
    pub(crate) maps: Duration,
    /// Having the programs for both doors verified and translated.
    pub(crate) doors: Duration,
}

const SLOT: u32 = 3;
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// A record as map memory.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct Record<T>(T);

// SAFETY: it is a `repr(C)` record of integers without padding, of which every bit pattern is a value.
unsafe impl Pod for Record<Interface> {}
// SAFETY: as above.
unsafe impl Pod for Record<Rules> {}
// SAFETY: as above.
unsafe impl Pod for Record<Listed> {}
// SAFETY: as above.
unsafe impl Pod for Record<Ban> {}
// SAFETY: as above.
unsafe impl Pod for Record<Tally> {}
// SAFETY: as above.
unsafe impl Pod for Record<Notes> {}

impl Programs {
    /// Loads them as they are.
    pub(crate) fn load(judging: Judging) -> Result<Programs> {
        Programs::load_with_room(judging, MAX_BANS)
    }

    /// Loads them with room for so many bans.
    pub(crate) fn load_with_room(judging: Judging, bans: u32) -> Result<Programs> {
        let mut loader = program::loader();
        let start = Instant::now();
        let ebpf = loader
            .override_global("SLOT", &SLOT, true)
            .override_global("HASH_SEED", &SEED, true)
            .override_global(aya_log::LEVEL, &0u8, true)
            .map_max_entries(List::Banned.map(), bans)
            .load(program::object()?)?;
        let maps = start.elapsed();
        let (preset, policy) = match judging {
            Judging::ByDefault => (Preset::default(), Policy::default()),
            Judging::EachByItself => {
                (Preset::Off, Policy { closed_ports: ClosedPorts::Ingress, ..Policy::default() })
            }
        };
        let mut programs = Programs { ebpf, took: Took::default(), preset, allowed: 0, denied: 0 };
        let interface = Interface::new(0xff, MacAddress(GUARDED_MAC), policy, Nanos(1));
        programs.array("INTERFACES")?.set(SLOT, Record(interface), 0)?;
        programs.write_rules()?;
        let start = Instant::now();
        program::load(&mut programs.ebpf)?;
        programs.took = Took { maps, doors: start.elapsed() };
        Ok(programs)
    }

    /// Writes addresses on a list, for good.
    pub(crate) fn list(&mut self, list: List, addresses: &[IpAddr]) -> Result<()> {
        let listed = u32::try_from(addresses.len())?;
        match list {
            List::Allowed | List::Denied => {
                let map = self.ebpf.map_mut(list.map()).with_context(|| list.map())?;
                let mut prefixes: LpmTrie<&mut MapData, [u32; 4], Record<Listed>> = map.try_into()?;
                for &address in addresses {
                    prefixes.insert(
                        &Key::new(128, words(address)),
                        Record(Listed::new(Seconds(0), None)),
                        0,
                    )?;
                }
            }
            List::Banned => {
                let hints = self.ebpf.map_mut("BAN_HINTS").context("BAN_HINTS")?;
                let mut hints: Array<&mut MapData, u32> = hints.try_into()?;
                hints.set(ANY_HINT, 1, 0)?;
                for &address in addresses {
                    let (word, bit) = hint(spread(source(address), SEED));
                    hints.set(word, hints.get(&word, 0)? | bit, 0)?;
                }
                let map = self.ebpf.map_mut(list.map()).with_context(|| list.map())?;
                let mut bans: HashMap<&mut MapData, [u32; 4], Record<Ban>> = map.try_into()?;
                let ban = Ban::default().again(Kind::Closed, Label::NONE, FOR_A_DAY, now()?);
                for &address in addresses {
                    bans.insert(source(address).words(), Record(ban), 0)?;
                }
            }
        }
        match list {
            List::Allowed => self.allowed += listed,
            List::Denied => self.denied += listed,
            List::Banned => {}
        }
        self.write_rules()
    }

    fn write_rules(&mut self) -> Result<()> {
        let rules = Rules::new(self.preset.judgement(), SEED).with_lists(self.allowed, self.denied);
        Ok(self.array("RULES")?.set(0, Record(rules), 0)?)
    }

    fn array<T>(&mut self, name: &str) -> Result<Array<&mut MapData, Record<T>>>
    where
        Record<T>: Pod,
    {
        Ok(self.ebpf.map_mut(name).with_context(|| name.to_owned())?.try_into()?)
    }

    /// The program at a door.
    pub(crate) fn door(&self, name: &str) -> Result<BorrowedFd<'_>> {
        let program = self.ebpf.program(name).with_context(|| format!("no program {name}"))?;
        if name == INGRESS {
            let program: &Xdp = program.try_into()?;
            return Ok(program.fd()?.as_fd());
        }
        let program: &SchedClassifier = program.try_into()?;
        Ok(program.fd()?.as_fd())
    }

    /// How many packets were counted for a cause.
    pub(crate) fn counted(&self, cause: Cause) -> Result<u64> {
        let counts: PerCpuArray<&MapData, Record<Tally>> =
            self.ebpf.map("COUNTS").context("COUNTS")?.try_into()?;
        let slot = InterfaceSlot::new(SLOT).context("a slot that exists")?;
        Ok(counts.get(&count::index(slot, cause), 0)?.iter().map(|Record(tally)| tally.packets()).sum())
    }

    /// How many sources were pushed out of their places at the door.
    pub(crate) fn pushed_out(&self) -> Result<u64> {
        let notes: PerCpuArray<&MapData, Record<Notes>> =
            self.ebpf.map("NOTES").context("NOTES")?.try_into()?;
        Ok(notes.get(&0, 0)?.iter().map(|Record(notes)| notes.of(Note::Crowded)).sum())
    }

    /// Whether it is remembered that this host has spoken in a connection of its own.
    pub(crate) fn has_spoken(&self) -> Result<bool> {
        let own: Array<&MapData, u64> = self.ebpf.map("OWN_FLOWS").context("OWN_FLOWS")?.try_into()?;
        for spoken in own.iter() {
            if spoken? != 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What they remember of strangers.
    pub(crate) fn strangers(&self) -> Result<Strangers> {
        let map = |name| self.ebpf.map(name).with_context(|| format!("no map {name}"));
        Strangers::of(map("DOOR")?, map("EVENT_GATES")?)
    }
}

const FOR_A_DAY: Terms = Terms { first: 86_400, ceiling: 86_400, forget: 86_400 };

fn words(address: IpAddr) -> [u32; 4] {
    match address {
        IpAddr::V4(address) => Address::v4(address.octets()).words(),
        IpAddr::V6(address) => Address::v6(address.octets()).words(),
    }
}

/// What bans are kept under: an address, or the network that it lies in.
fn source(address: IpAddr) -> Address {
    match address {
        IpAddr::V4(address) => Address::v4(address.octets()),
        IpAddr::V6(address) => Address::v6(address.octets()).network(),
    }
}

/// The time by the clock of the programs.
fn now() -> Result<Seconds> {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).context("reading the clock")?;
    Ok(Seconds(time.tv_sec().try_into()?))
}
