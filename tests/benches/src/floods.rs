//! How many packets of a flood end at a real interface in a second, beside other ways to drop them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_harness::{Frame, GUARDED_V4, Host, INTERFACE, OUTSIDE_V4};

use crate::bare::{XDP_DROP, always, drops_where};
use crate::cable::{Cable, Receiver, Source};
use crate::kernel::Kind;
use crate::row::{Goal, Judged, Row, Section, Unit};
use crate::sample::Pairs;

/// How the benchmark is called.
pub const NAME: &str = "floods";

/// How long each repetition lasts, and how long it runs before it counts.
const SPAN: Duration = Duration::from_millis(400);
const WARM_UP: Duration = Duration::from_millis(150);

/// The port that the flood is for. Nothing listens there.
const PORT: u16 = 9;
/// Where that stands in a frame of TCP over IPv4 without tags and options.
const PORT_OFFSET: i16 = 14 + 20 + 2;

/// Another way to drop the flood: the rule of it that comes nearest.
struct Rival {
    name: &'static str,
    /// How many times as fast scanguard is to be.
    goal: Goal,
    /// Whether it is an XDP program by itself.
    is_xdp: bool,
    set_up: &'static [&'static str],
    take_down: &'static [&'static str],
}

/// The flags of an XMAS probe among the six of RFC 9293.
const RIVALS: [Rival; 5] = [
    Rival {
        name: "nftables, netdev ingress",
        goal: Goal::AtLeast(1.0),
        is_xdp: false,
        set_up: &[
            "nft add table netdev bench",
            "nft add chain netdev bench in { type filter hook ingress device eth0 priority -500 ; }",
            "nft add rule netdev bench in tcp flags & (fin|syn|rst|psh|ack|urg) == fin|psh|urg drop",
        ],
        take_down: &["nft delete table netdev bench"],
    },
    Rival {
        name: "nftables, prerouting raw",
        goal: Goal::AtLeast(1.0),
        is_xdp: false,
        set_up: &[
            "nft add table ip bench",
            "nft add chain ip bench in { type filter hook prerouting priority raw ; }",
            "nft add rule ip bench in tcp flags & (fin|syn|rst|psh|ack|urg) == fin|psh|urg drop",
        ],
        take_down: &["nft delete table ip bench"],
    },
    Rival {
        name: "iptables, raw",
        goal: Goal::AtLeast(1.0),
        is_xdp: false,
        set_up: &[
            "iptables -t raw -A PREROUTING -p tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG FIN,PSH,URG -j DROP",
        ],
        take_down: &["iptables -t raw -F PREROUTING"],
    },
    Rival {
        name: "iptables, conntrack INVALID",
        goal: Goal::AtLeast(3.0),
        is_xdp: false,
        set_up: &["iptables -A INPUT -m conntrack --ctstate INVALID -j DROP"],
        take_down: &["iptables -F INPUT"],
    },
    Rival {
        name: "xdp-filter, by port",
        goal: Goal::AtLeast(1.0),
        is_xdp: true,
        set_up: &[
            "xdp-filter load --mode native --features tcp eth0",
            "xdp-filter port --proto tcp --mode dst 9",
        ],
        take_down: &["xdp-filter unload eth0"],
    },
];

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
    let mut beside_floor = Pairs::default();
    let mut beside_reader = Pairs::default();
    let mut beside_rivals: Vec<Pairs> = RIVALS.iter().map(|_| Pairs::default()).collect();
    for _ in 0..repetitions {
        let bare = rate(&cable, "bare drop", &cable.receive_by(&floor)?)?;
        let reading = rate(&cable, "bare drop by port", &cable.receive_by(&reader)?)?;
        let guarded = rate(&cable, "scanguard", &guard(&cable, scanguard)?)?;
        beside_floor.push(bare, guarded);
        beside_reader.push(reading, guarded);
        for (rival, pairs) in RIVALS.iter().zip(&mut beside_rivals) {
            let rate = rate(&cable, rival.name, &rival.set_up(&cable)?)?;
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
        reads the frame, which another processor has written; *by port* it reads two bytes of it first.";
    Ok(Section { name: NAME, about: about.to_owned(), rows, notes: versions(&cable.lab.guarded)? })
}

/// Measures whatever is attached.
fn rate<T>(cable: &Cable, name: &str, receiver: &Receiver<T>) -> Result<f64> {
    std::thread::sleep(WARM_UP);
    let (before, received) = (cable.segments()?, cable.received()?);
    let rate = receiver.rate(cable, SPAN).with_context(|| format!("measuring {name}"))?;
    let (passed, received) = (cable.segments()? - before, cable.received()? - received);
    ensure!(passed == 0, "{name} let {passed} of {received} packets through");
    Ok(rate)
}

/// scanguard, attached so that each packet of a flood is judged by itself: its sender is not banned, and what is closed is
/// dropped from the first packet on. It goes when this is dropped.
pub(crate) fn guard(cable: &Cable, scanguard: &Path) -> Result<Receiver<Undo>> {
    cable.receive(|| {
        let host = &cable.lab.guarded;
        host.run(
            scanguard,
            ["attach", "--mode", "native", "--preset", "off", "--closed-ports", "ingress", INTERFACE],
        )?;
        let undo = [scanguard.to_string_lossy().as_ref(), "detach", INTERFACE].map(str::to_owned);
        Ok(Undo { host: host.clone(), lines: vec![undo.to_vec()], merges: false })
    })
}

impl Rival {
    fn set_up(&self, cable: &Cable) -> Result<Receiver<Undo>> {
        let host = &cable.lab.guarded;
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let undo = Undo {
            host: host.clone(),
            lines: self.take_down.iter().map(|line| words(line)).collect(),
            merges: !self.is_xdp,
        };
        cable.receive(|| {
            for line in self.set_up {
                run(host, &words(line)).with_context(|| format!("setting up {}", self.name))?;
            }
            if !self.is_xdp {
                cable.merge(true)?;
            }
            Ok(undo)
        })
    }
}

/// Commands that take back what was done, when this is dropped.
#[derive(Debug)]
pub(crate) struct Undo {
    host: Host,
    lines: Vec<Vec<String>>,
    merges: bool,
}

impl Drop for Undo {
    fn drop(&mut self) {
        // What cannot be taken back is found by whatever is set up next.
        for line in &self.lines {
            let _ = run(&self.host, line);
        }
        if self.merges {
            let _ = self.host.run("ethtool", ["-K", INTERFACE, "gro", "off"]);
        }
    }
}

fn run(host: &Host, line: &[String]) -> Result<String> {
    let (program, words) = line.split_first().context("an empty command")?;
    host.run(program, words)
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
