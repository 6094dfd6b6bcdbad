//! Who knocks at a closed port in good faith hears nothing, as everybody does, and no more than that comes of it: what
//! else he does goes on.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_common::cause::Cause;
use scanguard_harness::{GUARDED_V4, GUARDED_V6, Host, Lab, Service};

use crate::conversation::Conversation;
use crate::guard::{Counts, Guard};

/// The longest that a connection may take whose SYN was dropped: it is sent again after one second, three, seven …
const PATIENCE: Duration = Duration::from_secs(20);

/// RFC 8305: the family that does not answer costs a quarter of a second.
#[test]
fn a_client_whose_first_family_is_closed_takes_the_other() -> Result<()> {
    let lab = Lab::new()?;
    let listener = lab.guarded.within(|| TcpListener::bind((GUARDED_V4, 80)))?;
    let _service = Service::http_by(listener);
    let guard = Guard::attached(&lab.guarded)?;
    for _ in 0..5 {
        let line = format!(
            "-sS -g -o /dev/null -w %{{http_code}} --resolve web:80:[{GUARDED_V6}],{GUARDED_V4} http://web/10"
        );
        let code = lab.outside.run("curl", line.split_whitespace())?;
        ensure!(code == "200", "curl heard {code}");
    }
    // The first time at least: once the port has accepted, its refusals are those of a service that restarts.
    ensure!(unanswered(&guard.counts()?) >= 1, "IPv6 was not tried: {:?}", guard.counts()?);
    Ok(())
}

/// As monitors do, for days, when somebody has forgotten to tell them.
#[test]
fn a_monitor_two_of_whose_services_are_gone_goes_on_watching_the_others() -> Result<()> {
    const ALIVE: [u16; 4] = [22, 53, 80, 443];
    const GONE: [u16; 2] = [21, 8080];
    let lab = Lab::new()?;
    let _services =
        ALIVE.map(|port| Service::echo(&lab.guarded, port)).into_iter().collect::<Result<Vec<_>>>()?;
    let guard = Guard::attached(&lab.guarded)?;
    for round in 0..15 {
        for port in GONE {
            let gone = SocketAddr::from((GUARDED_V4, port));
            let connected =
                lab.outside.within(|| TcpStream::connect_timeout(&gone, Duration::from_millis(50)));
            ensure!(connected.is_err(), "connected to nothing");
        }
        for port in ALIVE {
            Conversation::open(&lab.outside, (GUARDED_V4, port))
                .and_then(|mut conversation| conversation.exchange("alive?"))
                .with_context(|| format!("round {round}, port {port}"))?;
        }
    }
    let counts = guard.counts()?;
    ensure!(counts.dropped() == unanswered(&counts), "more was dropped than knocks: {counts:?}");
    Ok(())
}

#[test]
fn a_client_that_came_before_its_service_is_served_when_it_knocks_again() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    for (port, address) in [(8001, SocketAddr::from((GUARDED_V4, 8001))), (8002, (GUARDED_V6, 8002).into())] {
        let knocks = |host: &Host| host.within(|| TcpStream::connect_timeout(&address, PATIENCE));
        thread::scope(|scope| {
            let client = scope.spawn(|| knocks(&lab.outside));
            sleep(Duration::from_millis(300));
            let _service = Service::echo(&lab.guarded, port)?;
            let client = client.join().expect("knocking does not panic").context("knocking again")?;
            Conversation::over(client)?.exchange("at last")
        })?;
    }
    ensure!(unanswered(&guard.counts()?) >= 2, "nobody came too early: {:?}", guard.counts()?);
    Ok(())
}

/// Knocks that nobody answered: at the first door, or, where it was not known yet that the port is closed, at the second.
fn unanswered(counts: &Counts) -> u64 {
    counts.packets(Cause::ClosedPort) + counts.packets(Cause::ResetSilenced)
}
