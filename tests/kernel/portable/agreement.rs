//! The engine decides the same in the kernel as in user space, frame by frame, and counts it once.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use anyhow::{Context, Result, ensure};
use aya::maps::{Array, HashMap, MapData, PerCpuArray, PerCpuValues};
use aya::programs::{TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader, Pod};
use scanguard::Wire;
use scanguard_common::cause::{Action, Cause};
use scanguard_common::count::{self, CAUSES_PER_INTERFACE};
use scanguard_common::evidence::Knock;
use scanguard_common::key::{Address, spread};
use scanguard_common::mark::Reason;
use scanguard_common::parse::link::MacAddress;
use scanguard_common::parse::{Packet, parse};
use scanguard_common::policy::Policy;
use scanguard_common::schema::{DOOR_PLACES, Interface, InterfaceSlot, Rules};
use scanguard_common::stray::{BURST_OF_ALL, Budget};
use scanguard_common::time::Nanos;
use scanguard_harness::{GUARDED_MAC, GUARDED_V4, GUARDED_V6, Lab, OUTSIDE_V4, OUTSIDE_V6, Traffic, World};

use crate::ledger::found;

/// How many frames are judged, unless the environment says otherwise: virtual machines are slow.
const FRAMES: usize = 200_000;
const FRAMES_VARIABLE: &str = "SCANGUARD_FRAMES";
const OPEN: u16 = 80;
const CONNECTED: u16 = 22;
const REMOTE_SERVICE: u16 = 8080;

#[test]
fn host_and_kernel_agree_on_a_host() {
    agree(0x5eed_0002, Role::Host).expect("agreement");
}

#[test]
fn host_and_kernel_agree_on_a_router() {
    agree(0x5eed_0003, Role::Router).expect("agreement");
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Host,
    Router,
}

fn agree(seed: u64, role: Role) -> Result<()> {
    println!("seed {seed:#x}");
    let lab = Lab::new()?;
    let sockets = Sockets::open(&lab)?;
    let mut world = sockets.world();
    if role == Role::Router {
        lab.guarded.ip(&format!("route add default via {OUTSIDE_V4}"))?;
        lab.guarded.ip(&format!("-6 route add default via {OUTSIDE_V6}"))?;
        lab.guarded.within(forward_everything)?;
        world = world.forwarding().learning();
    }
    let mut traffic = Traffic::seeded(seed, sockets.ports());
    lab.guarded.within(move || {
        let mut kernel = Kernel::load()?;
        for number in 0..frames()? {
            let frame = traffic.frame();
            kernel.judge_like(&world, &frame).with_context(|| format!("frame {number}: {frame:02x?}"))?;
        }
        kernel.counted_nothing_else()
    })
}

pub(super) fn frames() -> Result<usize> {
    match std::env::var(FRAMES_VARIABLE) {
        Ok(number) => number.parse().with_context(|| format!("{FRAMES_VARIABLE}={number}")),
        Err(_) => Ok(FRAMES),
    }
}

fn forward_everything() -> io::Result<()> {
    std::fs::write("/proc/sys/net/ipv4/conf/all/forwarding", "1")?;
    std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1")
}

/// Real sockets of the guarded host: listeners, and a connection each way over each family.
pub(super) struct Sockets {
    _listeners: Vec<TcpListener>,
    connections: Vec<(TcpStream, TcpStream)>,
}

impl Sockets {
    pub(super) fn open(lab: &Lab) -> Result<Sockets> {
        let any = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let listen = |port| lab.guarded.within(|| TcpListener::bind(any(port)));
        let service = listen(CONNECTED)?;
        let remote = lab.outside.within(|| TcpListener::bind(any(REMOTE_SERVICE)))?;
        let mut connections = Vec::new();
        for (guarded, outside) in addresses() {
            let inbound = lab.outside.within(|| TcpStream::connect((guarded, CONNECTED)))?;
            connections.push((service.accept()?.0, inbound));
            let outbound = lab.guarded.within(|| TcpStream::connect((outside, REMOTE_SERVICE)))?;
            connections.push((outbound, remote.accept()?.0));
        }
        Ok(Sockets { _listeners: vec![service, listen(OPEN)?], connections })
    }

    pub(super) fn world(&self) -> World {
        let own = addresses().map(|(guarded, _)| guarded);
        let world = World::with_addresses(own).listening(OPEN).listening(CONNECTED);
        self.connections
            .iter()
            .fold(world, |world, (local, remote)| world.connected(end_of(remote), end_of(local)))
    }

    /// The ports worth aiming at.
    fn ports(&self) -> Vec<u16> {
        let ends = self.connections.iter().flat_map(|(local, remote)| [end_of(local).1, end_of(remote).1]);
        ends.chain([OPEN, CONNECTED, REMOTE_SERVICE]).collect()
    }
}

fn addresses() -> [(IpAddr, IpAddr); 2] {
    [(GUARDED_V4.into(), OUTSIDE_V4.into()), (GUARDED_V6.into(), OUTSIDE_V6.into())]
}

fn end_of(stream: &TcpStream) -> (IpAddr, u16) {
    let address = stream.local_addr().expect("a connected socket has an address");
    (address.ip().to_canonical(), address.port())
}

/// The program, loaded into the kernel and run on frames of ours.
pub(super) struct Kernel {
    ebpf: Ebpf,
    frames: u64,
}

const SLOT: u32 = 3;

/// Since when the interface is guarded: as if it always were since just now.
const STILL_LEARNING: Nanos = Nanos(u64::MAX);

/// The seed of the program's hashes.
pub(super) const SEED: u64 = 1;

impl Kernel {
    pub(super) fn load() -> Result<Kernel> {
        Kernel::load_as(Policy::default(), None)
    }

    /// Guards by this policy, and judges evidence by these rules, or none.
    pub(super) fn load_as(policy: Policy, rules: Option<Rules>) -> Result<Kernel> {
        let mut ebpf = EbpfLoader::new()
            .override_global("SLOT", &SLOT, true)
            .override_global("HASH_SEED", &SEED, true)
            .override_global(aya_log::LEVEL, &0u8, true)
            .load(scanguard::program::object()?)?;
        let interface = Interface::new(0xff, MacAddress(GUARDED_MAC), policy, STILL_LEARNING);
        let mut interfaces: Array<_, Wire<Interface>> =
            ebpf.map_mut("INTERFACES").context("INTERFACES")?.try_into()?;
        interfaces.set(SLOT, Wire(interface), 0)?;
        let program: &mut Xdp =
            ebpf.program_mut(scanguard::program::INGRESS).context("program")?.try_into()?;
        program.load()?;
        let mut kernel = Kernel { ebpf, frames: 0 };
        if let Some(rules) = rules {
            kernel.set_rules(rules)?;
        }
        Ok(kernel)
    }

    /// Changes what holds for the whole host.
    pub(super) fn set_rules(&mut self, rules: Rules) -> Result<()> {
        let mut map: Array<_, Wire<Rules>> = self.ebpf.map_mut("RULES").context("RULES")?.try_into()?;
        map.set(0, Wire(rules), 0)?;
        let mut map: Array<_, u32> = self.ebpf.map_mut(".bss").context("EDITION")?.try_into()?;
        Ok(map.set(0, rules.edition(), 0)?)
    }

    /// Runs the program on one frame and demands the model's action, and its cause counted once, with its bytes. Returns
    /// the model's reason: it learns from each frame, so that it is asked once.
    pub(super) fn judge_like(&mut self, world: &World, frame: &[u8]) -> Result<Reason> {
        self.judge_unless(world, frame, |_, _| false)
    }

    /// The same, but the model looks for no mark in what is one too many of a crowd.
    pub(super) fn judge_unless(
        &mut self,
        world: &World,
        frame: &[u8],
        is_turned_away: impl FnOnce(&Packet, Cause) -> bool,
    ) -> Result<Reason> {
        if let Ok(packet) = parse(frame) {
            world.set_budget(packet.sender(), self.budget(packet.sender().words())?);
        }
        if self.frames.is_multiple_of(BURST_OF_ALL / 2) {
            self.forgive_strays()?;
        }
        world.set_now(now()?);
        let reason = world.reason_unless(frame, is_turned_away);
        let expected = reason.cause;
        let before = [self.counted(expected)?, self.counted(Cause::Stray)?];
        let action = self.run(frame)?;
        self.frames += 1;
        let after = [self.counted(expected)?, self.counted(Cause::Stray)?];
        let once = |(packets, bytes): (u64, u64)| (packets + 1, bytes + frame.len() as u64);
        // The clock goes on between the model and the kernel, and may have brought a budget back meanwhile.
        let settled = if expected == Cause::StrayFlood && after == [before[0], once(before[1])] {
            Cause::Stray
        } else {
            ensure!(after[0] == once(before[0]), "the kernel did not count it as {}", expected.name());
            expected
        };
        ensure!(action == settled.action(), "the kernel did {action:?} for {}", settled.name());
        Ok(reason)
    }

    /// Has all sources together have their whole budget again: that it ends has a test of its own, see `forgery`.
    fn forgive_strays(&mut self) -> Result<()> {
        let map = self.ebpf.map_mut("STRAYS_OF_ALL").context("STRAYS_OF_ALL")?;
        let mut of_all: PerCpuArray<_, u64> = map.try_into()?;
        let processors = of_all.get(&0, 0)?.len();
        Ok(of_all.set(0, PerCpuValues::try_from(vec![0; processors])?, 0)?)
    }

    pub(super) fn counted_nothing_else(&self) -> Result<()> {
        let slot = InterfaceSlot::new(SLOT).context("a slot that exists")?;
        let first = SLOT * CAUSES_PER_INTERFACE;
        let mut sum = 0;
        // Of how many drops an event was made is no cause.
        for index in (first..first + CAUSES_PER_INTERFACE).filter(|index| *index != count::told_index(slot)) {
            sum += self.counted_at(index)?.0;
        }
        ensure!(sum == self.frames, "{} frames, but {sum} counted", self.frames);
        Ok(())
    }

    pub(super) fn run(&self, frame: &[u8]) -> Result<Action> {
        let program: &Xdp = self.ebpf.program(scanguard::program::INGRESS).context("program")?.try_into()?;
        let options = TestRunOptions { data_in: Some(frame), ..Default::default() };
        match program.test_run(options)?.return_value {
            1 => Ok(Action::Drop),
            2 => Ok(Action::Pass),
            other => anyhow::bail!("the program returned {other}"),
        }
    }

    pub(super) fn counted(&self, cause: Cause) -> Result<(u64, u64)> {
        let slot = InterfaceSlot::new(SLOT).context("a slot that exists")?;
        self.counted_at(count::index(slot, cause))
    }

    fn counted_at(&self, index: u32) -> Result<(u64, u64)> {
        let counts: PerCpuArray<&MapData, [u64; 2]> =
            self.ebpf.map("COUNTS").context("COUNTS")?.try_into()?;
        let values = counts.get(&index, 0)?;
        Ok(values.iter().fold((0, 0), |(packets, bytes), [p, b]| (packets + p, bytes + b)))
    }

    /// What one of the program's maps holds of a source.
    pub(super) fn record<T: Copy>(&self, map: &str, source: Address) -> Result<Option<T>>
    where
        Wire<T>: Pod,
    {
        let records: HashMap<&MapData, [u32; 4], Wire<T>> =
            self.ebpf.map(map).with_context(|| map.to_owned())?.try_into()?;
        found(records.get(&source.words(), 0))
    }

    /// Who was last let in at a source's place at the door.
    pub(super) fn at_the_door(&self, source: Address) -> Result<Knock> {
        let door: Array<&MapData, Place> = self.ebpf.map("DOOR").context("DOOR")?.try_into()?;
        let place = spread(source, SEED) % u64::from(DOOR_PLACES);
        let Place(knock) = door.get(&u32::try_from(place)?, 0)?;
        Ok(knock)
    }

    fn budget(&self, source: [u32; 4]) -> Result<Budget> {
        let strays: HashMap<&MapData, [u32; 4], u64> =
            self.ebpf.map("STRAYS").context("STRAYS")?.try_into()?;
        Ok(strays.get(&source, 0).map_or_else(|_| Budget::default(), Budget::from_bits))
    }
}

/// The clock that the program reads.
pub(super) fn now() -> Result<Nanos> {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)?;
    let (seconds, nanos) = (u64::try_from(time.tv_sec())?, u64::try_from(time.tv_nsec())?);
    Ok(Nanos(seconds * Nanos::SECOND + nanos))
}

/// A place at the door as map memory.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct Place(Knock);

// SAFETY: `repr(transparent)` over a `repr(C)` record of integers without padding.
unsafe impl Pod for Place {}
