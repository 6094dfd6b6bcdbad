//! How many packets of a flood end at a real interface in a second, beside other ways to drop them.

mod rival;
mod turns;
mod xdp_filter;

use std::os::fd::AsFd as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_common::cause::Cause;
use scanguard_harness::{Frame, GUARDED_V4, Host, INTERFACE, OUTSIDE_V4};
use serde_json::Value;

use crate::bare::{XDP_DROP, always, drops_where};
use crate::cable::{Cable, Receiver, Source};
use crate::kernel::Kind;
use crate::kernel::link::open;
use crate::row::{Goal, Judged, Row, Section, Unit};
use crate::sample::Pairs;

use self::rival::{RIVALS, Undo};
use self::turns::{Contender, TURN, TURNS, rates};
use self::xdp_filter::XdpFilter;

/// How the benchmark is called.
pub const NAME: &str = "floods";

/// How long a filter of the kernel's is measured in each repetition, and how long it runs before it counts.
const SPAN: Duration = Duration::from_millis(300);
const WARM_UP: Duration = Duration::from_millis(100);

/// The port that the flood is for. Nothing listens there.
const PORT: u16 = 9;
/// Where that stands in a frame of TCP over IPv4 without tags and options.
const PORT_OFFSET: i16 = 14 + 20 + 2;

/// Measures an XMAS flood before scanguard, before the floor and before every rival, in turn.
///
/// # Errors
///
/// Fails where a rival is not installed, and where somebody lets the flood through.
pub fn measure(scanguard: &Path, repetitions: usize) -> Result<Section> {
    let cable = Cable::lay()?;
    let frame = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).tcp(40_000, PORT).flags("FPU").build();
    let source = Source::flood(&cable, frame)?;
    let mut beside_floor = Pairs::default();
    let mut beside_reader = Pairs::default();
    let mut beside_xdp_filter = Pairs::default();
    let mut beside_rivals: Vec<Pairs> = RIVALS.iter().map(|_| Pairs::default()).collect();
    for _ in 0..repetitions {
        let line = Line { cable: &cable, source: &source };
        let [guarded, bare, reading, filtering] = by_turns(&line, scanguard)?;
        beside_floor.push(bare, guarded);
        beside_reader.push(reading, guarded);
        beside_xdp_filter.push(filtering, guarded);
        for (rival, pairs) in RIVALS.iter().zip(&mut beside_rivals) {
            let counter = || rival.counter.read(&cable.lab.guarded);
            let rate = line.rate(rival.name, &rival.set_up(&cable)?, &counter)?;
            pairs.push(rate, guarded);
        }
    }
    source.stop()?;

    let row =
        |base, pairs, goal| Row::compared("XMAS flood", Unit::Packets, base, pairs, Judged::Ratio, goal);
    let mut rows = vec![
        row("bare drop", &beside_floor, Goal::AtLeast(0.93))?,
        row("bare drop by port", &beside_reader, Goal::None)?,
        row(xdp_filter::NAME, &beside_xdp_filter, Goal::AtLeast(1.0))?,
    ];
    for (rival, pairs) in RIVALS.iter().zip(&beside_rivals) {
        rows.push(row(rival.name, pairs, rival.goal)?);
    }
    let about = format!(
        "XMAS probes, sent by one processor as fast as it can and received over a veth by a thread of its own on another: \
         packets in a second of that thread's processor time. Nothing of the flood may reach the host's TCP. A bare drop \
         never reads the frame, which another processor has written; *by port* it reads two bytes of it first. XDP \
         programs take turns of {} ms in the same link, {TURNS} each in a repetition; the kernel's own filters follow, for \
         {} ms each. Each repetition loads all of them anew, because where the kernel puts a program makes a difference. \
         All but the bare ones count what they drop, and by that it is made sure that they drop everything.",
        TURN.as_millis(),
        SPAN.as_millis(),
    );
    Ok(Section { name: NAME, about, rows, notes: versions(&cable.lab.guarded)? })
}

/// The rates of XDP programs that are loaded anew: of scanguard, of both bare ones, and of xdp-filter.
fn by_turns(line: &Line<'_>, scanguard: &Path) -> Result<[f64; 4]> {
    let host = &line.cable.lab.guarded;
    let floor = host.within(|| always(Kind::Xdp, XDP_DROP))?;
    let reader = host.within(|| drops_where(PORT_OFFSET, PORT.to_be_bytes()))?;
    let xdp_filter = XdpFilter::load(host)?;
    let receiver = guard(line.cable, scanguard, EACH_BY_ITSELF)?;
    let (link, program) = host.within(|| open(Path::new(ENTRY)))?;
    let told = || told(host, scanguard);
    let told_by_xdp_filter = || xdp_filter::COUNTER.read(host);
    let contenders = [
        Contender { name: "scanguard", program: program.as_fd(), counter: Some(&told) },
        Contender { name: "bare drop", program: floor.as_fd(), counter: None },
        Contender { name: "bare drop by port", program: reader.as_fd(), counter: None },
        Contender {
            name: xdp_filter::NAME,
            program: xdp_filter.program.as_fd(),
            counter: Some(&told_by_xdp_filter),
        },
    ];
    let rates = rates(line, &receiver, link.as_fd(), &contenders);
    drop(link); // scanguard waits for that when it is detached
    rates
}

/// The cable, and what keeps it full.
struct Line<'a> {
    cable: &'a Cable,
    source: &'a Source,
}

/// The kernel counts what arrives by the batch, and so may be that much ahead of whoever drops it.
const BATCH: u64 = 256;

impl Line<'_> {
    /// Measures whatever is attached, and makes sure by what it counts itself that it has dropped everything.
    fn rate<T>(&self, name: &str, receiver: &Receiver<T>, counter: &dyn Fn() -> Result<u64>) -> Result<f64> {
        let context = || format!("measuring {name}");
        receiver.await_frames(self.cable, self.source).with_context(context)?;
        thread::sleep(WARM_UP);
        let passed = self.cable.segments()?;
        let before = counter().with_context(context)?;
        let taken = receiver.take(self.cable, self.source, SPAN).with_context(context)?;
        let (dropped, received) = (counter().with_context(context)? - before, taken.packets);
        ensure!(dropped + BATCH >= received, "{name} dropped {dropped} of {received} packets");
        let passed = self.cable.segments()? - passed;
        ensure!(passed == 0, "{name} let {passed} of {received} packets through");
        Ok(taken.rate())
    }
}

/// How many packets of the flood scanguard says it has dropped.
fn told(host: &Host, scanguard: &Path) -> Result<u64> {
    let cause = Cause::TcpXmas.name();
    let said = host.run(scanguard, ["stats", INTERFACE, "--json", "--cause", cause])?;
    let lines = said.lines().map(serde_json::from_str::<Value>);
    let lines = lines.collect::<Result<Vec<_>, _>>().with_context(|| format!("scanguard says {said}"))?;
    let line = lines.iter().find(|line| line.get("cause").and_then(Value::as_str) == Some(cause));
    let packets = line.and_then(|line| line.get("packets")).and_then(Value::as_u64);
    packets.with_context(|| format!("scanguard says nothing of {cause}: {said}"))
}

/// The options by which each packet of a flood is judged by itself: its sender is not banned, and what is closed is dropped
/// from the first packet on.
pub(crate) const EACH_BY_ITSELF: &[&str] = &["--preset", "off", "--closed-ports", "ingress"];

/// Where scanguard pins the link of the first interface that it guards.
pub(crate) const ENTRY: &str = "/sys/fs/bpf/scanguard/links/0";

/// scanguard, attached with these options to the end of the cable. It goes when this is dropped.
pub(crate) fn guard(cable: &Cable, scanguard: &Path, options: &[&str]) -> Result<Receiver<Undo>> {
    let host = &cable.lab.guarded;
    let words = [&["attach", INTERFACE, "--mode", "native"], options].concat();
    let undo = [scanguard.to_string_lossy().as_ref(), "detach", INTERFACE].map(str::to_owned);
    cable.receive(|| {
        host.run(scanguard, words)?;
        Ok(Undo { host: host.clone(), lines: vec![undo.to_vec()], merges: false })
    })
}

/// What was compared to, as it names itself.
fn versions(host: &Host) -> Result<Vec<String>> {
    ["nft --version", "iptables --version", "xdp-filter load --version"]
        .into_iter()
        .map(|line| {
            let (program, words) = line.split_once(' ').context("a command and its words")?;
            // xdp-filter counts the question as a failure, and answers it all the same.
            let output = host.spawn(program, words.split(' '))?.wait(LIMIT)?;
            let said = String::from_utf8_lossy(&output.stdout);
            let version = said.lines().next().map(str::to_owned);
            version.with_context(|| format!("`{line}` says nothing"))
        })
        .collect()
}

/// The longest that somebody may take to tell a version.
const LIMIT: Duration = Duration::from_secs(10);
