//! What paths cost with lists of any length.

mod table;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result, bail, ensure};
use aya::maps::Map;
use scanguard::program::INGRESS;
use scanguard_common::cause::{Action, Cause};
use scanguard_common::schema::MAX_BANS;
use scanguard_harness::Random;

use crate::bare::{Asked, Fronted, XDP_DROP, XDP_PASS};
use crate::ground::{Family, Ground, STRANGERS};
use crate::kernel::run;
use crate::machine;
use crate::paths::{CROWD, Path, Sender, Shape, list};
use crate::programs::{Judging, List, Programs, Strangers};
use crate::row::Section;
use crate::sample::in_turn;

use self::table::Table;

/// How the benchmark is called.
pub const NAME: &str = "lists";

/// How long each list is, beside one of one entry.
pub const LENGTHS: [u32; 3] = [1_000, 100_000, 1_000_000];

/// How often each turn shows the programs its frame.
pub const RUNS: u32 = 50_000;

/// How many turns both sides take in a repetition, one after the other: what happens beside them is then shared.
const TURNS: u32 = 3;

/// The path that asks for every list, about another source each time.
const FIRST_CONTACT: (Cause, Sender) = (Cause::ClosedPort, Sender::OneOfACrowd);

impl List {
    /// The paths that are measured beside [`FIRST_CONTACT`]: one that never asks for a list, and one that asks for it
    /// about the same source each time.
    fn paths(self) -> [(Cause, Sender); 2] {
        const ESTABLISHED: (Cause, Sender) = (Cause::InConnection, Sender::Client);
        match self {
            List::Allowed => [ESTABLISHED, (Cause::TcpXmas, Sender::Client)],
            List::Denied => [ESTABLISHED, (Cause::Denied, Sender::Denied)],
            List::Banned => [ESTABLISHED, (Cause::Banned, Sender::Banned)],
        }
    }
}

/// Measures some paths so many times, in turn, with each list as long as is said and with lists of one entry.
///
/// # Errors
///
/// Fails where a frame does not go the path that is measured.
pub fn measure(lengths: &[u32], repetitions: usize, runs: u32) -> Result<Section> {
    let ground = Ground::prepare()?;
    let table = ground.lab.guarded.within(|| {
        machine::stay_on(machine::RECEIVER)?;
        let mut random = Random::seeded(0x5eed_0006);
        let short = Subject::with(None, &mut random)?;
        let mut trials = Vec::new();
        for one in List::ALL {
            let mut long = Vec::new();
            for &length in lengths {
                long.push((length, Subject::with(Some((one, length)), &mut random)?));
            }
            let paths = one.paths().into_iter().map(|wanted| find(&ground, wanted));
            trials.push(Trial { one, long, paths: paths.collect::<Result<_>>()? });
        }
        // One for all lists, because all meet the subject with short ones: none of its strangers are to come again soon.
        let mut first_contact = find(&ground, FIRST_CONTACT)?;
        let mut table = Table::default();
        for _ in 0..repetitions {
            for trial in &mut trials {
                trial.repeat(&short, &mut first_contact, runs, &mut table)?;
            }
        }
        Ok::<_, anyhow::Error>(table)
    })?;
    table.into_section()
}

fn find(ground: &Ground, wanted: (Cause, Sender)) -> Result<Path> {
    let is_wanted =
        |path: &Path| path.shape == Shape::PLAIN && (path.cause, path.sender) == (Some(wanted.0), wanted.1);
    list(ground)?.into_iter().find(is_wanted).context("a path that is measured")
}

/// What is measured of one list: every path with every length, and first contacts.
struct Trial {
    one: List,
    long: Vec<(u32, Subject)>,
    paths: Vec<Path>,
}

impl Trial {
    fn repeat(
        &mut self,
        short: &Subject,
        first_contact: &mut Path,
        runs: u32,
        table: &mut Table,
    ) -> Result<()> {
        for path in self.paths.iter_mut().chain([first_contact]) {
            let name = path.name();
            let measured = if path.cause == Some(Cause::InConnection) {
                unchanged(short, &self.long, path, runs, |length, beside| {
                    table.unchanged(&name, self.one, length, beside);
                })
            } else {
                growing(self.one, short, &self.long, path, runs, |length, costs| {
                    table.growing(&name, self.one, length, costs);
                })
            };
            measured.with_context(|| format!("{name}, with a long map {}", self.one.map()))?;
        }
        Ok(())
    }
}

/// What a path costs that never asks: with short lists, and with a long one.
fn unchanged(
    short: &Subject,
    long: &[(u32, Subject)],
    path: &mut Path,
    runs: u32,
    mut tell: impl FnMut(u32, (f64, f64)),
) -> Result<()> {
    for (length, subject) in long {
        tell(*length, by_turns([(short, None), (subject, None)], path, runs)?.into());
    }
    Ok(())
}

/// What a path costs that asks, each time behind a bare look-up of the same source.
#[derive(Clone, Copy)]
struct Costs {
    /// All lists are short.
    short: f64,
    /// The bare look-up is in a long list, the path's own are short.
    long_look_up: f64,
    /// The path's own list is long, the bare look-up is in a short one.
    long_path: f64,
}

fn growing(
    one: List,
    short: &Subject,
    long: &[(u32, Subject)],
    path: &mut Path,
    runs: u32,
    mut tell: impl FnMut(u32, Costs),
) -> Result<()> {
    let in_short = Some(short.asked(one)?);
    for (length, subject) in long {
        let in_long = Some(subject.asked(one)?);
        let sides = [(short, in_short), (short, in_long), (subject, in_short)];
        let [short, long_look_up, long_path] = by_turns(sides, path, runs)?;
        tell(*length, Costs { short, long_look_up, long_path });
    }
    Ok(())
}

/// Nanoseconds of a path for each side: the programs that judge it, and what is looked up before them.
fn by_turns<const N: usize>(
    sides: [(&Subject, Option<Asked<'_>>); N],
    path: &mut Path,
    runs: u32,
) -> Result<[f64; N]> {
    if path.sender == Sender::OneOfACrowd {
        for (subject, asked) in sides {
            subject.gather(asked, path)?;
        }
    }
    let mut means = [0.0; N];
    for turn in 0..TURNS {
        for ((subject, asked), mean) in in_turn(turn, sides.iter().zip(&mut means)) {
            *mean += subject.cost(*asked, path, runs)? / f64::from(TURNS);
        }
    }
    Ok(means)
}

/// The programs with lists of some lengths.
struct Subject {
    programs: Programs,
    strangers: RefCell<Strangers>,
}

impl Subject {
    /// Has one entry on each list, or so many on the one.
    fn with(long: Option<(List, u32)>, random: &mut Random) -> Result<Subject> {
        let bans = match long {
            Some((List::Banned, length)) => length.max(MAX_BANS),
            Some((List::Allowed | List::Denied, _)) | None => MAX_BANS,
        };
        let mut programs = Programs::load_with_room(Judging::ByDefault, bans)?;
        for one in List::ALL {
            let length = long.filter(|(long, _)| *long == one).map_or(1, |(_, length)| length);
            let sender = match one {
                List::Allowed => None,
                List::Denied => Some(Family::V4.denied()),
                List::Banned => Some(Family::V4.banned()),
            };
            programs.list(one, &entries(sender, length, random))?;
        }
        let strangers = RefCell::new(programs.strangers()?);
        Ok(Subject { programs, strangers })
    }

    fn asked(&self, one: List) -> Result<Asked<'_>> {
        let map = self.programs.ebpf.map(one.map()).with_context(|| one.map())?;
        if let Map::LpmTrie(prefixes) = map {
            return Ok(Asked::Prefixes(prefixes.fd().as_fd()));
        }
        let Map::HashMap(addresses) = map else { bail!("a list of another kind: {map:?}") };
        Ok(Asked::Addresses(addresses.fd().as_fd()))
    }

    /// Brings a crowd about that tries the same port. Who came with an earlier figure has not just come, and would be
    /// pushed out where a crowd is turned away.
    fn gather(&self, look_up: Option<Asked<'_>>, path: &mut Path) -> Result<()> {
        path.teach(&self.programs)?;
        run(self.front(look_up, path)?.as_fd(), &path.frame(), CROWD)?;
        path.meet(CROWD);
        Ok(())
    }

    /// Nanoseconds of a path, behind a bare look-up if there is one.
    fn cost(&self, look_up: Option<Asked<'_>>, path: &mut Path, runs: u32) -> Result<f64> {
        let cause = path.cause.context("a path that is counted")?;
        let action = match cause.action() {
            Action::Drop => XDP_DROP,
            Action::Pass => XDP_PASS,
        };
        path.teach(&self.programs)?;
        if path.sender != Sender::OneOfACrowd {
            self.strangers.borrow_mut().forget_news()?;
        }
        let before = self.programs.counted(cause)?;
        let run = run(self.front(look_up, path)?.as_fd(), &path.frame(), runs)?;
        path.meet(if path.is_first_contact() { runs } else { 0 });
        ensure!(run.action == action.cast_unsigned(), "the program returned {} and not {action}", run.action);
        let counted = self.programs.counted(cause)? - before;
        ensure!(counted == u64::from(runs), "{counted} of {runs} packets were counted as {}", cause.name());
        Ok(run.nanos)
    }

    /// The first door, behind what looks each frame's source up in a list and gives each first contact a source of its own.
    fn front(&self, look_up: Option<Asked<'_>>, path: &Path) -> Result<Front<'_>> {
        let door = self.programs.door(INGRESS)?;
        let step = if path.is_first_contact() { Fronted::STEP } else { 0 };
        Ok(match look_up {
            Some(asked) => Front::Asking(Fronted::asking(asked, door, Shape::PLAIN.stranger_offset(), step)?),
            None => Front::None(door),
        })
    }
}

/// What frames come to first.
enum Front<'a> {
    /// What looks their source up, and then the door.
    Asking(Fronted),
    /// The door.
    None(BorrowedFd<'a>),
}

impl AsFd for Front<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Front::Asking(fronted) => fronted.as_fd(),
            Front::None(door) => *door,
        }
    }
}

/// So many addresses: a sender's, and others chosen at random from the strangers that never come; as near to those
/// that do as can be.
fn entries(sender: Option<IpAddr>, length: u32, random: &mut Random) -> Vec<IpAddr> {
    let mut others = BTreeSet::new();
    while others.len() + usize::from(sender.is_some()) < length as usize {
        others.insert(STRANGERS + u32::from_le_bytes([random.byte(), random.byte(), random.byte() >> 2, 0]));
    }
    let others = others.into_iter().map(|number| Family::V4.stranger(number.wrapping_mul(Fronted::STEP)));
    sender.into_iter().chain(others).collect()
}
