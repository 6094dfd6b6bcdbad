//! A connection that lives long and says little, as ssh does.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_harness::Host;

/// The longest that an answer may take: what was lost is sent again after 0.2 s, 0.4 s, 0.8 s, …
const PATIENCE: Duration = Duration::from_secs(10);

/// One connection to an echo service.
pub(crate) struct Conversation(BufReader<TcpStream>);

impl Conversation {
    /// Connects.
    pub(crate) fn open(from: &Host, to: impl Into<SocketAddr>) -> Result<Conversation> {
        let to = to.into();
        let stream = from.within(|| TcpStream::connect_timeout(&to, PATIENCE));
        Conversation::over(stream.with_context(|| format!("connecting to {to}"))?)
    }

    /// Goes on over a connection that was made elsewhere.
    pub(crate) fn over(stream: TcpStream) -> Result<Conversation> {
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Conversation(BufReader::new(stream)))
    }

    /// Says something and hears it back.
    pub(crate) fn exchange(&mut self, words: &str) -> Result<()> {
        writeln!(self.0.get_mut(), "{words}").context("saying something")?;
        let mut answer = String::new();
        self.0.read_line(&mut answer).context("waiting for the echo")?;
        ensure!(answer.trim_end() == words, "said {words:?} and heard {answer:?}");
        Ok(())
    }
}
