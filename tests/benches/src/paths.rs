//! What single paths cost: a frame before the programs, with real sockets, but without an interface.

mod list;

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result, ensure};
use scanguard::program::{EGRESS, INGRESS};
use scanguard_common::cause::{Action, Cause};
use scanguard_common::schema::DOOR_PLACES;

use crate::bare::{Fronted, TC_UNSPEC, XDP_DROP, XDP_PASS, always};
use crate::ground::{Family, Ground};
use crate::kernel::{Kind, Program, run};
use crate::machine;
use crate::programs::{Judging, List, Programs, Strangers};
use crate::row::{Goal, Judged, Row, Section, Unit};
use crate::sample::Pairs;

pub(crate) use list::{Path, Refuses, Sender, Shape, list};

/// How the benchmark is called.
pub const NAME: &str = "paths";

/// How often each repetition shows the programs its frame.
pub const RUNS: u32 = 200_000;

/// How many times as often it shows them to the floor. A call of `BPF_PROG_TEST_RUN` takes the kernel some 0.2 ms besides,
/// which would be a twentieth of the floor where it is shared by as few runs as a path has.
const FLOOR: u32 = 4;

/// To how many strangers a repetition shows them at most where each is to find a place to wait that is free: of so few,
/// one in sixteen shares its place with another.
const STRANGERS_AT_ONCE: u32 = DOOR_PLACES / 8;

/// Measures every path so many times, in turn with the floor.
///
/// # Errors
///
/// Fails where a frame does not go the path that is measured: then a figure would be worth nothing.
pub fn measure(repetitions: usize, runs: u32) -> Result<Section> {
    let ground = Ground::prepare()?;
    let mut measured = Measured::of(list(&ground)?);
    ground
        .lab
        .guarded
        .within(|| {
            machine::stay_on(machine::RECEIVER)?;
            let programs = Programs::load(Judging::ByDefault)?;
            let mut banning = Programs::load(Judging::ByDefault)?;
            banning.list(List::Banned, &FAMILIES.map(Family::banned))?;
            let mut denying = Programs::load(Judging::ByDefault)?;
            denying.list(List::Denied, &FAMILIES.map(Family::denied))?;
            let mut benches = Benches {
                plain: Bench::new(&programs)?,
                banning: Bench::new(&banning)?,
                denying: Bench::new(&denying)?,
            };
            for _ in 0..repetitions {
                measured.repeat(&mut benches, runs)?;
            }
            Ok(())
        })
        .and_then(|()| measured.into_section())
}

/// The programs of a host that refuses nobody, and of such that do: apart, because a list that is empty is not asked, and
/// everybody else would have to pay for one that is not.
struct Benches<'a> {
    plain: Bench<'a>,
    banning: Bench<'a>,
    denying: Bench<'a>,
}

impl<'a> Benches<'a> {
    fn of(&mut self, path: &Path) -> &mut Bench<'a> {
        match path.host {
            Refuses::Nobody => &mut self.plain,
            Refuses::Scanner => &mut self.banning,
            Refuses::Denied => &mut self.denying,
        }
    }
}

/// Everything that runs.
struct Bench<'a> {
    programs: &'a Programs,
    strangers: Strangers,
    drop: Fronts<Program>,
    pass: Fronts<Program>,
    unspecified: Program,
    ingress: Fronts<BorrowedFd<'a>>,
    egress: BorrowedFd<'a>,
}

/// A program, and the same behind what gives each frame another source, by where the source is in the frame.
struct Fronts<P> {
    program: P,
    fronted: Vec<(i16, Fronted)>,
}

impl<P: AsFd> Fronts<P> {
    fn new(program: P) -> Result<Fronts<P>> {
        let offsets = Shape::ALL.map(|shape| shape.stranger_offset());
        let fronted = offsets.map(|offset| Ok((offset, Fronted::before(program.as_fd(), offset)?)));
        let fronted = fronted.into_iter().collect::<Result<_>>()?;
        Ok(Fronts { program, fronted })
    }

    fn before(&self, offset: i16) -> Result<&Fronted> {
        let found = self.fronted.iter().find(|(at, _)| *at == offset);
        Ok(&found.context("a front for each shape of frame")?.1)
    }
}

impl<'a> Bench<'a> {
    fn new(programs: &'a Programs) -> Result<Bench<'a>> {
        Ok(Bench {
            programs,
            strangers: programs.strangers()?,
            drop: Fronts::new(always(Kind::Xdp, XDP_DROP)?)?,
            pass: Fronts::new(always(Kind::Xdp, XDP_PASS)?)?,
            unspecified: always(Kind::Classifier, TC_UNSPEC)?,
            ingress: Fronts::new(programs.door(INGRESS)?)?,
            egress: programs.door(EGRESS)?,
        })
    }

    /// One repetition: nanoseconds of the floor, and of the path.
    fn compare(&mut self, path: &mut Path, runs: u32) -> Result<(f64, f64)> {
        let compared = match path.cause {
            Some(cause) => self.compare_counted(path, cause, runs),
            None => self.compare_speech(path, runs),
        };
        compared.with_context(|| path.name())
    }

    fn compare_counted(&mut self, path: &mut Path, cause: Cause, runs: u32) -> Result<(f64, f64)> {
        self.prepare(path)?;
        let (floor, action) = match cause.action() {
            Action::Drop => (&self.drop, XDP_DROP),
            Action::Pass => (&self.pass, XDP_PASS),
        };
        let before = (self.programs.counted(cause)?, self.programs.pushed_out()?);
        let bare = time(floor.program.as_fd(), &path.frame(), FLOOR * runs, action)?;
        let runs = if path.sender == Sender::Stranger { runs.min(STRANGERS_AT_ONCE) } else { runs };
        let nanos = if path.is_first_contact() {
            let offset = path.shape.stranger_offset();
            let without = time(floor.before(offset)?.as_fd(), &path.frame(), runs, action)?;
            let with = time(self.ingress.before(offset)?.as_fd(), &path.frame(), runs, action)?;
            path.meet(runs);
            bare + with - without
        } else {
            time(self.ingress.program, &path.frame(), runs, action)?
        };
        let counted = self.programs.counted(cause)? - before.0;
        ensure!(counted == u64::from(runs), "{counted} of {runs} packets were counted as {}", cause.name());
        if cause == Cause::ClosedPort {
            self.check_evidence(path, runs, self.programs.pushed_out()? - before.1)?;
        }
        Ok((bare, nanos))
    }

    /// Brings about what a path needs.
    fn prepare(&mut self, path: &mut Path) -> Result<()> {
        path.teach(self.programs)?;
        self.strangers.forget_news()?;
        match path.sender {
            Sender::Client | Sender::Banned | Sender::Denied => {}
            Sender::Stranger => self.strangers.send_away()?,
            Sender::OneOfACrowd => {
                let front = self.ingress.before(path.shape.stranger_offset())?;
                time(front.as_fd(), &path.frame(), CROWD, XDP_DROP)?;
                path.meet(CROWD);
            }
        }
        Ok(())
    }

    /// Makes sure that so many strangers at a closed port were noted, as those that they are.
    fn check_evidence(&self, path: &Path, strangers: u32, pushed_out: u64) -> Result<()> {
        let strangers = u64::from(strangers);
        match path.sender {
            Sender::Client | Sender::Banned | Sender::Denied => {}
            Sender::Stranger => {
                let waiting = self.strangers.waiting()?;
                ensure!(waiting >= strangers * 9 / 10, "{waiting} of {strangers} strangers wait");
            }
            Sender::OneOfACrowd => {
                ensure!(pushed_out >= strangers / 2, "{strangers} pushed {pushed_out} out");
            }
        }
        Ok(())
    }

    /// What leaves is not counted, but its flow is remembered.
    fn compare_speech(&mut self, path: &mut Path, runs: u32) -> Result<(f64, f64)> {
        let bare = time(self.unspecified.as_fd(), &path.frame(), FLOOR * runs, TC_UNSPEC)?;
        let nanos = time(self.egress, &path.frame(), runs, TC_UNSPEC)?;
        ensure!(self.programs.has_spoken()?, "no flow was remembered");
        Ok((bare, nanos))
    }
}

/// So many strangers fill the places to wait in, but for one in seven.
pub(crate) const CROWD: u32 = 2 * DOOR_PLACES;

fn time(program: BorrowedFd<'_>, frame: &[u8], runs: u32, action: i32) -> Result<f64> {
    let run = run(program, frame, runs)?;
    ensure!(run.action == action.cast_unsigned(), "the program returned {} and not {action}", run.action);
    Ok(run.nanos)
}

/// The paths, with what was measured of them.
struct Measured(Vec<(Path, Pairs)>);

impl Measured {
    fn of(paths: Vec<Path>) -> Measured {
        Measured(paths.into_iter().map(|path| (path, Pairs::default())).collect())
    }

    fn repeat(&mut self, benches: &mut Benches<'_>, runs: u32) -> Result<()> {
        let mut plain = 0.0;
        for (path, pairs) in &mut self.0 {
            let (bare, nanos) = benches.of(path).compare(path, runs)?;
            if path.shape == Shape::PLAIN {
                plain = nanos;
                pairs.push(bare, nanos);
            } else {
                // The list has the plain frame of each kind before the others.
                pairs.push(plain, nanos);
            }
        }
        Ok(())
    }

    fn into_section(self) -> Result<Section> {
        let about = "Nanoseconds that a frame spends in the programs, by `BPF_PROG_TEST_RUN`, with a listener, a bound \
            UDP socket and an established connection in the same network namespace. The floor is a program of two \
            instructions that returns the same action. Nothing was chosen by an operator; that the closed port is one \
            was learned from a refusal. For first contacts a few instructions before the program give each frame \
            another source; what they cost before the bare program is taken off. A new source finds a place to wait in \
            for its second contact, *one of a crowd* finds somebody there who has just come: few of those push him out, and \
            the others are turned away, as in a flood from forged sources. \
            SYNs are as Linux writes them; that somebody listens at the open port was found a moment before for another \
            source. Where that was not, or a SYN is as no stack writes it, it is looked at at length, as in the \
            row that says so.";
        let rows = self.0.iter().map(|(path, pairs)| path.row(pairs)).collect::<Result<_>>()?;
        Ok(Section { name: NAME, about: about.to_owned(), rows, notes: Vec::new() })
    }
}

impl Path {
    fn row(&self, pairs: &Pairs) -> Result<Row> {
        /// How much dearer IPv6 and a VLAN tag may make a path.
        const OTHER_SHAPES: Goal = Goal::AtMost(1.25);
        let plain = self.shape == Shape::PLAIN;
        let base = match self.cause {
            _ if !plain => "plain IPv4",
            Some(cause) => match cause.action() {
                Action::Drop => "bare drop",
                Action::Pass => "bare pass",
            },
            None => "bare tc program",
        };
        let (judged, goal) = if plain { self.goal } else { (Judged::Ratio, OTHER_SHAPES) };
        Row::compared(&self.name(), Unit::Nanos, base, pairs, judged, goal)
    }
}

/// The families that a list of paths is made for.
pub(crate) const FAMILIES: [Family; 2] = [Family::V4, Family::V6];
