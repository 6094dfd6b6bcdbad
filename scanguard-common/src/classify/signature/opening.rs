//! Marks of SYNs that open a connection.

use super::options::Look;
use super::translation::Knowledge;
use super::{Label, Signature, Suspicion, Traits, WINDOW_1024, ZMAP_IDENTIFICATION, masscan_constant};
use crate::classify::flags::TcpFlags;
use crate::parse::Packet;
use crate::parse::network::Family;

/// The window of masscan since 1.3.9.
const WINDOW_1025: u16 = 1025;
/// The window of ZMap.
const WIDEST_WINDOW: u16 = u16::MAX;

/// Suspects a SYN without ACK.
pub(super) fn suspect(packet: &Packet, traits: &Traits, knowledge: &Knowledge) -> Suspicion {
    if traits.header_words == 5
        && let Some(signature) = bare(packet, traits, knowledge)
    {
        return Suspicion::of(signature);
    }
    if packet.transport.segment.acknowledgement != 0 {
        return Suspicion::new(Some(Look::SystemProbe), Some(Signature::SynWithAcknowledgement));
    }
    Suspicion::new(look(packet.transport.segment.window, traits), hint(packet, traits, knowledge))
}

/// A SYN without options.
fn bare(packet: &Packet, traits: &Traits, knowledge: &Knowledge) -> Option<Signature> {
    const HPING_WINDOW: u16 = 512;
    let segment = &packet.transport.segment;
    if segment.window == HPING_WINDOW {
        Some(Signature::Hping)
    } else if segment.window == WINDOW_1024 && segment.acknowledgement == 0 {
        Some(Signature::MasscanOld)
    } else if is_old_zmaps(segment.window, traits) {
        Some(Signature::ZmapOld)
    } else if packet.family == Family::V4 && knowledge.is_an_address_of_ours(segment.sequence, packet) {
        Some(Signature::Mirai)
    } else {
        None
    }
}

/// For which options to look in a SYN of this window and header length.
///
/// The SYNs of today's systems have eight words of header or more, forbid fragments, and are done with here; but for
/// Windows where its window is also sx's.
fn look(window: u16, traits: &Traits) -> Option<Look> {
    const SX_WINDOW: u16 = 64_240;
    const UNICORNSCAN_WINDOW: u16 = 16_384;
    const ECN_PROBE_WINDOW: u16 = 3;
    const ZMAP_HOPS: u8 = 64;
    match (traits.header_words, window) {
        (6, WINDOW_1024) => Some(Look::Mss(Label::of(Signature::NmapSyn))),
        (6, WINDOW_1025) => Some(Look::Mss(Label::of(Signature::MasscanNew))),
        (6, _) if is_old_zmaps(window, traits) => Some(Look::Mss(Label::of(Signature::ZmapOld))),
        (8, SX_WINDOW) => Some(Look::Sx),
        (8, ECN_PROBE_WINDOW) => Some(Look::EcnProbe),
        (11, UNICORNSCAN_WINDOW) => Some(Look::Unicornscan),
        (_, WIDEST_WINDOW) if !traits.fragmentable => None,
        (8, WIDEST_WINDOW) if traits.hop_limit <= ZMAP_HOPS => Some(Look::ZmapWindows),
        (10, WIDEST_WINDOW) => Some(Look::ZmapLinux),
        (11, WIDEST_WINDOW) => Some(Look::ZmapBsd),
        _ => None,
    }
}

fn is_old_zmaps(window: u16, traits: &Traits) -> bool {
    traits.identification == ZMAP_IDENTIFICATION && traits.fragmentable && window == WIDEST_WINDOW
}

/// What kills nothing: the most telling first.
fn hint(packet: &Packet, traits: &Traits, knowledge: &Knowledge) -> Option<Signature> {
    let segment = &packet.transport.segment;
    if traits.fragmentable && is_small(segment.window, traits) && is_masscans(packet, traits, knowledge) {
        Some(Signature::MasscanIdentification)
    } else if traits.header_words == 5 {
        Some(Signature::SynWithoutOptions)
    } else if traits.urgent != 0 && !segment.flags.has(TcpFlags::URG) {
        Some(Signature::UrgentPointerInSyn)
    } else if traits.fragmentable && segment.window == WIDEST_WINDOW {
        Some(Signature::WideWindowFragmentable)
    } else if traits.fragmentable && traits.header_words == 6 {
        Some(Signature::SynMssOnly)
    } else {
        None
    }
}

/// Whether masscan could have written it, but for the identification: it adds options only when told to, and then
/// keeps its window.
pub(super) fn is_small(window: u16, traits: &Traits) -> bool {
    traits.header_words <= 6 || window <= WINDOW_1025
}

fn is_masscans(packet: &Packet, traits: &Traits, knowledge: &Knowledge) -> bool {
    masscan_constant(packet, traits).is_some_and(|constant| knowledge.explains(constant, packet))
}
