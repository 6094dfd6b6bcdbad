//! Lists of TCP options that only tools write.

use super::{Label, Signature};
use crate::frame::Frame;
use crate::parse::Packet;

/// How many words of options or of payload are read: the longest list of options that is one tool's in all its bytes.
const WORDS: usize = 5;

/// The first twenty bytes of TCP's options or of UDP's payload, as numbers of four bytes; zero where there are none.
pub(super) type Words = [u32; WORDS];

/// Which options would make a segment a tool's, by all that was seen of it before. A list's length is among that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// MSS 1460, which then is the mark of this tool.
    Mss(Label),
    /// Those of nmap's system probes.
    SystemProbe,
    /// Those of nmap's system probe for congestion notification.
    EcnProbe,
    /// Those of sx.
    Sx,
    /// Those of unicornscan.
    Unicornscan,
    /// Those of ZMap since 4.1 in Windows' clothes.
    ZmapWindows,
    /// Those of ZMap since 4.1 in Linux's clothes: the timestamp is the time of day.
    ZmapLinux,
    /// Those of ZMap since 4.1 in BSD's clothes: likewise.
    ZmapBsd,
    /// Those of any tool that writes something else than SYNs with them.
    OutsideSyn,
}

/// MSS 1460, the only option of most scanners.
const MSS_1460: u32 = 0x0204_05b4;

impl Look {
    /// Numbers that stand for it, the first of which is not 0.
    pub(super) fn numbers(self) -> [u8; 2] {
        match self {
            Look::Mss(label) => [1, label.number()],
            Look::SystemProbe => [2, 0],
            Look::EcnProbe => [3, 0],
            Look::Sx => [4, 0],
            Look::Unicornscan => [5, 0],
            Look::ZmapWindows => [6, 0],
            Look::ZmapLinux => [7, 0],
            Look::ZmapBsd => [8, 0],
            Look::OutsideSyn => [9, 0],
        }
    }

    /// What numbers stand for; `None` where it is nothing.
    pub(super) fn from_numbers([look, label]: [u8; 2]) -> Option<Look> {
        match look {
            1 => Some(Look::Mss(Label::from_number(label))),
            2 => Some(Look::SystemProbe),
            3 => Some(Look::EcnProbe),
            4 => Some(Look::Sx),
            5 => Some(Look::Unicornscan),
            6 => Some(Look::ZmapWindows),
            7 => Some(Look::ZmapLinux),
            8 => Some(Look::ZmapBsd),
            9 => Some(Look::OutsideSyn),
            _ => None,
        }
    }

    /// Looks at the options; `is_about_now` tells whether a timestamp is the time of day.
    pub(super) fn at(self, words: &Words, is_about_now: impl Fn(u32) -> bool) -> Label {
        match self {
            Look::Mss(label) if words[0] == MSS_1460 => label,
            Look::Mss(_) => Label::NONE,
            Look::SystemProbe => {
                has_system_probes_timestamp(words).then_some(Signature::NmapSystemProbe).into()
            }
            // Window scale 10, padding, MSS 1460, SACK permitted, padding.
            Look::EcnProbe => begin_with(words, 0x0303_0a01, MSS_1460, 0x0402_0101)
                .then_some(Signature::NmapEcnProbe)
                .into(),
            // MSS 1460, SACK permitted, window scale 7, end.
            Look::Sx => begin_with(words, MSS_1460, 0x0402_0303, 0x0700_0000).then_some(Signature::Sx).into(),
            Look::Unicornscan => is_unicornscans(words).then_some(Signature::Unicornscan).into(),
            Look::ZmapWindows => {
                begin_with(words, MSS_1460, 0x0103_0308, 0x0101_0402).then_some(Signature::ZmapWindows).into()
            }
            Look::ZmapLinux => {
                let [first, second, timestamp, fourth, fifth] = *words;
                let is_list =
                    first == MSS_1460 && second == 0x0402_080a && fourth == 0 && fifth == 0x0103_0307;
                (is_list && is_about_now(timestamp)).then_some(Signature::ZmapTimestamp).into()
            }
            Look::ZmapBsd => {
                let [first, second, third, timestamp, fifth] = *words;
                let is_list =
                    first == MSS_1460 && second == 0x0103_0306 && third == 0x0101_080a && fifth == 0;
                (is_list && is_about_now(timestamp)).then_some(Signature::ZmapTimestamp).into()
            }
            Look::OutsideSyn => outside_syn(words).into(),
        }
    }
}

/// Word by word: comparing arrays is a call to `memcmp`, for which they must lie on the stack.
fn begin_with(words: &Words, first: u32, second: u32, third: u32) -> bool {
    let [a, b, c, ..] = *words;
    a == first && b == second && c == third
}

fn outside_syn(words: &Words) -> Option<Signature> {
    if has_system_probes_timestamp(words) {
        Some(Signature::NmapSystemProbe)
    } else if is_unicornscans(words) {
        Some(Signature::Unicornscan)
    } else if begins_like_a_syn(words) {
        Some(Signature::SynOptionWithoutSyn)
    } else {
        None
    }
}

/// Whether there is a timestamp FFFFFFFF that echoes 0, at one of the five places where nmap's probes have it: T1 to T7
/// behind eight bytes of other options, SEQ2 behind nine, SEQ3 behind none, SEQ4 behind two, SEQ5 and SEQ6 behind six.
fn has_system_probes_timestamp(words: &Words) -> bool {
    /// Kind 8, length 10 (RFC 7323 §3.2).
    const TIMESTAMPS: u32 = 0x080a;
    let [first, second, third, fourth, fifth] = *words;
    match third {
        0x080a_ffff => fourth == 0xffff_0000 && fifth >> 16 == 0,
        0x0208_0aff => fourth == 0xffff_ff00 && fifth >> 8 == 0,
        u32::MAX => second & 0xffff == TIMESTAMPS && fourth == 0,
        0 => first & 0xffff == TIMESTAMPS && second == u32::MAX,
        _ => third >> 16 == 0 && first == 0x080a_ffff && second == 0xffff_0000,
    }
}

/// MSS 1436, padding, SACK permitted, padding, window scale 0.
fn is_unicornscans(words: &Words) -> bool {
    let [first, second, third, ..] = *words;
    first == 0x0204_059c && second == 0x0101_0402 && third >> 8 == 0x01_0303
}

/// Whether the first option is one that only a SYN may carry: MSS (RFC 9293 §3.7.1), window scale (RFC 7323 §2.2),
/// SACK permitted (RFC 2018 §2).
fn begins_like_a_syn(words: &Words) -> bool {
    matches!(words[0] >> 16, 0x0204 | 0x0303 | 0x0402)
}

/// Reads the options of a TCP header of so many words.
///
/// In steps, by which lists of options that are known end; nothing is known of a list of two words, so that the second
/// is read together with the third.
pub(super) fn options<F: Frame + ?Sized>(frame: &F, packet: &Packet, header_words: u8) -> Option<Words> {
    let at = packet.headers.transport() + 20;
    let mut words = [0; WORDS];
    if header_words > 5 {
        words[0] = word(frame, at)?;
    }
    if header_words > 7 {
        words[1] = word(frame, at + 4)?;
        words[2] = word(frame, at + 8)?;
    }
    if header_words > 8 {
        words[3] = word(frame, at + 12)?;
    }
    if header_words > 9 {
        words[4] = word(frame, at + 16)?;
    }
    Some(words)
}

/// Reads the first bytes of a datagram's payload.
pub(super) fn payload<F: Frame + ?Sized>(frame: &F, packet: &Packet) -> Option<Words> {
    let at = packet.headers.transport() + 8;
    Some([
        word(frame, at)?,
        word(frame, at + 4)?,
        word(frame, at + 8)?,
        word(frame, at + 12)?,
        word(frame, at + 16)?,
    ])
}

fn word<F: Frame + ?Sized>(frame: &F, at: usize) -> Option<u32> {
    frame.read(at).map(u32::from_be_bytes)
}
