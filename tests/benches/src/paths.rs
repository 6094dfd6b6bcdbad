//! What single paths cost: a frame before the programs, with real sockets, but without an interface.

mod list;

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result, ensure};
use scanguard::program::{EGRESS, INGRESS};
use scanguard_common::cause::{Action, Cause};

use crate::bare::{Fronted, TC_UNSPEC, XDP_DROP, XDP_PASS, always};
use crate::ground::{Family, Ground, Programs};
use crate::kernel::{Kind, Program, run};
use crate::machine;
use crate::row::{Goal, Judged, Row, Section, Unit};
use crate::sample::Pairs;

pub(crate) use list::{Path, Shape, list};

/// How the benchmark is called.
pub const NAME: &str = "paths";

/// How often each repetition shows the programs its frame.
pub const RUNS: u32 = 100_000;

/// Measures every path so many times, in turn with the floor.
///
/// # Errors
///
/// Fails where a frame does not go the path that is measured: then a figure would be worth nothing.
pub fn measure(repetitions: usize, runs: u32) -> Result<Section> {
    let ground = Ground::prepare()?;
    let programs = ground.lab.guarded.within(Programs::load)?;
    let mut measured = Measured::of(list(&ground)?);
    ground
        .lab
        .guarded
        .within(|| {
            machine::stay_on(machine::RECEIVER)?;
            let bench = Bench::new(&programs)?;
            for _ in 0..repetitions {
                measured.repeat(&bench, runs)?;
            }
            Ok(())
        })
        .and_then(|()| measured.into_section())
}

/// Everything that runs.
pub(crate) struct Bench<'a> {
    programs: &'a Programs,
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
    pub(crate) fn new(programs: &'a Programs) -> Result<Bench<'a>> {
        Ok(Bench {
            programs,
            drop: Fronts::new(always(Kind::Xdp, XDP_DROP)?)?,
            pass: Fronts::new(always(Kind::Xdp, XDP_PASS)?)?,
            unspecified: always(Kind::Classifier, TC_UNSPEC)?,
            ingress: Fronts::new(programs.door(INGRESS)?)?,
            egress: programs.door(EGRESS)?,
        })
    }

    /// One repetition: nanoseconds of the floor, and of the path.
    pub(crate) fn compare(&self, path: &mut Path, runs: u32) -> Result<(f64, f64)> {
        let compared = match path.cause {
            Some(cause) => self.compare_counted(path, cause, runs),
            None => self.compare_speech(path, runs),
        };
        compared.with_context(|| path.name())
    }

    fn compare_counted(&self, path: &mut Path, cause: Cause, runs: u32) -> Result<(f64, f64)> {
        let (floor, action) = match cause.action() {
            Action::Drop => (&self.drop, XDP_DROP),
            Action::Pass => (&self.pass, XDP_PASS),
        };
        let before = self.programs.counted(cause)?;
        let bare = time(floor.program.as_fd(), &path.frame(), runs, action)?;
        let nanos = if path.is_first_contact {
            let offset = path.shape.stranger_offset();
            let without = time(floor.before(offset)?.as_fd(), &path.frame(), runs, action)?;
            let with = time(self.ingress.before(offset)?.as_fd(), &path.frame(), runs, action)?;
            path.meet(runs);
            bare + with - without
        } else {
            time(self.ingress.program, &path.frame(), runs, action)?
        };
        let counted = self.programs.counted(cause)? - before;
        ensure!(counted == u64::from(runs), "{counted} of {runs} packets were counted as {}", cause.name());
        Ok((bare, nanos))
    }

    /// What leaves is not counted, but its flow is remembered.
    fn compare_speech(&self, path: &mut Path, runs: u32) -> Result<(f64, f64)> {
        let bare = time(self.unspecified.as_fd(), &path.frame(), runs, TC_UNSPEC)?;
        let nanos = time(self.egress, &path.frame(), runs, TC_UNSPEC)?;
        ensure!(self.programs.flows()? > 0, "no flow was remembered");
        Ok((bare, nanos))
    }
}

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

    fn repeat(&mut self, bench: &Bench<'_>, runs: u32) -> Result<()> {
        let mut plain = 0.0;
        for (path, pairs) in &mut self.0 {
            let (bare, nanos) = bench.compare(path, runs)?;
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
            instructions that returns the same action. For first contacts a few instructions before the program give \
            each frame another source; what they cost before the bare program is taken off.";
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
