//! Marks of segments that belong to no connection.

use super::opening::{MSS_1460, WINDOW_1024};
use super::traits::WORDS;
use super::{Signature, Traits};
use crate::classify::flags::TcpFlags;
use crate::parse::transport::Segment;

/// Recognises a segment without SYN.
pub(super) fn recognise(segment: &Segment, traits: &Traits) -> Option<Signature> {
    if segment.flags.has(TcpFlags::RST) {
        return None;
    }
    if segment.flags.has(TcpFlags::ACK) && segment.sequence == 0 {
        let is_nmaps = segment.window == WINDOW_1024 && traits.header_words == 5;
        return Some(if is_nmaps { Signature::NmapAck } else { Signature::AckWithoutSequence });
    }
    if traits.header_words == 5 {
        None
    } else if has_system_probes_timestamp(&traits.words) {
        Some(Signature::NmapSystemProbe)
    } else if has_unicornscans_options(&traits.words) {
        Some(Signature::Unicornscan)
    } else if begins_like_a_syn(&traits.words) {
        Some(Signature::SynOptionWithoutSyn)
    } else {
        None
    }
}

/// Recognises a segment with SYN and ACK.
pub(super) fn recognise_accepting(segment: &Segment, traits: &Traits) -> Option<Signature> {
    let is_nmaps =
        segment.window == WINDOW_1024 && traits.header_words == 6 && traits.words[0] == MSS_1460;
    is_nmaps.then_some(Signature::NmapSynAck)
}

/// Whether there is a timestamp FFFFFFFF that echoes 0, at one of the five places where nmap's probes have it: T1 to T7
/// behind eight bytes of other options, SEQ2 behind nine, SEQ3 behind none, SEQ4 behind two, SEQ5 and SEQ6 behind six.
pub(super) fn has_system_probes_timestamp(words: &[u32; WORDS]) -> bool {
    /// Kind 8, length 10 (RFC 7323 §3.2).
    const TIMESTAMPS: u32 = 0x080a;
    let [first, second, third, fourth, fifth] = *words;
    match third {
        0x080a_ffff => fourth == 0xffff_0000 && fifth >> 16 == 0,
        0x0208_0aff => fourth == 0xffff_ff00 && fifth >> 8 == 0,
        u32::MAX => second & 0xffff == TIMESTAMPS && fourth == 0,
        _ if third >> 16 == 0 => {
            let is_behind_none = (first, second) == (0x080a_ffff, 0xffff_0000);
            is_behind_none || third == 0 && first & 0xffff == TIMESTAMPS && second == u32::MAX
        }
        _ => false,
    }
}

/// MSS 1436, padding, SACK permitted, padding, window scale 0.
pub(super) fn has_unicornscans_options(words: &[u32; WORDS]) -> bool {
    let [first, second, third, ..] = *words;
    first == 0x0204_059c && second == 0x0101_0402 && third >> 8 == 0x01_0303
}

/// Whether the first option is one that only a SYN may carry: MSS (RFC 9293 §3.7.1), window scale (RFC 7323 §2.2),
/// SACK permitted (RFC 2018 §2).
fn begins_like_a_syn(words: &[u32; WORDS]) -> bool {
    matches!(words[0] >> 16, 0x0204 | 0x0303 | 0x0402)
}
