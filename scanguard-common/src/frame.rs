//! The bytes of one frame, wherever they live.

/// The bytes of one frame, from the first byte of the Ethernet header on.
///
/// The XDP program, the tests and the capture reader each have their own kind of memory; the parser sees
/// only this trait. There is deliberately no way to borrow a slice: the verifier refuses slices over packet
/// memory, because their length is not known to it.
pub trait Frame {
    /// Reads `N` bytes at `offset`, or `None` where they cannot be read: the frame ends before, or they lie in a later
    /// piece of it.
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]>;

    /// The number of bytes on the wire, without the frame check sequence.
    fn length(&self) -> usize;

    /// The same number, of which the verifier of a program knows nothing any more: whatever is told from it, the rest is read
    /// once, and not once for each way that leads here.
    #[inline(always)] // nothing at all, but in programs
    fn forgotten(&self, number: u32) -> u32 {
        number
    }
}

impl Frame for [u8] {
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.get(offset..)?.first_chunk().copied()
    }

    fn length(&self) -> usize {
        self.len()
    }
}
