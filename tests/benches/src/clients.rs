//! What legitimate clients get through a guarded interface, in peace and under floods.

mod load;
mod ports;

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use scanguard::program::INGRESS;
use scanguard_common::cause::Cause;
use scanguard_harness::{Frame, GUARDED_V4, OUTSIDE_V4, Random};

use crate::bare::{XDP_PASS, always, drops_where};
use crate::cable::{Cable, Receiver, Source};
use crate::clients::load::{Load, Servers};
use crate::floods::{EACH_BY_ITSELF, attach, guard};
use crate::ground::{CLOSED, Ground};
use crate::kernel::{Kind, Program, run};
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

/// Another interface of the guarded host, which is guarded all the while: so what was learned stays while that of the clients
/// is guarded by turns, and a flood meets a host that was guarded before it began.
const ANOTHER: &str = "another";

/// What goes on while clients are served, and how scanguard is attached.
struct Scene {
    name: &'static str,
    flood: Option<Flood>,
    options: &'static [&'static str],
    loads: &'static [Load],
    goal: Goal,
    /// How many times as often as others it is repeated.
    times: usize,
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
    // What is to be told apart is a third of what one second differs from the next.
    Scene {
        name: "in peace",
        flood: None,
        options: AS_IT_IS,
        loads: &Load::ALL,
        goal: Goal::AtLeast(0.97),
        times: 3,
    },
    Scene {
        name: "under an XMAS flood",
        flood: Some(Flood {
            frames: || vec![Frame::ipv4(SCANNER, GUARDED_V4).tcp(MARK, CLOSED).flags("FPU").build()],
            causes: &[Cause::TcpXmas],
        }),
        options: AS_IT_IS,
        loads: &Load::ALL,
        goal: Goal::AtLeast(0.9),
        times: 1,
    },
    Scene {
        name: "under a SYN flood to closed ports",
        flood: Some(CLOSED_PORTS),
        options: AS_IT_IS,
        loads: &Load::ALL,
        goal: Goal::AtLeast(0.9),
        times: 1,
    },
    Scene {
        name: "under a SYN flood from forged sources",
        flood: Some(Flood { frames: || forged("S"), causes: &[Cause::ClosedPort] }),
        options: AS_IT_IS,
        loads: &Load::ALL,
        goal: Goal::AtLeast(0.9),
        times: 1,
    },
    // Nobody is banned then, so that the flood costs as much as it can.
    Scene {
        name: "under a SYN flood to closed ports, with nobody banned",
        flood: Some(CLOSED_PORTS),
        options: EACH_BY_ITSELF,
        loads: &[Load::PagesIn],
        goal: Goal::None,
        times: 1,
    },
    // Each of these may be a survivor of a restart. Some draw a reset, which is mercy and costs: no goal is set for it.
    Scene {
        name: "under an ACK flood from forged sources",
        flood: Some(Flood { frames: || forged("A"), causes: &[Cause::Stray, Cause::StrayFlood] }),
        options: AS_IT_IS,
        loads: &[Load::PagesIn],
        goal: Goal::None,
        times: 1,
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

/// Measures every load in every scene so many times, guarded and with a bare program in turn.
///
/// # Errors
///
/// Fails where a client is not served at all, and where no flood arrives.
pub fn measure(scanguard: &Path, repetitions: usize) -> Result<Section> {
    let cable = Cable::lay()?;
    cable.lab.add_source(SCANNER.into())?;
    // So that refusals to whoever forged his address have somewhere to go, as they have on the Internet.
    cable.lab.guarded.ip(&format!("route add default via {OUTSIDE_V4}"))?;
    cable.lab.guarded.ip(&format!("link add {ANOTHER} type veth"))?;
    let servers = Servers::start(&cable)?;
    let (pass, drop_flood) = cable.lab.guarded.within(|| {
        Ok::<_, anyhow::Error>((always(Kind::Xdp, XDP_PASS)?, drops_where(MARK_OFFSET, MARK.to_be_bytes())?))
    })?;
    let mut rows = Vec::new();
    for scene in &SCENES {
        let bare = if scene.flood.is_some() { &drop_flood } else { &pass };
        let source =
            scene.flood.as_ref().map(|flood| Source::trickle(&cable, (flood.frames)(), FLOOD)).transpose()?;
        let base = if scene.flood.is_some() { "bare drop of the flood" } else { "bare pass" };
        let mut pairs = vec![Pairs::default(); scene.loads.len()];
        let _stays = attach(&cable.lab.guarded, scanguard, scene.options, ANOTHER)?;
        let sides = Sides { cable: &cable, servers: &servers, scene, bare, scanguard };
        for repetition in 0..scene.times * repetitions {
            for (load, pairs) in scene.loads.iter().zip(&mut pairs) {
                let compared = sides.compare(*load, repetition);
                let (bare, guarded) = compared.with_context(|| format!("{}, {}", load.name(), scene.name))?;
                pairs.push(bare, guarded);
            }
        }
        for (load, pairs) in scene.loads.iter().zip(&pairs) {
            let name = format!("{}, {}", load.name(), scene.name);
            rows.push(Row::compared(&name, load.unit(), base, pairs, Judged::Ratio, scene.goal)?);
        }
        if let Some(source) = source {
            ensure!(source.sent() > 0, "no flood was sent");
            source.stop()?;
        }
    }
    let about = format!(
        "What legitimate clients get in a second over a veth without offloads, clients on one processor, servers and the \
         receiving thread on another; that thread goes before the servers, as what a driver has to do goes before \
         processes. *In* is from the outside host to the guarded one, *out* the other way; with new \
         connections each request has a connection of its own, and clients use a port again a second after it was \
         used. scanguard is attached as it is, without options; another interface is guarded all the while, so that what \
         was learned stays. A flood has {FLOOD} packets a second, and what it is \
         compared to is a program that drops exactly the flood. The XMAS flood and the one to closed ports come from one \
         address each, which is banned before long; where it is not, by `--preset off`, a row of its own says so. In \
         peace each load is repeated three times as often as anything else here."
    );
    Ok(Section { name: NAME, about, rows, notes: Vec::new() })
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

/// What is compared in a scene.
#[derive(Clone, Copy)]
struct Sides<'a> {
    cable: &'a Cable,
    servers: &'a Servers,
    scene: &'a Scene,
    bare: &'a Program,
    scanguard: &'a Path,
}

impl Sides<'_> {
    /// A load with the bare program, and at once the same guarded; by turns the one or the other comes first, so that a
    /// machine that gets slower favours neither.
    fn compare(self, load: Load, repetition: usize) -> Result<(f64, f64)> {
        if repetition.is_multiple_of(2) {
            let bare = self.bare(load)?;
            Ok((bare, self.guarded(load)?))
        } else {
            let guarded = self.guarded(load)?;
            Ok((self.bare(load)?, guarded))
        }
    }

    fn bare(self, load: Load) -> Result<f64> {
        self.serve(load, &self.cable.receive_by(self.bare)?)
    }

    fn guarded(self, load: Load) -> Result<f64> {
        self.serve(load, &guard(self.cable, self.scanguard, self.scene.options)?)
    }

    fn serve<T>(self, load: Load, receiver: &Receiver<T>) -> Result<f64> {
        receiver.goes_first()?;
        self.servers.serve(self.cable, load)
    }
}
