//! What legitimate clients get through a guarded interface, in peace and under floods.

mod load;
mod ports;
mod turns;

use std::net::Ipv4Addr;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard::program::INGRESS;
use scanguard_common::cause::Cause;
use scanguard_harness::{Frame, GUARDED_V4, OUTSIDE_V4, Random};

use crate::bare::{XDP_PASS, always, drops_where};
use crate::cable::{Cable, Source};
use crate::clients::load::{Load, Servers};
use crate::clients::ports::Ports;
use crate::clients::turns::{EACH, Side, Turns};
use crate::floods::{EACH_BY_ITSELF, guard};
use crate::ground::{CLOSED, Ground};
use crate::kernel::{Kind, run};
use crate::programs::{Judging, Programs};
use crate::row::{Goal, Judged, Row, Section};
use crate::sample::Pairs;

/// How the benchmark is called.
pub const NAME: &str = "clients";

/// How many packets a second a flood has.
const FLOOD: u32 = 100_000;

/// The port that every flood comes from, by which a bare program tells it from everything else.
const MARK: u16 = 6_666;
/// Where that stands in a frame of TCP over IPv4 without tags and options.
const MARK_OFFSET: i16 = 14 + 20;

/// Where floods come from that come from one address: not the clients'.
const SCANNER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 66);

/// How long clients are served by scanguard before it counts: whoever sends a flood from one address is banned by then.
const WARM_UP: Duration = Duration::from_secs(1);

/// What goes on while clients are served, and how scanguard is attached.
struct Scene {
    name: &'static str,
    flood: Option<Flood>,
    options: &'static [&'static str],
    loads: &'static [Load],
    goal: Goal,
}

/// Packets that scanguard has to tell from the clients'.
#[derive(Clone, Copy)]
struct Flood {
    frames: fn() -> Vec<Vec<u8>>,
    /// For which of these causes it is to count each of them that is judged by itself.
    causes: &'static [Cause],
}

/// As whoever attaches it gets it.
const AS_IT_IS: &[&str] = &[];

const CLOSED_PORTS: Flood = Flood {
    frames: || {
        let syn = |port| Frame::ipv4(SCANNER, GUARDED_V4).tcp(MARK, port).flags("S").linux_options().build();
        (20_000..20_256).map(syn).collect()
    },
    causes: &[Cause::ClosedPort],
};

const SCENES: [Scene; 6] = [
    Scene { name: "in peace", flood: None, options: AS_IT_IS, loads: &Load::ALL, goal: Goal::AtLeast(0.97) },
    Scene {
        name: "under an XMAS flood",
        flood: Some(Flood {
            frames: || vec![Frame::ipv4(SCANNER, GUARDED_V4).tcp(MARK, CLOSED).flags("FPU").build()],
            causes: &[Cause::TcpXmas],
        }),
        options: AS_IT_IS,
        loads: &Load::ALL,
        goal: Goal::AtLeast(0.9),
    },
    Scene {
        name: "under a SYN flood to closed ports",
        flood: Some(CLOSED_PORTS),
        options: AS_IT_IS,
        loads: &Load::ALL,
        goal: Goal::AtLeast(0.9),
    },
    Scene {
        name: "under a SYN flood from forged sources",
        flood: Some(Flood { frames: || forged("S"), causes: &[Cause::ClosedPort] }),
        options: AS_IT_IS,
        loads: &Load::ALL,
        goal: Goal::AtLeast(0.9),
    },
    // Nobody is banned then, so that the flood costs as much as it can.
    Scene {
        name: "under a SYN flood to closed ports, with nobody banned",
        flood: Some(CLOSED_PORTS),
        options: EACH_BY_ITSELF,
        loads: &[Load::PagesIn],
        goal: Goal::None,
    },
    // Each of these may be a survivor of a restart. Some draw a reset, which is mercy and costs: no goal is set for it.
    Scene {
        name: "under an ACK flood from forged sources",
        flood: Some(Flood { frames: || forged("A"), causes: &[Cause::Stray, Cause::StrayFlood] }),
        options: AS_IT_IS,
        loads: &[Load::PagesIn],
        goal: Goal::None,
    },
];

/// Segments to a closed port from so many sources that none comes again within five seconds.
fn forged(flags: &str) -> Vec<Vec<u8>> {
    const SOURCES: usize = 5 * FLOOD as usize;
    let mut random = Random::seeded(0x5eed_0005);
    let mut segment = || {
        let source = Ipv4Addr::new(100, random.byte(), random.byte(), random.byte());
        Frame::ipv4(source, GUARDED_V4).tcp(MARK, CLOSED).flags(flags).build()
    };
    (0..SOURCES).map(|_| segment()).collect()
}

/// Measures every load in every scene so many times, guarded and with a bare program by turns.
///
/// # Errors
///
/// Fails where a client is not served at all, and where no flood arrives.
pub fn measure(scanguard: &Path, repetitions: usize) -> Result<Section> {
    let cable = Cable::lay()?;
    cable.lab.add_source(SCANNER.into())?;
    // So that refusals to whoever forged his address have somewhere to go, as they have on the Internet.
    cable.lab.guarded.ip(&format!("route add default via {OUTSIDE_V4}"))?;
    let servers = Servers::start(&cable)?;
    let (pass, drop_flood) = cable.lab.guarded.within(|| {
        Ok::<_, anyhow::Error>((always(Kind::Xdp, XDP_PASS)?, drops_where(MARK_OFFSET, MARK.to_be_bytes())?))
    })?;
    let mut rows = Vec::new();
    for scene in &SCENES {
        let (base, bare) = match scene.flood {
            Some(_) => ("bare drop of the flood", &drop_flood),
            None => ("bare pass", &pass),
        };
        let receiver = guard(&cable, scanguard, scene.options)?;
        receiver.goes_first()?;
        let mut turns = Turns::of(&cable.lab.guarded, bare)?;
        let flood = scene.flood.map(|flood| Source::trickle(&cable, (flood.frames)(), FLOOD)).transpose()?;
        for load in scene.loads {
            let name = format!("{}, {}", load.name(), scene.name);
            let pairs = compare(&cable, &servers, *load, &mut turns, repetitions);
            let pairs = pairs.with_context(|| name.clone())?;
            rows.push(Row::compared(&name, load.unit(), base, &pairs, Judged::Ratio, scene.goal)?);
        }
        if let Some(flood) = flood {
            ensure!(flood.sent() > 0, "no flood was sent");
            flood.stop()?;
        }
    }
    let about = format!(
        "What legitimate clients get in a second over a veth without offloads, clients on one processor, servers and the \
         receiving thread on another; that thread goes before the servers, as what a driver has to do goes before \
         processes. *In* is from the outside host to the guarded one, *out* the other way; with new \
         connections each request has a connection of its own, and clients use a port again a second after it was \
         used. scanguard is attached as it is, without options. While clients go on, a bare program takes its place by turns, \
         and nothing where frames leave: turns of {} ms, for streams {} ms, until each has had {} s, which is one \
         repetition. A flood has {FLOOD} packets a second, and what it is compared to is a program that drops exactly the \
         flood. The XMAS flood \
         and the one to closed ports come from one address each, which is banned before long; where it is not, by \
         `--preset off`, a row of its own says so.",
        Load::PagesIn.turn().as_millis(),
        Load::StreamIn.turn().as_millis(),
        EACH.as_secs_f64(),
    );
    Ok(Section { name: NAME, about, rows, notes: Vec::new() })
}

/// Serves clients while both sides take turns.
fn compare(
    cable: &Cable,
    servers: &Servers,
    load: Load,
    turns: &mut Turns<'_>,
    repetitions: usize,
) -> Result<Pairs> {
    let ports = Ports::of(&cable.lab.outside)?;
    let clients = servers.serve(cable, load)?;
    turns.take(Side::Guarded)?;
    thread::sleep(WARM_UP);
    let mut pairs = Pairs::default();
    for _ in 0..repetitions {
        let (bare, guarded) = turns.compare(&clients, load.turn())?;
        pairs.push(bare, guarded);
    }
    drop(clients);
    if load == Load::ConnectionsIn {
        ports.check(Ports::of(&cable.lab.outside)?)?;
    }
    Ok(pairs)
}

/// Makes sure that the floods are what they are called: scanguard counts every frame for its cause.
///
/// # Errors
///
/// Fails where it counts one for another.
pub fn check_floods() -> Result<()> {
    let ground = Ground::prepare()?;
    ground.lab.guarded.within(|| {
        let programs = Programs::load(Judging::EachByItself)?;
        for scene in &SCENES {
            let Some(flood) = &scene.flood else { continue };
            let counted =
                || -> Result<u64> { flood.causes.iter().map(|cause| programs.counted(*cause)).sum() };
            let before = counted()?;
            let frames = (flood.frames)();
            for frame in &frames {
                run(programs.door(INGRESS)?, frame, 1)?;
            }
            let counted = counted()? - before;
            let names: Vec<&str> = flood.causes.iter().map(|cause| cause.name()).collect();
            ensure!(
                counted == frames.len() as u64,
                "{}: {counted} of {} are counted as {}",
                scene.name,
                frames.len(),
                names.join(" or ")
            );
        }
        Ok(())
    })
}
