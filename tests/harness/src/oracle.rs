//! Which TCP flags can occur at all, found by letting a model of a peer do everything that RFC 9293 lets it do.
//!
//! Deliberately unlike the engine's table: nothing is matched against masks of what is allowed. From a closed
//! connection, every state is reached by everything that a program may ask for and every segment that another such
//! peer may have sent; what is sent on the way is possible, and what never was is not.

use std::collections::{BTreeMap, BTreeSet};

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
    for control in everything_sent() {
        // Whoever has sent nothing else yet has no connection that this could belong to.
        let first = step(State::Closed, Event::Open).iter().any(|(_, sent)| *sent == Some(control));
        let meaning = if first { Meaning::Opens } else { Meaning::NeedsConnection };
        // Text may ride on each, and URG and PSH with it: on a SYN too (§3.4), and on an RST (§3.5.3).
        for companions in [0, PSH, URG, PSH | URG] {
            insert(&mut sendable, control | companions, meaning);
        }
    }
    // Not of the RFC: some stacks cancel an attempt to connect so, without any text.
    insert(&mut sendable, FIN, Meaning::NeedsConnection);
    sendable
}

/// Congestion notification is negotiated and signalled in all of its combinations (RFC 3168, RFC 9768).
fn insert(sendable: &mut BTreeMap<u16, Meaning>, flags: u16, meaning: Meaning) {
    for choice in 0..8u16 {
        let chosen = (0..).zip(CONGESTION).filter(|(position, _)| choice >> position & 1 == 1);
        sendable.insert(chosen.fold(flags, |flags, (_, bit)| flags | bit), meaning);
    }
}

/// The states of RFC 9293 §3.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Closed,
    Listen,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
}

/// What can happen to a connection: what its program asks for (§3.9.1), a timeout (§3.8.1), a segment (§3.10.7).
#[derive(Clone, Copy)]
enum Event {
    Open,
    Listen,
    Send,
    Close,
    Abort,
    Timeout,
    Arrives(u16),
}

/// What comes of it: the next state, and what is sent. Where numbers decide, both ways are possible.
type Outcomes = Vec<(State, Option<u16>)>;

/// The control bits of every segment that is sent in any way of going through the states.
fn everything_sent() -> BTreeSet<u16> {
    const ASKED: [Event; 6] =
        [Event::Open, Event::Listen, Event::Send, Event::Close, Event::Abort, Event::Timeout];
    let (mut states, mut sent) = (BTreeSet::from([State::Closed]), BTreeSet::new());
    loop {
        let known = (states.len(), sent.len());
        let arrivals = sent.iter().copied().map(Event::Arrives);
        let events: Vec<Event> = ASKED.into_iter().chain(arrivals).collect();
        for state in states.clone() {
            for (next, segment) in events.iter().flat_map(|event| step(state, *event)) {
                states.insert(next);
                sent.extend(segment);
            }
        }
        if known == (states.len(), sent.len()) {
            return sent;
        }
    }
}

fn step(state: State, event: Event) -> Outcomes {
    let (next, sent) = match (event, state) {
        (Event::Arrives(segment), _) => return arrives(state, segment),
        (Event::Open, State::Closed | State::Listen) => (State::SynSent, Some(SYN)), // §3.10.1
        (Event::Listen, State::Closed) => (State::Listen, None),
        (Event::Send, State::Listen) => (State::SynSent, Some(SYN)), // §3.10.2
        (Event::Send, State::Established | State::CloseWait) => (state, Some(ACK)),
        (Event::Close, State::Listen | State::SynSent) => (State::Closed, None), // §3.10.4
        (Event::Close, State::SynReceived | State::Established) => (State::FinWait1, Some(FIN | ACK)),
        (Event::Close, State::CloseWait) => (State::LastAck, Some(FIN | ACK)),
        (Event::Abort, State::SynReceived | State::Established | State::CloseWait) => {
            (State::Closed, Some(RST)) // §3.10.5
        }
        (Event::Abort, State::FinWait1 | State::FinWait2) => (State::Closed, Some(RST)),
        (Event::Abort, _) | (Event::Timeout, State::TimeWait) => (State::Closed, None),
        (Event::Timeout, State::SynSent) => (state, Some(SYN)), // §3.8.1
        (Event::Timeout, State::SynReceived) => (state, Some(SYN | ACK)),
        (Event::Timeout, State::Established) => (state, Some(ACK)), // a keep-alive or a window probe (§3.8.4, §3.8.6.1)
        (Event::Timeout, State::FinWait1 | State::Closing | State::LastAck) => (state, Some(FIN | ACK)),
        (Event::Open | Event::Listen | Event::Send | Event::Close | Event::Timeout, _) => (state, None),
    };
    vec![(next, sent)]
}

fn arrives(state: State, segment: u16) -> Outcomes {
    let has = |bit| segment & bit != 0;
    match state {
        _ if has(RST) => vec![(state, None), (State::Closed, None)], // out of the window, or within
        State::Closed if has(ACK) => vec![(state, Some(RST))],       // §3.10.7.1
        State::Closed => vec![(state, Some(RST | ACK))],
        State::Listen if has(ACK) => vec![(state, Some(RST))], // §3.10.7.2
        State::Listen if has(SYN) => vec![(State::SynReceived, Some(SYN | ACK))],
        State::Listen => vec![(state, None)],
        State::SynSent if has(SYN) && has(ACK) => {
            vec![(State::Established, Some(ACK)), (state, Some(RST))] // §3.10.7.3: of this attempt, or of an old one
        }
        State::SynSent if has(SYN) => vec![(State::SynReceived, Some(SYN | ACK))],
        State::SynSent if has(ACK) => vec![(state, Some(RST))],
        State::SynSent => vec![(state, None)],
        State::TimeWait if has(SYN) => vec![(state, Some(ACK)), (State::SynReceived, Some(SYN | ACK))], // §3.6.1
        _ if has(SYN) => vec![(state, Some(ACK))], // §3.10.7.4, fourth: a challenge
        State::SynReceived
        | State::Established
        | State::FinWait1
        | State::FinWait2
        | State::CloseWait
        | State::Closing
        | State::LastAck
        | State::TimeWait => acceptable(state, has(FIN)),
    }
}

/// The rest of §3.10.7.4: an acknowledgement, with or without FIN, in or out of the window.
fn acceptable(state: State, ends: bool) -> Outcomes {
    let outside = (state, Some(ACK));
    let mut outcomes = vec![outside];
    match (state, ends) {
        (State::SynReceived, false) => outcomes.extend([(State::Established, None), (state, Some(RST))]),
        (State::SynReceived | State::Established, true) => outcomes.push((State::CloseWait, Some(ACK))),
        (State::FinWait1, false) => outcomes.push((State::FinWait2, None)),
        (State::FinWait1, true) => {
            outcomes.extend([(State::Closing, Some(ACK)), (State::TimeWait, Some(ACK))])
        }
        (State::FinWait2, true) => outcomes.push((State::TimeWait, Some(ACK))),
        (State::Closing, false) => outcomes.push((State::TimeWait, None)),
        (State::LastAck, false) => outcomes.push((State::Closed, None)),
        _ => {}
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_reaches_every_way_to_send() {
        let expected = [SYN, RST, ACK, FIN | ACK, SYN | ACK, RST | ACK];
        assert_eq!(everything_sent(), BTreeSet::from(expected));
    }
}
