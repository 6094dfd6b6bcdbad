//! Marks of segments that belong to no connection.

use super::options::Look;
use super::{Label, Signature, Suspicion, Traits, WINDOW_1024};
use crate::classify::flags::TcpFlags;
use crate::parse::transport::Segment;

/// Suspects a segment that does not open a connection.
pub(super) fn suspect(segment: &Segment, traits: &Traits) -> Suspicion {
    if segment.flags.has(TcpFlags::RST) {
        return Suspicion::NONE;
    }
    if segment.flags.has(TcpFlags::SYN) {
        let is_nmaps = segment.window == WINDOW_1024 && traits.header_words == 6;
        return Suspicion::new(is_nmaps.then_some(Look::Mss(Label::of(Signature::NmapSynAck))), None);
    }
    if segment.flags.has(TcpFlags::ACK) && segment.sequence == 0 {
        let is_nmaps = segment.window == WINDOW_1024 && traits.header_words == 5;
        let signature = if is_nmaps { Signature::NmapAck } else { Signature::AckWithoutSequence };
        return Suspicion::of(signature);
    }
    let has_options = traits.header_words > 5;
    Suspicion::new(has_options.then_some(Look::OutsideSyn), None)
}
