//! How the stacks that most clients have write a SYN.
//!
//! A SYN like this bears no mark of a tool by itself, and whoever copies it gives himself away only by what several of his
//! packets have in common. Where it was found a moment ago that somebody listens, such a SYN passes without a further
//! look ([`recent`](crate::recent)): looking costs seven times as much.

use crate::frame::Frame;
use crate::parse::Packet;
use crate::parse::network::{Family, IpProtocol};

/// Whether a packet is a SYN as a stack writes it.
pub(crate) fn wrote_packet<F: Frame + ?Sized>(frame: &F, packet: &Packet) -> bool {
    const IPV4_LENGTH: usize = 20;
    const IPV6_LENGTH: usize = 40;
    let network_length = match packet.family {
        Family::V4 => IPV4_LENGTH,
        Family::V6 => IPV6_LENGTH,
    };
    let (network, transport) = (packet.headers.network(), packet.headers.transport());
    packet.transport.protocol == IpProtocol::TCP
        && network + network_length == transport
        && wrote(frame, packet.family, network, transport)
}

/// Whether the segment with its TCP header at `transport`, right behind an IP header at `network` without options, is a
/// SYN as Linux, Windows or Apple's systems write theirs: not to be fragmented, no acknowledgement, no urgent pointer, a
/// wide window, and exactly their options.
#[inline(always)] // as `glance`, of which it is a part
pub(crate) fn wrote<F: Frame + ?Sized>(frame: &F, family: Family, network: usize, transport: usize) -> bool {
    const DONT_FRAGMENT: u8 = 0x40;
    let whole = match family {
        Family::V4 => frame.read(network + 6).is_some_and(|[flags, _]| flags & DONT_FRAGMENT != 0),
        Family::V6 => true,
    };
    whole && has_usual_header(frame, transport).unwrap_or(false)
}

/// The widest window that a SYN has by unicornscan, as if of an old Linux, is less.
const WIDE: u32 = 8_192;

/// All flags but those of congestion notification, and the only one of them, where they are in the header.
const FLAGS: u32 = 0x0e3f_0000;
const SYN: u32 = 0x0002_0000;

fn has_usual_header<F: Frame + ?Sized>(frame: &F, at: usize) -> Option<bool> {
    let [acknowledgement, form, urgent, segment_size, scale_or_times] = words::<20, 5>(frame.read(at + 8)?);
    let differs =
        acknowledgement | form & FLAGS ^ SYN | urgent & 0xffff | segment_size >> 16 ^ MAXIMUM_SEGMENT_SIZE;
    if differs != 0 || form & 0xffff < WIDE {
        return Some(false);
    }
    let rest = at + 28;
    let differs = match form >> 28 {
        // Windows: no operation, window scale; twice no operation, SACK permitted.
        8 => {
            let [end] = words::<4, 1>(frame.read(rest)?);
            scale_or_times >> 8 ^ WINDOW_SCALE | end ^ 0x0101_0402
        }
        // Linux: SACK permitted, timestamps; no operation, window scale.
        10 => {
            let [_, echo, scale] = words::<12, 3>(frame.read(rest)?);
            scale_or_times ^ 0x0402_080a | echo | scale >> 8 ^ WINDOW_SCALE
        }
        // Apple: no operation, window scale; twice no operation, timestamps; SACK permitted, end.
        11 => {
            let [times, _, echo, end] = words::<16, 4>(frame.read(rest)?);
            scale_or_times >> 8 ^ WINDOW_SCALE | times ^ 0x0101_080a | echo | end ^ 0x0402_0000
        }
        _ => 1,
    };
    Some(differs == 0)
}

/// Kind and length of the first option of all.
const MAXIMUM_SEGMENT_SIZE: u32 = 0x0204;

/// A no-operation, and kind and length of a window scale.
const WINDOW_SCALE: u32 = 0x01_0303;

/// Words in the order of the wire. Compared all at once, because each comparison by itself is a fork in the way of the
/// verifier.
#[inline(always)] // as above
fn words<const BYTES: usize, const WORDS: usize>(bytes: [u8; BYTES]) -> [u32; WORDS] {
    let (words, _) = bytes.as_chunks();
    core::array::from_fn(|number| words.get(number).copied().map_or(0, u32::from_be_bytes))
}
