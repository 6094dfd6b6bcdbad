//! Where a command writes: data for programs and pipes, words for the person at the terminal.

use std::fmt;
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
    pub(crate) fn word(&mut self, line: fmt::Arguments<'_>) -> anyhow::Result<()> {
        writeln!(self.words, "scanguard: {line}")?;
        Ok(())
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
}
