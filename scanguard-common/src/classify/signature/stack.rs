//! How the stacks that most clients have write a SYN.
//!
//! A SYN like this has no mark of a tool by itself, and whoever copies it has nothing left to give himself away but his
//! choice of numbers. It is asked of SYNs to ports that are known to be open, which then need no further look.

use crate::frame::Frame;
use crate::parse::network::Family;

/// Whether the SYN with its TCP header at `at`, behind an IP header without options or extensions, is as Linux, Windows
/// or Apple's systems write theirs: not to be fragmented, no acknowledgement, no urgent pointer, a wide window, and
/// exactly their options.
#[inline(always)] // as `glance`, of which it is a part
pub(crate) fn wrote<F: Frame + ?Sized>(frame: &F, family: Family, at: usize) -> bool {
    const FRAGMENTS: usize = 20 - 6; // back from the end of an IPv4 header
    const DONT_FRAGMENT: u8 = 0x40;
    let whole = match family {
        Family::V4 => frame.read(at - FRAGMENTS).is_some_and(|[flags, _]| flags & DONT_FRAGMENT != 0),
        Family::V6 => true,
    };
    whole && has_usual_header(frame, at).unwrap_or(false)
}

/// The widest window that a SYN has by unicornscan, as if of an old Linux, is less.
const WIDE: u32 = 8_192;

fn has_usual_header<F: Frame + ?Sized>(frame: &F, at: usize) -> Option<bool> {
    let [acknowledgement, form, urgent, segment_size, scale_or_times] = words(frame, at + 8)?;
    let is_plain = acknowledgement == 0
        && form & 0xffff >= WIDE
        && urgent & 0xffff == 0
        && segment_size >> 16 == MAXIMUM_SEGMENT_SIZE;
    if !is_plain {
        return Some(false);
    }
    let rest = at + 28;
    Some(match form >> 28 {
        // Windows: no operation, window scale; twice no operation, SACK permitted.
        8 => is_window_scale(scale_or_times) && words(frame, rest)? == [0x0101_0402],
        // Linux: SACK permitted, timestamps; no operation, window scale.
        10 => {
            let [_, echo, scale] = words(frame, rest)?;
            scale_or_times == 0x0402_080a && echo == 0 && is_window_scale(scale)
        }
        // Apple: no operation, window scale; twice no operation, timestamps; SACK permitted, end.
        11 => {
            let [times, _, echo, end] = words(frame, rest)?;
            is_window_scale(scale_or_times) && times == 0x0101_080a && echo == 0 && end == 0x0402_0000
        }
        _ => false,
    })
}

/// Kind and length of the first option of all.
const MAXIMUM_SEGMENT_SIZE: u32 = 0x0204;

/// Whether the word is a no-operation, and kind and length of a window scale.
fn is_window_scale(word: u32) -> bool {
    word >> 8 == 0x01_0303
}

/// Words of the header, in the order of the wire.
#[inline(always)] // as above
fn words<F: Frame + ?Sized, const N: usize>(frame: &F, at: usize) -> Option<[u32; N]> {
    let mut words = [0; N];
    for (number, word) in words.iter_mut().enumerate() {
        *word = u32::from_be_bytes(frame.read(at + number * 4)?);
    }
    Some(words)
}
