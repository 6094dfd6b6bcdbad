//! Which TCP flags can occur at all, found by letting a model peer do everything that RFC 9293 lets it do.
//!
//! Deliberately unlike the engine's table: nothing is matched against masks here. Every way to send a segment
//! is played through, and what was never sent is impossible.

use std::collections::BTreeMap;

const FIN: u16 = 0x001;
const SYN: u16 = 0x002;
const RST: u16 = 0x004;
const PSH: u16 = 0x008;
const ACK: u16 = 0x010;
const URG: u16 = 0x020;
const CONGESTION: [u16; 3] = [0x040, 0x080, 0x100];

/// What a peer may mean by a set of flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It asks for a connection.
    Opens,
    /// It belongs to a connection, or to none and is a probe.
    NeedsConnection,
}

/// All flag sets (nine bits, AE the highest) that some peer may send in some state, and what they mean there.
pub fn sendable_flags() -> BTreeMap<u16, Meaning> {
    let mut sendable = BTreeMap::new();
    for (control, meaning, may_carry_data) in segments_of_every_state() {
        let data: &[u16] = if may_carry_data { &[0, PSH, URG, PSH | URG] } else { &[0] };
        for companions in data {
            for congestion in subsets(CONGESTION) {
                sendable.insert(control | companions | congestion, meaning);
            }
        }
    }
    sendable
}

/// The control bits of all segments that the event processing of RFC 9293 §3.10 sends, what they mean, and
/// whether data, with its PSH and URG, may ride on them.
fn segments_of_every_state() -> Vec<(u16, Meaning, bool)> {
    vec![
        // OPEN in CLOSED or LISTEN (§3.10.1); data may accompany it (§3.4), as in TCP Fast Open.
        (SYN, Meaning::Opens, true),
        // A SYN arrives in LISTEN or SYN-SENT (§3.10.7.2, §3.10.7.3).
        (SYN | ACK, Meaning::NeedsConnection, true),
        // SEND, and every acknowledgement, in ESTABLISHED and CLOSE-WAIT (§3.10.2, §3.10.7.4).
        (ACK, Meaning::NeedsConnection, true),
        // CLOSE in SYN-RECEIVED, ESTABLISHED and CLOSE-WAIT (§3.10.4): the last data may ride on it.
        (FIN | ACK, Meaning::NeedsConnection, true),
        // ABORT (§3.10.5), and answers to segments with an ACK (§3.5.2, group 1); RFC 9293 §3.5.3 lets text
        // that explains the reset ride on it.
        (RST, Meaning::NeedsConnection, true),
        // Answers to segments without an ACK (§3.5.2, group 1).
        (RST | ACK, Meaning::NeedsConnection, true),
        // Not of the RFC: some stacks cancel an attempt to connect so, without PSH or URG.
        (FIN, Meaning::NeedsConnection, false),
    ]
}

fn subsets(bits: [u16; 3]) -> impl Iterator<Item = u16> {
    let [first, second, third] = bits;
    (0..8u16).map(move |choice| {
        let pick = |position: u16, bit| if choice >> position & 1 == 1 { bit } else { 0 };
        pick(0, first) | pick(1, second) | pick(2, third)
    })
}
