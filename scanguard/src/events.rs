//! The ring buffer as a stream of events.

use std::io;

use anyhow::Context as _;
use aya::maps::{MapData, RingBuf};
use scanguard_common::event::Event;
use tokio::io::unix::AsyncFd;

use crate::lock::ReaderLock;
use crate::maps;
use crate::pin::Pins;

/// The events of all guarded interfaces, as the one process that reads them sees them.
pub(crate) struct Events {
    ring: AsyncFd<RingBuf<MapData>>,
    lock: ReaderLock,
}

impl Events {
    /// Becomes the one that reads them.
    ///
    /// # Errors
    ///
    /// [`Error::EventsTaken`](crate::error::Error::EventsTaken) where another process does.
    pub(crate) fn open(pins: &Pins) -> anyhow::Result<Events> {
        let lock = ReaderLock::take(pins.root())?;
        // SAFETY: the ring owns its descriptor: one and the same, open as long as the ring is there.
        let ring = unsafe { AsyncFd::register(maps::ring(pins)?) }.context("watching the map EVENTS")?;
        Ok(Events { ring, lock })
    }

    /// Waits for the next event. Nothing is lost where the wait is given up.
    pub(crate) async fn next(&mut self) -> io::Result<Event> {
        loop {
            while let Some(record) = self.ring.get_mut().next() {
                match Event::from_bytes(&record) {
                    Some(event) => return Ok(event),
                    None => tracing::warn!("skipped an event of {} bytes, which none has", record.len()),
                }
            }
            self.ring.readable_mut().await?.clear_ready();
        }
    }

    /// Whether no more can come, because everything was detached.
    pub(crate) fn have_ended(&self) -> anyhow::Result<bool> {
        self.lock.is_void()
    }
}
