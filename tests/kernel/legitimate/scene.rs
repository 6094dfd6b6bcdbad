//! One scene before a guarded interface, and what is counted of it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::utsname::uname;
use scanguard_harness::{Host, INTERFACE, Lab, Passage, SceneName};

use super::stage::Stage;
use crate::guard::Guard;

/// How long the last frames of a scene may be under way.
const SETTLED: Duration = Duration::from_millis(50);

/// A scene that is being played. Its row is printed when it ends, however it ends.
pub(crate) struct Scene<'a> {
    /// scanguard on the host that is, or will be, guarded.
    pub(crate) guard: Guard<'a>,
    name: SceneName,
    tried: AtomicU64,
    succeeded: AtomicU64,
    is_told: AtomicBool,
}

impl<'a> Scene<'a> {
    /// Plays in a lab of its own over both families, with the guarded host as the server and as the client.
    pub(crate) fn play(scene: impl Fn(&Stage<'_>) -> Result<()>) -> Result<()> {
        Scene::play_in(&Lab::new()?, scene)
    }

    /// Plays in a lab that was prepared for it.
    pub(crate) fn play_in(lab: &Lab, play: impl Fn(&Stage<'_>) -> Result<()>) -> Result<()> {
        let scene = Scene::guarding(&lab.guarded)?;
        for stage in scene.stages(lab) {
            play(&stage).and_then(|()| scene.is_untouched()).with_context(|| stage.describe())?;
        }
        scene.end()
    }

    /// A scene before a host that will be guarded, named after the test that plays it.
    pub(crate) fn before(host: &'a Host) -> Result<Scene<'a>> {
        let thread = thread::current();
        let test = thread.name().context("a test has a thread of its own, with its name")?;
        Ok(Scene {
            guard: Guard::on(host),
            name: SceneName::of_test(test)?,
            tried: AtomicU64::new(0),
            succeeded: AtomicU64::new(0),
            is_told: AtomicBool::new(false),
        })
    }

    /// A scene before the cable's interface of a host, which is guarded from now on.
    pub(crate) fn guarding(host: &'a Host) -> Result<Scene<'a>> {
        let scene = Scene::before(host)?;
        scene.guard(INTERFACE)?;
        Ok(scene)
    }

    /// Guards interfaces from now on: their names, and options.
    pub(crate) fn guard(&self, words: &str) -> Result<()> {
        self.guard.run(&format!("attach {words}")).map(drop)
    }

    /// Both families, each with the guarded host as the server and as the client.
    pub(crate) fn stages<'s>(&'s self, lab: &'s Lab) -> [Stage<'s>; 4] {
        Stage::all_of(self, lab)
    }

    /// Tries what has to succeed: a connection, or a question that has to be answered.
    pub(crate) fn tries<T>(&self, attempt: impl FnOnce() -> Result<T>) -> Result<T> {
        self.tried.fetch_add(1, Ordering::Relaxed);
        let outcome = attempt()?;
        self.succeeded.fetch_add(1, Ordering::Relaxed);
        Ok(outcome)
    }

    /// Counts connections that a program reports to have made.
    pub(crate) fn made(&self, connections: u64) {
        self.tried.fetch_add(connections, Ordering::Relaxed);
        self.succeeded.fetch_add(connections, Ordering::Relaxed);
    }

    /// Demands that nothing was dropped so far, neither of what came in nor of what went out.
    pub(crate) fn is_untouched(&self) -> Result<()> {
        sleep(SETTLED);
        let counts = self.guard.all_counts()?;
        ensure!(counts.dropped() == 0, "legitimate packets were dropped: {counts:?}");
        Ok(())
    }

    /// Ends the scene: frames came, none was dropped, and nothing failed.
    pub(crate) fn end(&self) -> Result<()> {
        sleep(SETTLED);
        let passage = self.tell()?;
        ensure!(!passage.falls_short(), "{passage}: {:?}", self.guard.all_counts()?);
        Ok(())
    }

    fn tell(&self) -> Result<Passage> {
        let counts = self.guard.all_counts()?;
        let (tried, succeeded) = (&self.tried, &self.succeeded);
        let tried = tried.load(Ordering::Relaxed);
        let passage = Passage {
            scene: self.name.clone(),
            kernel: kernel()?,
            received: counts.received(),
            dropped: counts.dropped(),
            tried,
            failed: tried - succeeded.load(Ordering::Relaxed),
        };
        println!("{passage}");
        self.is_told.store(true, Ordering::Relaxed);
        Ok(passage)
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        if !self.is_told.load(Ordering::Relaxed) {
            // It was left by an error, so what it tried last has failed, whatever that was.
            if self.tried.load(Ordering::Relaxed) == self.succeeded.load(Ordering::Relaxed) {
                self.tried.fetch_add(1, Ordering::Relaxed);
            }
            let _ = self.tell();
            if let Ok(counts) = self.guard.all_counts() {
                println!("counted until then: {counts:?}");
            }
        }
    }
}

/// The kernel's release, without what its builder made of it.
fn kernel() -> Result<String> {
    let name = uname().context("asking for the kernel's release")?;
    let release = name.release().to_string_lossy().into_owned();
    Ok(release.split('.').take(2).collect::<Vec<_>>().join("."))
}
