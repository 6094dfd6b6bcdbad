//! Questions to the kernel by rtnetlink(7).

use anyhow::Context as _;
use rtnetlink::{Error, Handle};

/// Asks over a connection that lasts as long as the question.
pub(crate) async fn ask<T>(question: impl AsyncFnOnce(Handle) -> Result<T, Error>) -> anyhow::Result<T> {
    let (connection, handle, _) = rtnetlink::new_connection().context("opening an rtnetlink socket")?;
    let connection = tokio::spawn(connection);
    let answer = question(handle).await;
    connection.abort();
    Ok(answer?)
}
