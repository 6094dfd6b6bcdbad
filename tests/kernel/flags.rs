//! All 512 values that the flags of a segment can have, sent to an open and to a closed port: guarded, a host answers
//! only what opens a connection, and only where a service listens.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_harness::{
    Capture, Frame, GUARDED_V4, GUARDED_V6, INTERFACE, Injector, Lab, Meaning, OUTSIDE_V4, OUTSIDE_V6,
    Service, sendable_flags,
};

use crate::guard::Guard;

const LIMIT: Duration = Duration::from_secs(60);
const OPEN: u16 = 80;
const CLOSED: u16 = 81;
const VALUES: u16 = 512;
const RST: u16 = 0x004;
const SYN_ACK: u8 = 0x12;

/// Each value has a source port of its own, by which its answer is told.
const FIRST_PORT: u16 = 20_000;
/// Behind all of them comes one that is answered in any case.
const LAST_PORT: u16 = FIRST_PORT + VALUES;

/// The flags of the answers, by the port that answered and by the value that was answered.
type Answers = BTreeMap<(u16, u16), u8>;

#[test]
fn of_all_512_values_only_what_opens_is_answered_v4() -> Result<()> {
    only_what_opens_is_answered(OUTSIDE_V4.into(), GUARDED_V4.into())
}

#[test]
fn of_all_512_values_only_what_opens_is_answered_v6() -> Result<()> {
    only_what_opens_is_answered(OUTSIDE_V6.into(), GUARDED_V6.into())
}

fn only_what_opens_is_answered(outside: IpAddr, guarded: IpAddr) -> Result<()> {
    let lab = Lab::new()?;
    let _service = Service::echo(&lab.guarded, OPEN)?;

    let unguarded = answers(&lab, outside, guarded)?;
    for bits in 0..VALUES {
        let answered = unguarded.contains_key(&(CLOSED, bits));
        ensure!(answered == (bits & RST == 0), "unguarded, a closed port and {bits:#05x}: {answered}");
    }

    let guard = Guard::attached(&lab.guarded)?;
    let opening: Vec<u16> = sendable_flags()
        .into_iter()
        .filter(|(_, meaning)| *meaning == Meaning::Opens)
        .map(|(bits, _)| bits)
        .collect();
    let answers = answers(&lab, outside, guarded)?;
    let answered: Vec<(u16, u16)> = answers.keys().copied().collect();
    let expected: Vec<(u16, u16)> = opening.iter().map(|bits| (OPEN, *bits)).collect();
    ensure!(answered == expected, "answered: {answers:x?}");
    ensure!(answers.values().all(|flags| flags & SYN_ACK == SYN_ACK), "not by SYN/ACK: {answers:x?}");

    // Half of the values have RST. Those without anything impossible beside it pass, because nobody answers them.
    let resets = sendable_flags().keys().filter(|bits| **bits & RST != 0).count();
    let passed = opening.len() + 2 * resets;
    let (dropped, expected) = (guard.counts()?.dropped(), u64::try_from(2 * usize::from(VALUES) - passed)?);
    ensure!(dropped == expected, "{dropped} were dropped, not {expected}");
    Ok(())
}

/// Sends every value to both ports, without any connection, and returns what was answered.
fn answers(lab: &Lab, outside: IpAddr, guarded: IpAddr) -> Result<Answers> {
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let capture = Capture::on(&lab.outside, INTERFACE)?;
    let segment =
        |from, to, bits| Frame::between(outside, guarded).tcp(from, to).flag_bits(bits).seq(0).build();
    for bits in 0..VALUES {
        for port in [OPEN, CLOSED] {
            injector.send(&segment(FIRST_PORT + bits, port, bits))?;
        }
    }
    injector.send(&segment(LAST_PORT, OPEN, 0x002))?;

    let mut answers = Answers::new();
    let is_last = |frame: &[u8]| match answer(frame) {
        Some((_, LAST_PORT, _)) => true,
        Some((port, to, flags)) => {
            answers.insert((port, to.wrapping_sub(FIRST_PORT)), flags);
            false
        }
        None => false,
    };
    capture.wait_for(LIMIT, is_last)?.context("the last segment was not answered")?;
    Ok(answers)
}

/// The ports and the flags of a TCP segment without options before it.
fn answer(frame: &[u8]) -> Option<(u16, u16, u8)> {
    const TCP: u8 = 6;
    let segment = match (frame.get(12..14)?, frame.get(23), frame.get(20)) {
        ([0x08, 0x00], Some(&TCP), _) => frame.get(34..)?,
        ([0x86, 0xdd], _, Some(&TCP)) => frame.get(54..)?,
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes(segment.get(at..at + 2)?.try_into().ok()?));
    Some((port(0)?, port(2)?, *segment.get(13)?))
}
