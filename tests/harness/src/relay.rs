//! A bad cable: it loses frames, sends them twice, and lets them overtake each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;

use crate::middle::{FAR, NEAR};
use crate::{Capture, Host, Injector, Lab, Random};

/// How long a frame may be held back when none comes that could overtake it.
const HELD: Duration = Duration::from_millis(5);

/// What a cable does to the frames on it: each once in so many, 0 for never.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// It is lost.
    pub lost: usize,
    /// It arrives twice.
    pub doubled: usize,
    /// The next frame arrives first.
    pub overtaken: usize,
}

/// A program in the middle of the cable that carries every frame to the other side, faults aside.
#[derive(Debug)]
pub struct Relay {
    running: Arc<AtomicBool>,
    faults_done: Arc<AtomicU64>,
    carriers: Vec<JoinHandle<()>>,
    _middle: Host,
}

impl Relay {
    /// Puts a bad cable between the hosts of a lab. It is bad in the same way again for the same seed.
    ///
    /// # Errors
    ///
    /// Fails when the cable was cut before.
    pub fn between_the_hosts_of(lab: &Lab, faults: Faults, seed: u64) -> Result<Relay> {
        let middle = lab.cut()?;
        let running = Arc::new(AtomicBool::new(true));
        let faults_done = Arc::new(AtomicU64::new(0));
        let mut carriers = Vec::new();
        for (from, to, seed) in [(NEAR, FAR, seed), (FAR, NEAR, !seed)] {
            let mut carrier = Carrier {
                capture: Capture::on(&middle, from)?,
                injector: Injector::on(&middle, to)?,
                faults,
                random: Random::seeded(seed),
                held: None,
            };
            let (running, faults_done) = (Arc::clone(&running), Arc::clone(&faults_done));
            carriers.push(thread::spawn(move || {
                // An error means that the cable is gone, which whoever waits for an answer will notice.
                while running.load(Ordering::Relaxed) && carrier.carry_one(&faults_done).is_ok() {}
            }));
        }
        Ok(Relay { running, faults_done, carriers, _middle: middle })
    }

    /// How many frames met with a fault so far.
    pub fn faults_done(&self) -> u64 {
        self.faults_done.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.running.store(false, Ordering::Relaxed);
        for carrier in self.carriers.drain(..) {
            let _ = carrier.join();
        }
    }
}

/// One direction.
struct Carrier {
    capture: Capture,
    injector: Injector,
    faults: Faults,
    random: Random,
    /// A frame that the next one will overtake.
    held: Option<Vec<u8>>,
}

impl Carrier {
    fn carry_one(&mut self, faults_done: &AtomicU64) -> Result<()> {
        let Some(frame) = self.capture.wait_for(HELD, |_| true)? else {
            return self.release();
        };
        let Faults { lost, doubled, overtaken } = self.faults;
        let is_bad = [lost, doubled, overtaken].map(|many| many > 0 && self.random.once_in(many));
        if is_bad.contains(&true) {
            faults_done.fetch_add(1, Ordering::Relaxed);
        }
        match is_bad {
            [true, ..] => return Ok(()),
            [_, true, _] => {
                self.injector.send(&frame)?;
                self.injector.send(&frame)?;
            }
            [_, _, true] if self.held.is_none() => {
                self.held = Some(frame);
                return Ok(());
            }
            _ => self.injector.send(&frame)?,
        }
        self.release()
    }

    fn release(&mut self) -> Result<()> {
        self.held.take().map_or(Ok(()), |frame| self.injector.send(&frame))
    }
}
