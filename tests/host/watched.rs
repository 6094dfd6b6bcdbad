//! Memory that notices a read outside of it, and counts.

use std::cell::Cell;

use scanguard_common::frame::Frame;

pub(crate) struct Watched<'a> {
    bytes: &'a [u8],
    reads: Cell<usize>,
}

impl Watched<'_> {
    pub(crate) fn over(bytes: &[u8]) -> Watched<'_> {
        Watched { bytes, reads: Cell::new(0) }
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.get()
    }
}

impl Frame for Watched<'_> {
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.reads.set(self.reads.get() + 1);
        let chunk = self.bytes.read::<N>(offset)?;
        assert!(offset + N <= self.bytes.len());
        Some(chunk)
    }

    fn length(&self) -> usize {
        self.bytes.len()
    }
}
