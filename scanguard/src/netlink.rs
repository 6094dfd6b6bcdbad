//! Questions to the kernel by netlink(7).

use std::io;
use std::time::Duration;

use anyhow::Context as _;
use rtnetlink::Handle;
use rtnetlink::sys::Socket;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long an answer is waited for. It takes microseconds, and does not come at all where the kernel found no memory
/// for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks by rtnetlink(7), over a connection that lasts as long as the question.
///
/// # Errors
///
/// Where the kernel refuses, or has not answered after [`PATIENCE`].
pub(crate) async fn ask<T>(question: impl AsyncFnOnce(Handle) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let (connection, handle, _) = rtnetlink::new_connection().context("opening an rtnetlink socket")?;
    let mut connections = JoinSet::new(); // which ends them where it is dropped, also by who gives up the question
    connections.spawn(connection);
    timeout(PATIENCE, question(handle))
        .await
        .with_context(|| format!("the kernel has not answered within {} seconds", PATIENCE.as_secs()))?
}

/// A socket for questions of another protocol, which is never waited on: the kernel has put the answer, or its next
/// piece, there before `send` or the last `recv` returns.
pub(crate) fn socket(protocol: isize) -> io::Result<Socket> {
    let mut socket = Socket::new(protocol)?;
    socket.bind_auto()?;
    socket.set_non_blocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_is_given_up() {
        let answer = ask(async |_handle| std::future::pending::<anyhow::Result<()>>().await).await;
        let error = answer.expect_err("there was none").to_string();
        assert_eq!(error, "the kernel has not answered within 10 seconds");
    }
}
