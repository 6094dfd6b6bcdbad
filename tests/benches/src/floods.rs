//! How many packets of a flood end at a real interface in a second, beside other ways to drop them.

mod rival;

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
use crate::row::{Goal, Judged, Row, Section, Unit};
use crate::sample::Pairs;

use self::rival::{RIVALS, Undo};

/// How the benchmark is called.
pub const NAME: &str = "floods";

/// How long each repetition lasts, and how long it runs before it counts.
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
    let floor = cable.lab.guarded.within(|| always(Kind::Xdp, XDP_DROP))?;
    let reader = cable.lab.guarded.within(|| drops_where(PORT_OFFSET, PORT.to_be_bytes()))?;
    let frame = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).tcp(40_000, PORT).flags("FPU").build();
    let source = Source::flood(&cable, frame)?;
    let told = || told(&cable.lab.guarded, scanguard);
    let mut beside_floor = Pairs::default();
    let mut beside_reader = Pairs::default();
    let mut beside_rivals: Vec<Pairs> = RIVALS.iter().map(|_| Pairs::default()).collect();
    for _ in 0..repetitions {
        let line = Line { cable: &cable, source: &source };
        let bare = line.rate("bare drop", &cable.receive_by(&floor)?, None)?;
        let reading = line.rate("bare drop by port", &cable.receive_by(&reader)?, None)?;
        let guarded = line.rate("scanguard", &guard(&cable, scanguard, EACH_BY_ITSELF)?, Some(&told))?;
        beside_floor.push(bare, guarded);
        beside_reader.push(reading, guarded);
        for (rival, pairs) in RIVALS.iter().zip(&mut beside_rivals) {
            let counter = || rival.counter.read(&cable.lab.guarded);
            let rate = line.rate(rival.name, &rival.set_up(&cable)?, Some(&counter))?;
            pairs.push(rate, guarded);
        }
    }
    source.stop()?;

    let row =
        |base, pairs, goal| Row::compared("XMAS flood", Unit::Packets, base, pairs, Judged::Ratio, goal);
    let mut rows = vec![
        row("bare drop", &beside_floor, Goal::AtLeast(0.93))?,
        row("bare drop by port", &beside_reader, Goal::None)?,
    ];
    for (rival, pairs) in RIVALS.iter().zip(&beside_rivals) {
        rows.push(row(rival.name, pairs, rival.goal)?);
    }
    let about = "XMAS probes, sent by one processor as fast as it can and received over a veth by a thread of its own \
        on another: packets in a second of that thread's processor time. Nothing of the flood may reach the host's TCP. A bare drop never \
        reads the frame, which another processor has written; *by port* it reads two bytes of it first. Rules count what \
        they drop, as scanguard does, and by that it is made sure that they drop everything.";
    Ok(Section { name: NAME, about: about.to_owned(), rows, notes: versions(&cable.lab.guarded)? })
}

/// The cable, and what keeps it full.
struct Line<'a> {
    cable: &'a Cable,
    source: &'a Source,
}

impl Line<'_> {
    /// Measures whatever is attached, and makes sure by what it counts itself that it has dropped everything.
    fn rate<T>(
        &self,
        name: &str,
        receiver: &Receiver<T>,
        counter: Option<&dyn Fn() -> Result<u64>>,
    ) -> Result<f64> {
        /// The kernel counts what arrives by the batch, and so may be that much ahead of whoever drops it.
        const BATCH: u64 = 256;
        let context = || format!("measuring {name}");
        receiver.await_frames(self.cable, self.source).with_context(context)?;
        thread::sleep(WARM_UP);
        let count = || counter.map(|count| count()).transpose();
        let passed = self.cable.segments()?;
        let dropped = count().with_context(context)?;
        let received = self.cable.received()?;
        let rate = receiver.rate(self.cable, self.source, SPAN).with_context(context)?;
        let received = self.cable.received()? - received;
        if let Some((before, after)) = dropped.zip(count().with_context(context)?) {
            let dropped = after - before;
            ensure!(dropped + BATCH >= received, "{name} dropped {dropped} of {received} packets");
        }
        let passed = self.cable.segments()? - passed;
        ensure!(passed == 0, "{name} let {passed} of {received} packets through");
        Ok(rate)
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
