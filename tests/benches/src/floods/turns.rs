//! XDP programs that drop the same flood by turns, in the link by which scanguard is attached.

use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Line;
use crate::cable::{Receiver, Taken};
use crate::kernel::link::replace;
use crate::sample::in_turn;

/// How many turns each takes in a repetition, and how long one is.
pub(super) const TURNS: u32 = 6;
pub(super) const TURN: Duration = Duration::from_millis(50);
/// How long it goes on before it counts, so that nothing is on its way any more that another has dropped.
const SETTLING: Duration = Duration::from_millis(10);

/// One of so many packets of a turn may be another's: those that came while he was being replaced.
const ANOTHERS: u64 = 10;

/// Who takes turns.
pub(super) struct Contender<'a> {
    pub(super) name: &'static str,
    pub(super) program: BorrowedFd<'a>,
    /// How many packets it says it has dropped.
    pub(super) counter: Option<&'a dyn Fn() -> Result<u64>>,
}

/// The rate of each, and by what they count themselves it is made sure that they drop everything.
pub(super) fn rates<T, const N: usize>(
    line: &Line<'_>,
    receiver: &Receiver<T>,
    link: BorrowedFd<'_>,
    contenders: &[Contender<'_>; N],
) -> Result<[f64; N]> {
    receiver.await_frames(line.cable, line.source)?;
    let passed = line.cable.segments()?;
    let before = counts(link, contenders)?;
    let mut taken = [Taken::default(); N];
    let mut received = [0; N];
    for turn in 0..TURNS {
        for ((contender, taken), received) in
            in_turn(turn, contenders.iter().zip(&mut taken).zip(&mut received))
        {
            let before = line.cable.received()?; // who replaces somebody waits, while the new one is at work already
            replace(link, contender.program.as_fd())?;
            thread::sleep(SETTLING);
            let more = receiver.take(line.cable, line.source, TURN);
            *taken += more.with_context(|| format!("measuring {}", contender.name))?;
            *received += line.cable.received()? - before;
        }
    }
    let counted = before.into_iter().zip(counts(link, contenders)?);
    for ((Contender { name, .. }, received), counted) in contenders.iter().zip(received).zip(counted) {
        if let (Some(before), Some(after)) = counted {
            let dropped = after - before;
            let enough = dropped + received / ANOTHERS >= received;
            ensure!(enough, "{name} dropped {dropped} of {received} packets");
        }
    }
    let passed = line.cable.segments()? - passed;
    ensure!(passed == 0, "{passed} packets got through");
    Ok(taken.map(Taken::rate))
}

/// What each says it has dropped, while it is the turn of one who counts nothing: telling takes as long as a turn.
fn counts<const N: usize>(link: BorrowedFd<'_>, contenders: &[Contender<'_>; N]) -> Result<Vec<Option<u64>>> {
    let silent = contenders.iter().find(|contender| contender.counter.is_none());
    replace(link, silent.context("nobody who counts nothing")?.program.as_fd())?;
    thread::sleep(SETTLING);
    let count = |contender: &Contender<'_>| contender.counter.map(|count| count()).transpose();
    contenders.iter().map(count).collect()
}
