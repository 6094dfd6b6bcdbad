//! The real program, asked about the same frames by `BPF_PROG_TEST_RUN`.
//!
//! The program asks the kernel, so the kernel must know what the model of the host knows. In a network namespace of its
//! own there are real sockets for the program to find ([`sockets`]), all addresses are local ([`ground`]), and before
//! each frame the maps are given what the host remembers. The kernel's clock cannot be set: points in time are moved,
//! so that everything is as old for the program as it is for the engine.

mod ground;
mod scene;
mod sockets;

use anyhow::Context as _;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, MapData, MapError, PerCpuArray, PerCpuValues};
use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions, Xdp};
use aya::{Ebpf, Pod};
use scanguard_common::ban::{ANY_HINT, Ban, Terms, hint};
use scanguard_common::cause::{Action, Cause};
use scanguard_common::classify::signature::{Label, Left};
use scanguard_common::closed::Refused;
use scanguard_common::count::{self, Tally};
use scanguard_common::evidence::Kind;
use scanguard_common::flow::LEARNING;
use scanguard_common::frame::Frame as _;
use scanguard_common::key::spread;
use scanguard_common::network::network;
use scanguard_common::parse::Packet;
use scanguard_common::parse::link::{self, MacAddress};
use scanguard_common::policy::{Policy, Role};
use scanguard_common::policy::{PortRule, Preset};
use scanguard_common::schema::{
    Interface, InterfaceSlot, Listed, OWN_FLOW_PLACES, PEER_PLACES, REFUSED_PLACES, Rules,
};
use scanguard_common::speech::{Flow, Listened, Spoken};
use scanguard_common::time::{Nanos, Seconds};

use super::host::spread_of_port;
use super::ledger::SEED;
use super::policy::Choices;
use crate::capture::CapturedFrame;
use crate::clock;
use crate::error::Error;
use crate::kernel;
use crate::maps::{self, Wire};
use crate::privilege;
use crate::program::{self, Constants, EGRESS, INGRESS};
pub(super) use scene::Scene;
use sockets::Sockets;

/// What the program judged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Judged {
    /// Frames of which it said the same as the engine.
    pub(crate) alike: u64,
    /// Frames that could not be shown to it: cut short within their headers, larger than a test run takes, or of a
    /// connection that no socket can have.
    pub(crate) unshown: u64,
}

/// The loaded program, and the world that it sees.
pub(crate) struct Kernel {
    ebpf: Ebpf,
    policy: Policy,
    slot: InterfaceSlot,
    /// What the interface was last said to be: its address, and whether it is still learning.
    station: Option<(MacAddress, bool)>,
    /// In their latest edition: see `set_port`.
    rules: Rules,
    sockets: Sockets,
    /// The time of day at which the kernel's clock was zero, as far as the capture goes.
    epoch: u32,
    judged: Judged,
}

// SAFETY: `repr(C)`, four words, four words, two half words and a word: its size is asserted to be their sum.
unsafe impl Pod for Wire<Flow> {}
// SAFETY: `repr(transparent)` over one integer.
unsafe impl Pod for Wire<Refused> {}
// SAFETY: `repr(C)`, three double words: its size is asserted to be their sum.
unsafe impl Pod for Wire<Left> {}

/// What a test run takes: a page, without what the kernel keeps before and behind the frame.
const LARGEST_FRAME: usize = 3_400;
/// It refuses a frame without anything behind its Ethernet header.
const SMALLEST_FRAME: usize = 15;
/// A station that is not this host.
const ELSEWHERE: MacAddress = MacAddress([2, 0xff, 0xff, 0xff, 0xff, 0xff]);
/// `TC_ACT_SHOT` of `include/uapi/linux/pkt_cls.h`, `XDP_DROP` and `XDP_PASS` of `include/uapi/linux/bpf.h`.
const TC_SHOT: u32 = 2;
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

impl Kernel {
    /// Loads the program, and takes the calling thread to a network namespace of its own, where it stays.
    ///
    /// # Errors
    ///
    /// [`Error::NoPrivileges`] and the others of loading a program.
    pub(crate) fn prepare(choices: &Choices) -> anyhow::Result<Kernel> {
        privilege::require()?;
        privilege::lift_memory_limit();
        ground::enter(choices.policy.role == Role::Gateway)?;
        let slot = InterfaceSlot::all().next().context("there is no slot")?;
        let mut ebpf = program::load_apart(Constants { slot, seed: SEED, log_level: 0 })?;
        let map = ebpf.map_mut("ALLOWED").context("the object has no map ALLOWED")?;
        let mut allowed: LpmTrie<&mut MapData, [u8; 16], Wire<Listed>> = map.try_into()?;
        for prefix in &choices.prefixes {
            let (address, bits) = prefix.mapped();
            let entry = Wire(Listed::new(Seconds(0), None));
            allowed.insert(&Key::new(bits, address), entry, 0).context("writing the map ALLOWED")?;
        }
        let allowed = u32::try_from(choices.prefixes.len())?;
        // Who is banned is told: see `set`.
        let rules =
            Rules::new(Preset::Off.judgement(), SEED).with_lists(allowed, 0).with_public(choices.public);
        set_rules(&mut ebpf, rules)?;
        let map = ebpf.map_mut("PORT_RULES").context("the object has no map PORT_RULES")?;
        let mut map: Array<&mut MapData, Wire<PortRule>> = map.try_into()?;
        for (port, rule) in &choices.ports {
            map.set(u32::from(*port), Wire(*rule), 0).context("writing the map PORT_RULES")?;
        }
        Ok(Kernel {
            ebpf,
            policy: choices.policy,
            slot,
            station: None,
            rules,
            sockets: Sockets::default(),
            epoch: 0,
            judged: Judged::default(),
        })
    }

    /// What came of it.
    pub(super) fn judged(&self) -> Judged {
        self.judged
    }

    /// Shows a frame to the first door, and demands that it is counted under this cause and treated so.
    pub(super) fn agree_on_incoming(
        &mut self,
        frame: &CapturedFrame<'_>,
        packet: Option<&Packet>,
        scene: &Scene,
        cause: Cause,
    ) -> anyhow::Result<()> {
        let Some(bytes) = showable(frame, packet) else { return self.skip() };
        if let Some(packet) = packet
            && !self.sockets.arrange(packet, scene.socket)
        {
            return self.skip();
        }
        self.set(frame, scene)?;
        if let Some(packet) = packet {
            self.set_port(packet, scene)?;
        }
        let before = self.counted(cause)?;
        let done = self.run_ingress(&bytes)?;
        let counted = self.counted(cause)?;
        let expected = match cause.action() {
            Action::Pass => XDP_PASS,
            Action::Drop => XDP_DROP,
        };
        self.compare(scene, cause.name(), done == expected && counted == before.plus(bytes.len() as u64))
    }

    /// Shows a frame to the second door, and demands that it is kept under this cause or let go.
    pub(super) fn agree_on_outgoing(
        &mut self,
        frame: &CapturedFrame<'_>,
        packet: &Packet,
        scene: &Scene,
        cause: Option<Cause>,
    ) -> anyhow::Result<()> {
        // What is forwarded came in somewhere, which a test run cannot say.
        let Some(bytes) = showable(frame, Some(packet)).filter(|_| scene.is_ours) else { return self.skip() };
        self.set(frame, scene)?;
        let before = cause.map(|cause| self.counted(cause)).transpose()?;
        let kept = self.run_egress(&bytes)? == TC_SHOT;
        let counted = cause.map(|cause| self.counted(cause)).transpose()?;
        let expected = before.map(|before| before.plus(bytes.len() as u64));
        let name = cause.map_or("that it leaves", |cause| cause.name());
        self.compare(scene, name, kept == cause.is_some() && counted == expected)
    }

    #[expect(clippy::unnecessary_wraps, reason = "it ends the judgement as the other ways out do")]
    fn skip(&mut self) -> anyhow::Result<()> {
        self.judged.unshown += 1;
        Ok(())
    }

    fn compare(&mut self, scene: &Scene, engine: &str, agrees: bool) -> anyhow::Result<()> {
        if agrees {
            self.judged.alike += 1;
            return Ok(());
        }
        let (number, engine) = (scene.number, engine.to_owned());
        Err(Error::Disagreement { number, engine, kernel: kernel::release() }.into())
    }

    /// Makes the maps say what the host remembers.
    fn set(&mut self, frame: &CapturedFrame<'_>, scene: &Scene) -> anyhow::Result<()> {
        self.set_station(frame, scene)?;
        let Some(flow) = scene.flow else { return Ok(()) };
        let now = clock::now()?;
        // A moment before this machine was started has no time on its clock; then it counts, or it is forgotten.
        let moved = |then: Nanos, counts: bool| {
            let ago = scene.now.since(then);
            now.after(then.since(scene.now)).0.checked_sub(ago).or(counts.then_some(1))
        };
        let spoken =
            scene.spoken.and_then(|then| moved(then, Spoken::at(then).counts(flow.protocol(), scene.now)));
        self.remember("FLOWS", Wire(flow), spoken)?;
        let own = u32::try_from(flow.spread(SEED) % u64::from(OWN_FLOW_PLACES))?;
        self.set_place("OWN_FLOWS", own, 0_u64)?; // the engine keeps those among all others
        for (map, budget) in [("STRAYS", scene.strays), ("RESETS", scene.resets)] {
            let whole_at = budget.and_then(|whole_at| moved(Nanos(whole_at), false));
            self.remember(map, scene.sender.words(), whole_at)?;
        }
        let of_all = moved(Nanos(scene.strays_of_all), false).unwrap_or_default();
        let map = self.ebpf.map_mut("STRAYS_OF_ALL").context("the object has no map STRAYS_OF_ALL")?;
        let mut map: PerCpuArray<&mut MapData, u64> = map.try_into()?;
        let processors = aya::util::nr_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))?;
        let everywhere = PerCpuValues::try_from(vec![of_all; processors]).context("making budgets")?;
        map.set(0, everywhere, 0).context("writing the map STRAYS_OF_ALL")?;
        self.set_ban(scene)?;
        self.set_traces(scene)?;
        let listened = scene.listened;
        let lately = Listened::at(listened).lately(scene.now);
        let listened = if listened == Nanos::default() { None } else { moved(listened, lately) };
        self.set_place("LISTENED", scene.listener.place(), listened.unwrap_or(0))
    }

    /// Makes the interface's address that of the frame, or another where the frame is for another station.
    fn set_station(&mut self, frame: &CapturedFrame<'_>, scene: &Scene) -> anyhow::Result<()> {
        let station = link::destination(frame).filter(|_| scene.is_ours).unwrap_or(ELSEWHERE);
        if self.station == Some((station, scene.is_learning)) {
            return Ok(());
        }
        let now = clock::now()?;
        let since = if scene.is_learning { now.0 } else { now.0.saturating_sub(LEARNING) };
        let map = self.ebpf.map_mut("INTERFACES").context("the object has no map INTERFACES")?;
        let mut interfaces: Array<&mut MapData, Wire<Interface>> = map.try_into()?;
        let interface = Interface::new(ground::LOOPBACK, station, self.policy, Nanos(since));
        interfaces.set(self.slot.number(), Wire(interface), 0).context("writing the map INTERFACES")?;
        self.station = Some((station, scene.is_learning));
        Ok(())
    }

    /// Bans the other side, or not: for longer than it takes to show a frame.
    fn set_ban(&mut self, scene: &Scene) -> anyhow::Result<()> {
        const TERMS: Terms = Terms { first: 3_600, ceiling: 3_600, forget: 3_600 };
        let now = Seconds::of(clock::now()?);
        let ban = Wire(Ban::default().again(Kind::Closed, Label::NONE, TERMS, now));
        let for_this = |cause| (scene.refused_for == Some(cause)).then_some(ban);
        self.remember("BANNED", scene.sender.words(), for_this(Cause::Banned))?;
        let network = network(scene.sender);
        for refused in [scene.sender, network] {
            let (word, _) = hint(spread(refused, SEED));
            self.set_place("BAN_HINTS", word, u32::MAX)?;
        }
        self.set_place("BAN_HINTS", ANY_HINT, 1)?;
        self.remember("BANNED_NETS", network.words(), for_this(Cause::BannedNetwork))?;
        if scene.refused_for == Some(Cause::BannedNetwork) {
            self.set_place("NETS_UNTIL", 0, ban.0.until().0)?;
            // The engine found no peer in it.
            let place = spread(network, SEED) % u64::from(PEER_PLACES);
            self.set_place("PEERS", u32::try_from(place).context("a place of the map PEERS")?, 0)?;
        }
        Ok(())
    }

    fn set_place<V: Pod>(&mut self, name: &str, place: u32, value: V) -> anyhow::Result<()> {
        let map = self.ebpf.map_mut(name).with_context(|| format!("the object has no map {name}"))?;
        let mut map: Array<&mut MapData, V> = map.try_into()?;
        map.set(place, value, 0).with_context(|| format!("writing the map {name}"))
    }

    /// Leaves behind what the source left at the host, and sets the time of day.
    fn set_traces(&mut self, scene: &Scene) -> anyhow::Result<()> {
        let Some((place, left)) = scene.left else { return Ok(()) };
        self.set_place("TRACES", place, Wire(left))?;
        let epoch = Seconds::of(scene.now).since(Seconds::of(clock::now()?));
        // The program wants to know the day, not the second.
        if epoch.abs_diff(self.epoch) > 60 {
            self.epoch = epoch;
            self.rules = self.rules.with_epoch(epoch);
            set_rules(&mut self.ebpf, self.rules)?;
        }
        Ok(())
    }

    /// Makes the maps say whether the port that a packet is for was refused lately, and has the program forget what it
    /// decided of the flow: as the engine does, it is to find that out anew.
    fn set_port(&mut self, packet: &Packet, scene: &Scene) -> anyhow::Result<()> {
        let spread = spread_of_port(packet);
        let now = Seconds::of(clock::now()?);
        let refused = if scene.was_refused { Refused::at(spread, now) } else { Refused::default() };
        self.set_place("REFUSED", u32::try_from(spread % u64::from(REFUSED_PLACES))?, Wire(refused))?;
        self.rules = self.rules.renewed();
        set_rules(&mut self.ebpf, self.rules)
    }

    fn remember<K: Pod, V: Pod>(&mut self, name: &str, key: K, value: Option<V>) -> anyhow::Result<()> {
        let map = self.ebpf.map_mut(name).with_context(|| format!("the object has no map {name}"))?;
        let mut map: HashMap<&mut MapData, K, V> = map.try_into()?;
        let done = match value {
            Some(value) => map.insert(key, value, 0),
            None => match map.remove(&key) {
                Err(MapError::SyscallError(error))
                    if error.io_error.kind() == std::io::ErrorKind::NotFound =>
                {
                    Ok(())
                }
                other => other,
            },
        };
        done.with_context(|| format!("writing the map {name}"))
    }

    fn counted(&self, cause: Cause) -> anyhow::Result<Tally> {
        let map = self.ebpf.map("COUNTS").context("the object has no map COUNTS")?;
        let counts: PerCpuArray<&MapData, Wire<Tally>> = map.try_into()?;
        let values = counts.get(&count::index(self.slot, cause), 0).context("reading the map COUNTS")?;
        Ok(values.iter().fold(Tally::default(), |sum, Wire(tally)| sum.merged(*tally)))
    }

    fn run_ingress(&self, bytes: &[u8]) -> anyhow::Result<u32> {
        let program: &Xdp = self.ebpf.program(INGRESS).context("the object has no first door")?.try_into()?;
        let options = TestRunOptions { data_in: Some(bytes), ..Default::default() };
        Ok(program.test_run(options).context("running the program on a frame")?.return_value)
    }

    fn run_egress(&self, bytes: &[u8]) -> anyhow::Result<u32> {
        let program = self.ebpf.program(EGRESS).context("the object has no second door")?;
        let program: &SchedClassifier = program.try_into()?;
        let options = TestRunOptions { data_in: Some(bytes), ..Default::default() };
        Ok(program.test_run(options).context("running the program on a frame")?.return_value)
    }
}

fn set_rules(ebpf: &mut Ebpf, rules: Rules) -> anyhow::Result<()> {
    let map = ebpf.map_mut("RULES").context("the object has no map RULES")?;
    let mut map: Array<&mut MapData, Wire<Rules>> = map.try_into()?;
    map.set(0, Wire(rules), 0).context("writing the map RULES")?;
    let map = ebpf.map_mut(maps::in_object(maps::EDITION)).context("the object has no map EDITION")?;
    let mut map: Array<&mut MapData, u32> = map.try_into()?;
    map.set(0, rules.edition(), 0).context("writing the map EDITION")
}

/// The frame in one piece, if the program can be shown it. Zeros stand for what was not captured, which is as good as
/// long as nobody looks there.
fn showable(frame: &CapturedFrame<'_>, packet: Option<&Packet>) -> Option<Vec<u8>> {
    let whole = packet.is_some() || !frame.is_cut_short();
    let fits = (SMALLEST_FRAME..=LARGEST_FRAME).contains(&frame.length());
    (whole && fits).then(|| frame.to_vec())
}
