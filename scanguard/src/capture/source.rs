//! The file below a capture.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A file that fills whatever room it is given, so that what comes in small pieces reads like one that is all there.
pub(super) struct Source {
    file: Box<dyn Read + Send>,
    failure: Failure,
}

/// Why reading failed: the library that reads says only that it did.
#[derive(Clone, Default)]
pub(super) struct Failure(Arc<Mutex<Option<io::Error>>>);

impl Failure {
    /// What the operating system said, once.
    pub(super) fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keep(&self, error: &io::Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(io::Error::from(error.kind()));
    }
}

impl Source {
    /// Opens a file, and returns where to ask when reading it has failed.
    pub(super) fn open(path: &Path) -> io::Result<(Source, Failure)> {
        Ok(Source::of(File::open(path)?))
    }

    /// The same of anything that can be read.
    pub(super) fn of(file: impl Read + Send + 'static) -> (Source, Failure) {
        let failure = Failure::default();
        (Source { file: Box::new(file), failure: failure.clone() }, failure)
    }
}

impl Read for Source {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read(rest) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // What was read before is worth having; the next attempt will fail again.
                Err(_) if filled > 0 => break,
                Err(error) => {
                    self.failure.keep(&error);
                    return Err(error);
                }
            }
        }
        Ok(filled)
    }
}
