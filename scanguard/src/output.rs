//! Where a command writes: data for programs and pipes, words for the person at the terminal.

use std::fmt::{self, Display};
use std::io::{self, Write};

/// The two streams of a command.
pub struct Output<'a> {
    /// What was asked for: a table, or JSON. Standard output.
    pub data: &'a mut dyn Write,
    /// What is said meanwhile: warnings and notes. Standard error.
    pub words: &'a mut dyn Write,
    /// Whether a person looks at `data`, so that a line may be rewritten in place.
    pub is_terminal: bool,
}

impl Output<'_> {
    /// Says one line to the person at the terminal.
    ///
    /// Where that cannot be written, nobody hears it. The command goes on all the same: if it failed after it has
    /// changed something, it would be taken for one that has changed nothing.
    pub fn word(&mut self, line: impl Display) {
        let _ = writeln!(self.words, "scanguard: {}", Printable(&line.to_string()));
    }
}

/// Text of others in a line of ours: what would end the line, or speak to the terminal, is written as an escape.
///
/// The kernel lets an interface be named almost anything, and whoever types arguments even more.
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl Display for Printable<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() {
                write!(formatter, "{}", character.escape_default())?;
            } else {
                write!(formatter, "{character}")?;
            }
        }
        Ok(())
    }
}

/// A stream that says which it is where writing fails.
pub struct Named<W> {
    name: &'static str,
    stream: W,
}

impl<W> Named<W> {
    /// Gives a stream its name.
    pub fn new(name: &'static str, stream: W) -> Named<W> {
        Named { name, stream }
    }

    fn told(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("writing to {}: {error}", self.name))
    }
}

impl<W: Write> Write for Named<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes).map_err(|error| self.told(&error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush().map_err(|error| self.told(&error))
    }
}

/// Whether an error is only that the reader of the output went away, as `head` does.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_pipe_is_found_below_its_context() {
        let writing = |kind| anyhow::Error::new(io::Error::from(kind)).context("writing");
        assert!(is_broken_pipe(&writing(io::ErrorKind::BrokenPipe)));
        assert!(!is_broken_pipe(&writing(io::ErrorKind::NotFound)));
    }

    #[test]
    fn a_stream_that_fails_is_named_and_a_broken_pipe_stays_one() {
        struct Fails(io::ErrorKind);
        impl Write for Fails {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(self.0.into())
            }
        }
        let fail = |kind| {
            let mut stream = Named::new("standard output", Fails(kind));
            anyhow::Error::new(writeln!(stream, "words").expect_err("the stream fails"))
        };
        assert!(fail(io::ErrorKind::StorageFull).to_string().starts_with("writing to standard output: "));
        assert!(is_broken_pipe(&fail(io::ErrorKind::BrokenPipe)));
    }

    #[test]
    fn a_word_is_one_line_whatever_is_quoted_in_it() {
        let (mut data, mut words) = (Vec::new(), Vec::new());
        let mut output = Output { data: &mut data, words: &mut words, is_terminal: false };
        output.word("eth\n0\u{1b}[31m: gefährdet");
        assert_eq!(String::from_utf8_lossy(&words), "scanguard: eth\\n0\\u{1b}[31m: gefährdet\n");
    }
}
