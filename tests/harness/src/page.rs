//! The page that is published: what scanners learn, then what legitimate traffic notices.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};

use crate::passages::TITLE;
use crate::{Passages, Scoreboard};

/// Both parts of the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What every technique of scanners learns.
    pub techniques: Scoreboard,
    /// What was counted of every scene of legitimate traffic.
    pub passages: Passages,
}

impl Page {
    /// Reads the page from a file; where there is none, it is empty.
    ///
    /// # Errors
    ///
    /// Fails, naming the line, at a row that does not fit its table.
    pub fn read(file: &Path) -> Result<Self> {
        match fs::read_to_string(file) {
            Ok(text) => Self::from_markdown(&text).with_context(|| format!("reading {}", file.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
        }
    }

    /// Writes the page to a file.
    ///
    /// # Errors
    ///
    /// Fails where the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<()> {
        let text = format!("{}\n{}", self.techniques.to_markdown(), self.passages.to_markdown());
        fs::write(file, text).with_context(|| format!("writing {}", file.display()))
    }

    fn from_markdown(text: &str) -> Result<Self> {
        let (techniques, passages) = match text.split_once(TITLE) {
            Some((techniques, passages)) => (techniques, Passages::from_markdown(passages)?),
            None => (text, Passages::default()),
        };
        Ok(Self { techniques: Scoreboard::from_markdown(techniques)?, passages })
    }
}
