//! What the program in the kernel wrote down of sources, read from its maps.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aya::Pod;
use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray};
use nix::time::{ClockId, clock_gettime};
use scanguard::Wire;
use scanguard_benches::footprint::memory_of;
use scanguard_common::ban::{ANY_HINT, Ban, hint};
use scanguard_common::cause::Cause;
use scanguard_common::count::{self, Tally};
use scanguard_common::evidence::{Entry, Source, Trail};
use scanguard_common::incident::Target;
use scanguard_common::key::{Address, spread};
use scanguard_common::policy::{Judgement, PortRule};
use scanguard_common::schema::{Interface, InterfaceSlot, Rules};
use scanguard_common::time::{Nanos, Seconds};
use scanguard_harness::Host;

const MAPS: &str = "/sys/fs/bpf/scanguard/maps";
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// The pinned maps of a guarded host.
pub(crate) struct Ledger<'a> {
    host: &'a Host,
}

impl<'a> Ledger<'a> {
    /// Those of this host.
    pub(crate) fn of(host: &'a Host) -> Ledger<'a> {
        Ledger { host }
    }

    /// Has the program of the first slot believe that its interface is guarded since this machine was started.
    pub(crate) fn guarded_since_the_start(&self) -> Result<()> {
        self.host.within(|| {
            let map = Map::Array(MapData::from_pin(format!("{MAPS}/INTERFACES"))?);
            let mut interfaces: Array<MapData, Wire<Interface>> = map.try_into()?;
            let Wire(record) = interfaces.get(&0, 0)?;
            let index = record.index().context("the first slot is free")?;
            let older = Interface::new(index, record.mac(), record.policy(), Nanos(1));
            Ok(interfaces.set(0, Wire(older), 0)?)
        })
    }

    /// What is known of a source.
    pub(crate) fn source(&self, source: IpAddr) -> Result<Option<Source>> {
        self.found("SOURCES", source)
    }

    /// What moved its score last, in order.
    pub(crate) fn trail(&self, source: IpAddr) -> Result<Vec<Entry>> {
        let trail: Option<Trail> = self.found("TRAILS", source)?;
        Ok(trail.iter().flat_map(|trail| trail.entries().copied()).collect())
    }

    /// The last ban of a source.
    pub(crate) fn ban(&self, source: IpAddr) -> Result<Option<Ban>> {
        self.found("BANNED", source)
    }

    /// How many flows are remembered that are not of this host's own sockets.
    pub(crate) fn flows(&self) -> Result<usize> {
        let flows: HashMap<MapData, [u32; 10], u64> = self.open("FLOWS")?;
        Ok(flows.keys().count())
    }

    /// Waits for the ban of a source.
    pub(crate) fn ban_comes(&self, source: IpAddr) -> Result<Ban> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(ban) = self.ban(source)? {
                return Ok(ban);
            }
            ensure!(Instant::now() < deadline, "{source} was not banned: {:?}", self.source(source)?);
            std::thread::sleep(POLL);
        }
    }

    /// How many packets of a cause each processor has judged on the first interface.
    pub(crate) fn judged_by_each(&self, cause: Cause) -> Result<Vec<u64>> {
        let counts: PerCpuArray<MapData, Wire<Tally>> = self.open("COUNTS")?;
        let slot = InterfaceSlot::new(0).context("the first slot")?;
        let tallies = counts.get(&count::index(slot, cause), 0)?;
        Ok(tallies.iter().map(|Wire(tally)| tally.packets()).collect())
    }

    /// How many sources have records, and how many have bans.
    pub(crate) fn sizes(&self) -> Result<[usize; 2]> {
        let sources: HashMap<MapData, [u32; 4], Wire<Source>> = self.open("SOURCES")?;
        let bans: HashMap<MapData, [u32; 4], Wire<Ban>> = self.open("BANNED")?;
        Ok([sources.keys().count(), bans.keys().count()])
    }

    /// Whether a source is never banned, as far as the programs know.
    pub(crate) fn spares(&self, source: IpAddr) -> Result<bool> {
        let spared: HashMap<MapData, [u32; 4], u32> = self.open("SPARED")?;
        match spared.get(&key(source).words(), 0) {
            Ok(_) => Ok(true),
            Err(MapError::KeyNotFound) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// What holds for the whole host.
    pub(crate) fn rules(&self) -> Result<Rules> {
        let rules: Array<MapData, Wire<Rules>> = self.open("RULES")?;
        let Wire(rules) = rules.get(&0, 0)?;
        Ok(rules)
    }

    /// Every ban.
    pub(crate) fn bans(&self) -> Result<BTreeMap<[u32; 4], Ban>> {
        let bans: HashMap<MapData, [u32; 4], Wire<Ban>> = self.open("BANNED")?;
        bans.iter()
            .map(|entry| entry.map(|(key, Wire(ban))| (key, ban)))
            .collect::<Result<_, _>>()
            .map_err(Into::into)
    }

    /// Bans these sources without being asked, as long as there is room: how many of them.
    pub(crate) fn ban_all(&self, sources: impl Iterator<Item = Ipv4Addr>, ban: Ban) -> Result<u32> {
        let mut bans: HashMap<MapData, [u32; 4], Wire<Ban>> = self.open("BANNED")?;
        let mut hints: Array<MapData, u32> = self.open("BAN_HINTS")?;
        let rules = self.rules()?;
        hints.set(ANY_HINT, 1, 0)?;
        let mut banned = 0;
        for source in sources {
            match bans.insert(key(source.into()).words(), Wire(ban), 0) {
                Ok(()) => {
                    let (word, bit) = hint(spread(key(source.into()), rules.seed()));
                    hints.set(word, hints.get(&word, 0)? | bit, 0)?;
                    banned += 1;
                }
                Err(MapError::SyscallError(error))
                    if error.io_error.kind() == ErrorKind::ArgumentListTooLong =>
                {
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(banned)
    }

    /// The bytes of every map, as the kernel tells them.
    pub(crate) fn memory(&self) -> Result<BTreeMap<String, u64>> {
        self.host.within(|| {
            let bytes = |entry: DirEntry| {
                let map = MapData::from_pin(entry.path())?;
                Ok((entry.file_name().to_string_lossy().into_owned(), memory_of(map.fd().as_fd())?))
            };
            fs::read_dir(MAPS)?.map(|entry| bytes(entry?)).collect()
        })
    }

    /// How many attempts there were at a destination in the present window, and at how many ports.
    pub(crate) fn attempts_at(&self, destination: Ipv4Addr) -> Result<[u32; 2]> {
        let target: Option<Target> = self.found("TARGETS", destination.into())?;
        Ok(target.map_or([0; 2], |target| [target.attempts(), target.ports().estimate()]))
    }

    /// Has the window of a destination be older by so many seconds.
    pub(crate) fn target_is_older(&self, destination: Ipv4Addr, seconds: u32) -> Result<()> {
        self.age::<{ size_of::<Target>() }>("TARGETS", destination, seconds)
    }

    /// Has the ban of a network be older by so many seconds.
    pub(crate) fn network_ban_is_older(&self, network: Ipv4Addr, seconds: u32) -> Result<()> {
        self.age::<{ size_of::<Ban>() }>("BANNED_NETS", network, seconds)
    }

    /// Makes a record older that begins with two points in time.
    fn age<const N: usize>(&self, map: &str, address: Ipv4Addr, seconds: u32) -> Result<()>
    where
        [u8; N]: Pod,
    {
        let mut records: HashMap<MapData, [u32; 4], [u8; N]> = self.open(map)?;
        let mut record = records.get(&key(address.into()).words(), 0)?;
        for second in record.as_chunks_mut::<4>().0.iter_mut().take(2) {
            *second =
                (u32::from_ne_bytes(*second).checked_sub(seconds).context("before the start")?).to_ne_bytes();
        }
        Ok(records.insert(key(address.into()).words(), record, 0)?)
    }

    /// Judges by other rules from now on.
    pub(crate) fn judge_by(&self, judgement: Judgement) -> Result<()> {
        let mut rules: Array<MapData, Wire<Rules>> = self.open("RULES")?;
        Ok(rules.set(0, Wire(self.rules()?.with_judgement(judgement)), 0)?)
    }

    /// Says something of a port.
    pub(crate) fn set_port_rule(&self, port: u16, rule: PortRule) -> Result<()> {
        let mut rules: Array<MapData, Wire<PortRule>> = self.open("PORT_RULES")?;
        Ok(rules.set(port.into(), Wire(rule), 0)?)
    }

    fn found<T: Copy>(&self, name: &str, source: IpAddr) -> Result<Option<T>>
    where
        Wire<T>: Pod,
    {
        let map: HashMap<MapData, [u32; 4], Wire<T>> = self.open(name)?;
        found(map.get(&key(source).words(), 0))
    }

    fn open<M: TryFrom<Map, Error = MapError>>(&self, name: &str) -> Result<M> {
        let data = self.host.within(|| MapData::from_pin(format!("{MAPS}/{name}")));
        Ok(M::try_from(Map::from_map_data(data.with_context(|| format!("opening {name}"))?)?)?)
    }
}

/// An entry, where there is one.
pub(crate) fn found<T>(entry: Result<Wire<T>, MapError>) -> Result<Option<T>> {
    match entry {
        Ok(Wire(value)) => Ok(Some(value)),
        Err(MapError::KeyNotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// By which address a source is known: over IPv6 its network.
pub(crate) fn key(source: IpAddr) -> Address {
    match source {
        IpAddr::V4(source) => Address::v4(source.octets()),
        IpAddr::V6(source) => Address::v6(source.octets()).network(),
    }
}

/// Now, by the clock of the programs.
pub(crate) fn now() -> Result<Seconds> {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).context("reading the clock")?;
    Ok(Seconds(time.tv_sec().try_into()?))
}
