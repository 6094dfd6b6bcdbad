//! SCTP where the kernel has it: who asks is answered only where a socket is.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use scanguard_common::cause::Cause;
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::policy::PortRule;
use scanguard_harness::{
    Capture, Frame, GUARDED_V4, GUARDED_V6, INTERFACE, Injector, Lab, OUTSIDE_V4, OUTSIDE_V6,
};

use super::feature::Feature;
use crate::guard::Guard;
use crate::ledger::Ledger;
use crate::legitimate::{Socket, accept, exchange};

const QUIET: Duration = Duration::from_millis(300);
const OPEN: u16 = 80;
const CLOSED: u16 = 81;

/// The chunks that scanners send (RFC 9260 §3.3.2 and §3.3.11), and whether a socket answers them.
const QUESTIONS: [(&str, u8, [u8; 16], bool); 2] = [
    ("INIT", 1, [0x77, 0x77, 0x77, 0x77, 0, 1, 0, 0, 0, 10, 0, 10, 0, 0, 0, 1], true),
    // Its cookie is none, which a socket has no word for.
    ("COOKIE ECHO", 10, [0x77; 16], false),
];

#[test]
fn sctp_is_answered_where_a_socket_is_and_nowhere_else() -> Result<()> {
    if Feature::Sctp.is_missing()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let mut listeners = Vec::new();
    for (guarded, _) in addresses() {
        listeners.push(Socket::sctp(&lab.guarded, guarded)?.bound_to((guarded, OPEN))?.listen()?);
    }
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let capture = Capture::on(&lab.outside, INTERFACE)?;
    let is_answered = |addresses: (IpAddr, IpAddr), port, (_, kind, value, _): (&str, u8, [u8; 16], bool)| {
        let (guarded, outside) = addresses;
        let question = Frame::between(outside, guarded).sctp(40_000, port).chunk(kind, 0, &value);
        // Only what asks for an association comes without the tag of one (RFC 9260 §8.5.1).
        let question = if kind == 1 { question } else { question.tag(7) };
        injector.send(&question.build())?;
        Ok::<_, anyhow::Error>(!capture.answers_after(QUIET)?.is_empty())
    };
    for guarded in [false, true] {
        let _guard = if guarded { Some(Guard::attached(&lab.guarded)?) } else { None };
        for question in QUESTIONS {
            let (name, _, _, by_socket) = question;
            for addresses in addresses() {
                let open = is_answered(addresses, OPEN, question)?;
                ensure!(
                    open == by_socket,
                    "{name} to a socket of {addresses:?}: answered {open}, guarded {guarded}"
                );
                let closed = is_answered(addresses, CLOSED, question)?;
                ensure!(
                    closed != guarded,
                    "{name} to no socket of {addresses:?}: answered {closed}, guarded {guarded}"
                );
            }
        }
    }
    Ok(())
}

fn addresses() -> [(IpAddr, IpAddr); 2] {
    [(GUARDED_V4.into(), OUTSIDE_V4.into()), (GUARDED_V6.into(), OUTSIDE_V6.into())]
}

#[test]
fn a_ban_refuses_new_associations_and_nothing_else() -> Result<()> {
    const PUBLISHED: u16 = 82;
    if Feature::Sctp.is_missing()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    Ledger::of(&lab.guarded).set_port_rule(PUBLISHED, PortRule::default().with_public(IpProtocol::SCTP))?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let capture = Capture::on(&lab.outside, INTERFACE)?;
    let (_, init, value, _) = QUESTIONS[0];
    for (guarded, outside) in addresses() {
        let listen = |host, at: (IpAddr, u16)| Socket::sctp(host, at.0)?.bound_to(at)?.listen();
        let (ours, theirs) = (listen(&lab.guarded, (guarded, OPEN))?, listen(&lab.outside, (outside, OPEN))?);
        let _published = listen(&lab.guarded, (guarded, PUBLISHED))?;
        let client = Socket::sctp(&lab.outside, outside)?.connect((guarded, OPEN).into())?;
        let server = accept(&ours)?;
        exchange(&client, &server)?;

        guard.run(&format!("ban add {outside}"))?;
        let before = guard.counts()?;
        exchange(&client, &server)?;
        let begun_here = Socket::sctp(&lab.guarded, guarded)?.connect((outside, OPEN).into())?;
        exchange(&begun_here, &accept(&theirs)?)?;
        ensure!(guard.counts()?.dropped() == before.dropped(), "something was dropped: {before:?}");
        capture.frames_after(QUIET)?;
        for (port, answered) in [(OPEN, false), (PUBLISHED, true)] {
            let question = Frame::between(outside, guarded).sctp(40_000, port).chunk(init, 0, &value).build();
            injector.send(&question)?;
            let answers = capture.answers_after(QUIET)?;
            ensure!(answers.is_empty() != answered, "INIT of {outside} to {port}: {} answers", answers.len());
        }
        let refused = guard.counts()?.packets(Cause::Denied) - before.packets(Cause::Denied);
        ensure!(refused == 1, "{refused} packets of {outside} were refused");
    }
    Ok(())
}
