//! Two things done at once.

use std::{panic, thread};

use anyhow::Context as _;

/// Does one thing in a thread of its own and another in this one, and tells what both came to. A panic of the other thread
/// goes on in this one.
///
/// # Errors
///
/// Fails where no thread can be had; then neither was begun.
pub(crate) fn at_once<A: Send, B>(
    beside: impl FnOnce() -> A + Send,
    here: impl FnOnce() -> B,
) -> anyhow::Result<(A, B)> {
    thread::scope(|scope| {
        let beside = thread::Builder::new().spawn_scoped(scope, beside).context("starting a thread")?;
        let here = here();
        let beside = beside.join().unwrap_or_else(|reason| panic::resume_unwind(reason));
        Ok((beside, here))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_can_wait_for_the_other() {
        const PATIENCE: Duration = Duration::from_secs(60);
        let ((to_here, from_beside), (to_beside, from_here)) = (channel(), channel());
        let (beside, here) = at_once(
            move || to_here.send(1).is_ok() && from_here.recv_timeout(PATIENCE) == Ok(2),
            || to_beside.send(2).is_ok() && from_beside.recv_timeout(PATIENCE) == Ok(1),
        )
        .expect("a thread can be had");
        assert!(beside && here);
    }
}
