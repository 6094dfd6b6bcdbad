//! Marks of SYNs that open a connection.

use super::segment::{has_system_probes_timestamp, has_unicornscans_options};
use super::translation::Knowledge;
use super::{Signature, Traits, ZMAP_IDENTIFICATION, masscan_constant};
use crate::classify::flags::TcpFlags;
use crate::parse::Packet;
use crate::parse::network::Family;

/// MSS 1460, the only option of most scanners.
pub(super) const MSS_1460: u32 = 0x0204_05b4;
/// The window of nmap, and of masscan up to 1.3.2.
pub(super) const WINDOW_1024: u16 = 1024;
/// The window of masscan since 1.3.9.
const WINDOW_1025: u16 = 1025;
/// The window of ZMap.
const WIDEST_WINDOW: u16 = u16::MAX;

/// Recognises a SYN without ACK.
///
/// The length of the header comes first: the SYNs of today's systems have eight words of header or more, and are done
/// with after a comparison of the window.
pub(super) fn recognise(packet: &Packet, traits: &Traits, knowledge: &Knowledge) -> Option<Signature> {
    if packet.transport.segment.acknowledgement != 0 {
        return Some(acknowledging(packet, traits));
    }
    let certain = match traits.header_words {
        5 => bare(packet, traits, knowledge),
        6 if traits.words[0] == MSS_1460 => sized(packet.transport.segment.window, traits),
        _ => dressed(packet.transport.segment.window, traits, knowledge),
    };
    certain.or_else(|| hint(packet, traits, knowledge))
}

/// A SYN with an acknowledgement number.
fn acknowledging(packet: &Packet, traits: &Traits) -> Signature {
    if has_system_probes_timestamp(&traits.words) {
        Signature::NmapSystemProbe
    } else if is_hpings(packet.transport.segment.window, traits) {
        Signature::Hping
    } else {
        Signature::SynWithAcknowledgement
    }
}

fn is_hpings(window: u16, traits: &Traits) -> bool {
    const WINDOW: u16 = 512;
    window == WINDOW && traits.header_words == 5
}

/// A SYN without options.
fn bare(packet: &Packet, traits: &Traits, knowledge: &Knowledge) -> Option<Signature> {
    let segment = &packet.transport.segment;
    if segment.window == WINDOW_1024 {
        Some(Signature::MasscanOld)
    } else if is_hpings(segment.window, traits) {
        Some(Signature::Hping)
    } else if is_old_zmaps(segment.window, traits) {
        Some(Signature::ZmapOld)
    } else if packet.family == Family::V4 && knowledge.is_an_address_of_ours(segment.sequence, packet) {
        Some(Signature::Mirai)
    } else {
        None
    }
}

/// A SYN with MSS 1460 and nothing else.
fn sized(window: u16, traits: &Traits) -> Option<Signature> {
    match window {
        WINDOW_1024 => Some(Signature::NmapSyn),
        WINDOW_1025 => Some(Signature::MasscanNew),
        _ if is_old_zmaps(window, traits) => Some(Signature::ZmapOld),
        _ => None,
    }
}

fn is_old_zmaps(window: u16, traits: &Traits) -> bool {
    traits.identification == ZMAP_IDENTIFICATION && traits.fragmentable && window == WIDEST_WINDOW
}

/// A SYN with several options: who pretends to be a real system.
fn dressed(window: u16, traits: &Traits, knowledge: &Knowledge) -> Option<Signature> {
    const SX_WINDOW: u16 = 64_240;
    const UNICORNSCAN_WINDOW: u16 = 16_384;
    const ECN_PROBE_WINDOW: u16 = 3;
    match window {
        WIDEST_WINDOW => new_zmap(traits, knowledge),
        SX_WINDOW if is_sx(traits) => Some(Signature::Sx),
        UNICORNSCAN_WINDOW if has_unicornscans_options(&traits.words) => Some(Signature::Unicornscan),
        ECN_PROBE_WINDOW if is_ecn_probe(traits) => Some(Signature::NmapEcnProbe),
        _ => None,
    }
}

/// MSS 1460, SACK permitted, window scale 7, end.
fn is_sx(traits: &Traits) -> bool {
    let [first, second, third, ..] = traits.words;
    traits.header_words == 8 && (first, second, third) == (MSS_1460, 0x0402_0303, 0x0700_0000)
}

/// Window scale 10, padding, MSS 1460, SACK permitted, padding.
fn is_ecn_probe(traits: &Traits) -> bool {
    let [first, second, third, ..] = traits.words;
    traits.header_words == 8 && (first, second, third) == (0x0303_0a01, MSS_1460, 0x0402_0101)
}

/// The sets of options that ZMap since 4.1 knows, but for the one that is MSS alone.
fn new_zmap(traits: &Traits, knowledge: &Knowledge) -> Option<Signature> {
    const HOPS: u8 = 64;
    let [first, second, third, fourth, fifth] = traits.words;
    if !traits.fragmentable || first != MSS_1460 {
        return None;
    }
    match (traits.header_words, second) {
        (8, 0x0103_0308) if third == 0x0101_0402 && traits.hop_limit <= HOPS => Some(Signature::ZmapWindows),
        (10, 0x0402_080a) if (fourth, fifth) == (0, 0x0103_0307) => timed(third, knowledge),
        (11, 0x0103_0306) if (third, fifth) == (0x0101_080a, 0) => timed(fourth, knowledge),
        _ => None,
    }
}

fn timed(timestamp: u32, knowledge: &Knowledge) -> Option<Signature> {
    knowledge.is_about_now(timestamp).then_some(Signature::ZmapTimestamp)
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
    } else if traits.fragmentable && has_only_mss(traits) {
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

fn has_only_mss(traits: &Traits) -> bool {
    const MSS: u32 = 0x0204;
    traits.header_words == 6 && traits.words[0] >> 16 == MSS
}
