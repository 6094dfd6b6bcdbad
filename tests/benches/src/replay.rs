//! How fast a capture is replayed, and how much memory that takes.

mod capture;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use scanguard_common::cause::Cause;
use scanguard_harness::GUARDED_V4;
use serde_json::Value;

use crate::machine;
use crate::row::{Goal, Judged, Row, Section, Unit};
use crate::sample::Pairs;
use crate::spent::{Spent, wait};

use self::capture::{PROBES_IN_A_ROUND, ROUND, write};

/// How the benchmark is called.
pub const NAME: &str = "replay";

/// How long the captures are, in packets: the second is long enough to fill most tables of a replay, the third is twice
/// as long.
const LENGTHS: [u64; 3] = [1_000_000, 5_000_000, 10_000_000];

/// The long ones are replayed once for so many times of the short one.
const SELDOM: usize = 8;

/// How much more memory a longer one may take: what two runs on the same capture differ by.
const INDEPENDENT: Goal = Goal::AtMost(1.05);

/// Replays a short capture so many times, and two long ones now and then.
///
/// # Errors
///
/// Fails where there is no room for the captures, and where a replay does not see all that is in them.
pub fn measure(scanguard: &Path, repetitions: usize) -> Result<Section> {
    let folder = Folder::make()?;
    let [short, full, long] = LENGTHS.map(|length| Capture::make(&folder, length));
    let (short, full, long) = (short?, full?, long?);
    let (mut short_rates, mut short_memory, mut long_rates) = (Vec::new(), Vec::new(), Vec::new());
    let mut memory = Pairs::default();
    for repetition in 0..repetitions {
        let of_short = short.replay(scanguard)?;
        short_rates.push(of_short.rate);
        short_memory.push(of_short.mebibytes);
        if repetition % SELDOM == 0 {
            let (of_full, of_long) = (full.replay(scanguard)?, long.replay(scanguard)?);
            long_rates.push(of_long.rate);
            memory.push(of_full.mebibytes, of_long.mebibytes);
        }
    }
    let (rate, name) = (Goal::AtLeast(1e6), "`scanguard replay`");
    let rows = vec![
        Row::alone(&format!("{name}, 1 000 000 packets"), Unit::Packets, short_rates, rate)?,
        Row::alone(&format!("{name}, 10 000 000 packets"), Unit::Packets, long_rates, rate)?,
        Row::alone("memory, 1 000 000 packets", Unit::Mebibytes, short_memory, Goal::None)?,
        Row::compared(
            "memory, 10 000 000 packets",
            Unit::Mebibytes,
            "5 000 000 packets",
            &memory,
            Judged::Ratio,
            INDEPENDENT,
        )?,
    ];
    let about = format!(
        "A capture that was made for it, replayed by a release build: packets in a second of processor time, its start \
         and its report included. In {ROUND} packets a client opens a connection, asks twice and closes it, another asks \
         by UDP, and a scanner tries two closed ports; none of them comes again. Memory is what was resident at most. \
         What a replay remembers is bounded: 5 000 000 packets fill its tables of flows, ports and budgets and of what \
         is told of sources; those of evidence and bans still fill, as far as the 65 536 entries that each has room \
         for. The long captures are replayed once for every {SELDOM} times of the short one."
    );
    Ok(Section { name: NAME, about, rows, notes: Vec::new() })
}

struct Capture {
    file: PathBuf,
    packets: u64,
}

/// What a replay took.
struct Replayed {
    rate: f64,
    mebibytes: f64,
}

impl Capture {
    fn make(folder: &Folder, packets: u64) -> Result<Capture> {
        let file = folder.0.join(format!("{packets}.pcap"));
        write(&file, packets).with_context(|| format!("writing {}", file.display()))?;
        Ok(Capture { file, packets })
    }

    fn replay(&self, scanguard: &Path) -> Result<Replayed> {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", &machine::RECEIVER.to_string()]).arg(scanguard).arg("replay");
        command.arg(&self.file).args(["--local", &GUARDED_V4.to_string(), "--json"]);
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("starting a replay")?;
        let (said, Spent { time, mebibytes }) = wait(child)?;
        self.check(&said)?;
        #[expect(clippy::cast_precision_loss, reason = "a count below 2⁵³")]
        let packets = self.packets as f64;
        Ok(Replayed { rate: packets / time.as_secs_f64(), mebibytes })
    }

    /// Makes sure that every packet was judged, and every probe for one.
    fn check(&self, said: &str) -> Result<()> {
        let (mut packets, mut probes) = (0, 0);
        for line in said.lines() {
            let line: Value = serde_json::from_str(line).with_context(|| format!("a replay says {line}"))?;
            let text = |field: &str| line.get(field).and_then(Value::as_str);
            let count = line.get("packets").and_then(Value::as_u64).unwrap_or_default();
            match text("kind") {
                Some("capture") => packets += count,
                Some("cause") if text("cause").is_some_and(is_a_probes) => probes += count,
                _ => {}
            }
        }
        ensure!(packets == self.packets, "{packets} of {} packets were judged", self.packets);
        let all = self.packets / ROUND * PROBES_IN_A_ROUND;
        ensure!(probes.abs_diff(all) <= PROBES_IN_A_ROUND, "{probes} of {all} probes were told as such");
        Ok(())
    }
}

/// Whether a cause is one of a SYN to a closed port: until one was refused, it is not known to be; and the probes of a
/// scanner whose network has been banned meanwhile are not looked at any more.
fn is_a_probes(cause: &str) -> bool {
    [Cause::ClosedPort, Cause::UnprovenPort, Cause::ToolSignature, Cause::Banned, Cause::BannedNetwork]
        .iter()
        .any(|one| one.name() == cause)
}

/// Where the captures lie; it goes when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Folder> {
        let path = env::temp_dir().join(format!("scanguard-bench-{}-captures", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
