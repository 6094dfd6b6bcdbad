//! What single paths are measured on: a host with real sockets, and scanguard's programs loaded in it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result};
use aya::maps::{Array, MapData, PerCpuArray};
use aya::programs::{SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader, Pod};
use scanguard::program::{EGRESS, INGRESS};
use scanguard_common::cause::Cause;
use scanguard_common::count;
use scanguard_common::parse::link::MacAddress;
use scanguard_common::policy::{ClosedPorts, Policy, Preset};
use scanguard_common::schema::{Interface, InterfaceSlot, Rules};
use scanguard_common::time::Nanos;
use scanguard_harness::{GUARDED_MAC, GUARDED_V4, GUARDED_V6, Lab};

/// A TCP port where a program listens.
pub(crate) const OPEN: u16 = 80;
/// A UDP port that a program is bound to.
pub(crate) const BOUND: u16 = 53;
/// A port where nothing listens.
pub(crate) const CLOSED: u16 = 9;

/// The lab, with a listener, a bound socket and a connection over each family.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) lab: Lab,
    _listener: TcpListener,
    _bound: UdpSocket,
    connections: Vec<(TcpStream, TcpStream)>,
}

/// One end of a connection.
pub(crate) type End = (IpAddr, u16);

impl Ground {
    pub(crate) fn prepare() -> Result<Ground> {
        let lab = Lab::new()?;
        let any = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let listener = lab.guarded.within(|| TcpListener::bind(any(OPEN)))?;
        let bound = lab.guarded.within(|| UdpSocket::bind(any(BOUND)))?;
        let mut connections = Vec::new();
        for address in [IpAddr::from(GUARDED_V4), GUARDED_V6.into()] {
            let client = lab.outside.within(|| TcpStream::connect((address, OPEN)))?;
            connections.push((client, listener.accept()?.0));
        }
        Ok(Ground { lab, _listener: listener, _bound: bound, connections })
    }

    /// Both ends of the connection over a family: the outside one, and the guarded host's.
    pub(crate) fn connection(&self, family: Family) -> Result<(End, End)> {
        let is_of_family = |(address, _): &End| address.is_ipv4() == (family == Family::V4);
        let mut ends = self.connections.iter().map(|(client, server)| Ok((end(client)?, end(server)?)));
        let found =
            ends.find(|ends: &Result<_>| ends.as_ref().map_or(true, |(outside, _)| is_of_family(outside)));
        found.context("there is a connection over each family")?
    }
}

fn end(stream: &TcpStream) -> Result<End> {
    let address = stream.local_addr()?;
    Ok((address.ip().to_canonical(), address.port()))
}

/// Which IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    /// A source of so many, far from the others' networks. Only the number's upper 24 bits count.
    pub(crate) fn stranger(self, number: u32) -> IpAddr {
        const FIRST: u8 = 100;
        let number = number & !0xff | u32::from(FIRST);
        match self {
            Family::V4 => Ipv4Addr::from(number.to_le_bytes()).into(),
            Family::V6 => {
                let [a, b, c, d] = number.to_le_bytes();
                let mut address = [0; 16];
                address[..8].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8, a, b, c, d]);
                Ipv6Addr::from(address).into()
            }
        }
    }
}

/// scanguard's programs, loaded with maps of their own.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) ebpf: Ebpf,
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

impl Programs {
    /// Loads them as they are.
    pub(crate) fn load() -> Result<Programs> {
        let mut ebpf = EbpfLoader::new()
            .override_global("SLOT", &SLOT, true)
            .override_global("HASH_SEED", &SEED, true)
            .override_global(aya_log::LEVEL, &0u8, true)
            .load(scanguard::program::object()?)?;
        // So that what is closed is dropped from the first packet on.
        let policy = Policy { closed_ports: ClosedPorts::Ingress, ..Policy::default() };
        let interface = Interface::new(0xff, MacAddress(GUARDED_MAC), policy, Nanos(1));
        let mut interfaces: Array<_, Record<Interface>> =
            ebpf.map_mut("INTERFACES").context("INTERFACES")?.try_into()?;
        interfaces.set(SLOT, Record(interface), 0)?;
        let mut programs = Programs { ebpf };
        programs.judge_with_allowed(0)?;
        let ebpf = &mut programs.ebpf;
        let ingress: &mut Xdp = ebpf.program_mut(INGRESS).context("the first door")?.try_into()?;
        ingress.load()?;
        let egress: &mut SchedClassifier = ebpf.program_mut(EGRESS).context("the second door")?.try_into()?;
        egress.load()?;
        Ok(programs)
    }

    /// Keeps evidence and bans nobody, with so many entries on the allowlist: one that is empty is not asked.
    pub(crate) fn judge_with_allowed(&mut self, allowed: u32) -> Result<()> {
        let rules = Rules::new(Preset::Off.judgement(), SEED).with_lists(allowed, 0);
        let mut map: Array<_, Record<Rules>> = self.ebpf.map_mut("RULES").context("RULES")?.try_into()?;
        Ok(map.set(0, Record(rules), 0)?)
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
        let counts: PerCpuArray<&MapData, [u64; 2]> =
            self.ebpf.map("COUNTS").context("COUNTS")?.try_into()?;
        let slot = InterfaceSlot::new(SLOT).context("a slot that exists")?;
        Ok(counts.get(&count::index(slot, cause), 0)?.iter().map(|[packets, _]| packets).sum())
    }

    /// How many flows are remembered.
    pub(crate) fn flows(&self) -> Result<usize> {
        let flows: aya::maps::HashMap<&MapData, [u32; 10], u64> =
            self.ebpf.map("FLOWS").context("FLOWS")?.try_into()?;
        Ok(flows.keys().count())
    }
}
