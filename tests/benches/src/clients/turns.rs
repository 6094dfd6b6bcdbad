//! scanguard and a bare program at the guarded end by turns, while clients go on.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::net::if_::if_nametoindex;
use scanguard_harness::{Host, INTERFACE};

use super::load::Clients;
use crate::floods::ENTRY;
use crate::kernel::Program;
use crate::kernel::link::{attach_at_exit, open, replace};
use crate::sample::in_turn;

/// How long each side serves in one repetition, in all its turns.
pub(super) const EACH: Duration = Duration::from_millis(1_500);
/// How long it goes on before it counts, so that nothing is on its way any more that the other side let through.
const SETTLING: Duration = Duration::from_millis(10);

/// Where scanguard pins the link of the second door beside [`ENTRY`].
const EXIT: &str = "/sys/fs/bpf/scanguard/egress/0";

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// scanguard's, at both doors.
    Guarded,
    /// A bare program's, and nobody's where frames leave.
    Bare,
}

/// Both sides' programs, and the places at which they take turns.
#[derive(Debug)]
pub(super) struct Turns<'a> {
    host: &'a Host,
    bare: &'a Program,
    entry: OwnedFd,
    incoming: OwnedFd,
    outgoing: OwnedFd,
    /// Held while it is scanguard's turn.
    exit: Option<OwnedFd>,
}

impl Turns<'_> {
    /// Takes over from scanguard, which guards this host's interface and no other.
    ///
    /// # Errors
    ///
    /// Fails where it does not.
    pub(super) fn of<'a>(host: &'a Host, bare: &'a Program) -> Result<Turns<'a>> {
        host.within(|| {
            let (entry, incoming) = open(Path::new(ENTRY))?;
            let (exit, outgoing) = open(Path::new(EXIT))?;
            fs::remove_file(EXIT).with_context(|| format!("removing {EXIT}"))?;
            Ok(Turns { host, bare, entry, incoming, outgoing, exit: Some(exit) })
        })
    }

    /// Lets both sides serve for [`EACH`], in turns so long, and tells what clients got a second: of the bare one, and of
    /// scanguard.
    pub(super) fn compare(&mut self, clients: &Clients<'_>, turn: Duration) -> Result<(f64, f64)> {
        let turns = u32::try_from(EACH.as_micros() / turn.as_micros())?;
        let (mut bare, mut guarded) = (0.0, 0.0);
        for number in 0..turns {
            for (side, mean) in in_turn(number, [(Side::Bare, &mut bare), (Side::Guarded, &mut guarded)]) {
                self.take(side)?;
                thread::sleep(SETTLING);
                *mean += clients.rate(turn)? / f64::from(turns);
            }
        }
        ensure!(
            bare > 0.0 && guarded > 0.0,
            "clients got {bare} of the bare program and {guarded} of scanguard"
        );
        Ok((bare, guarded))
    }

    /// Gives one side its turn.
    pub(super) fn take(&mut self, side: Side) -> Result<()> {
        match (side, &self.exit) {
            (Side::Bare, _) => self.exit = None,
            (Side::Guarded, Some(_)) => {}
            (Side::Guarded, None) => {
                let program = self.outgoing.as_fd();
                let put = || attach_at_exit(program, if_nametoindex(INTERFACE)?);
                self.exit = Some(self.host.within(put)?);
            }
        }
        let program = match side {
            Side::Guarded => self.incoming.as_fd(),
            Side::Bare => self.bare.as_fd(),
        };
        replace(self.entry.as_fd(), program)
    }
}
