//! The many ways in which connections end.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use scanguard_harness::{Faults, Host, Lab, Relay, close};

use super::scene::Scene;
use super::stage::{PATIENCE, Stage, await_happened, connect, exchange, happened, pour, say, set};

const MANY: usize = 2_000_000;
/// How often something is tried that is up to chance.
const ATTEMPTS: usize = 20;

#[test]
fn half_closed_connections_carry_data_the_other_way() -> Result<()> {
    Scene::play(|stage| {
        for (done, goes_on) in either_end(stage)? {
            say(&done, &goes_on, "that is all from me")?;
            done.shutdown(Shutdown::Write)?;
            ensure!(reads_the_end(&goes_on)?, "more came after the end");
            pour(&goes_on, &done, MANY)?;
            goes_on.shutdown(Shutdown::Write)?;
            ensure!(reads_the_end(&done)?, "more came after the end");
        }
        Ok(())
    })
}

#[test]
fn both_sides_close_at_once() -> Result<()> {
    Scene::play(|stage| {
        for _ in 0..50 {
            let (client, server) = stage.connected()?;
            exchange(&client, &server)?;
            thread::scope(|scope| {
                scope.spawn(|| client.shutdown(Shutdown::Write));
                scope.spawn(|| server.shutdown(Shutdown::Write));
            });
            ensure!(reads_the_end(&client)? && reads_the_end(&server)?, "more came after the end");
        }
        Ok(())
    })
}

#[test]
fn aborted_connections() -> Result<()> {
    Scene::play(|stage| {
        for (gone, stays) in either_end(stage)? {
            abort(gone)?;
            ensure!(is_reset(&stays)?, "the other side did not hear of it");
        }
        Ok(())
    })
}

#[test]
fn data_that_crosses_a_reset() -> Result<()> {
    let lab = Lab::new()?;
    // What is under way needs a while for the way.
    let _relay = Relay::between_the_hosts_of(&lab, Faults::default(), 0)?;
    let scene = Scene::guarding(&lab.guarded)?;
    for stage in scene.stages(&lab) {
        // Whether anything is under way in the moment of the reset is up to chance, so it gets several.
        let is_late =
            (0..ATTEMPTS).map(|_| crosses_a_reset(&stage, &lab)).find(|late| !matches!(late, Ok(false)));
        is_late.with_context(|| format!("{}: nothing came too late", stage.describe()))??;
    }
    scene.end()
}

/// Aborts two connections, one at either end, while the other end writes. Whether the guarded host has answered anything
/// that came later: it sends more than the reset that aborts its own.
fn crosses_a_reset(stage: &Stage<'_>, lab: &Lab) -> Result<bool> {
    let before = happened(&lab.guarded, "OutRsts")?;
    for (gone, mut stays) in either_end(stage)? {
        let writing = thread::spawn(move || while stays.write_all(&[b'.'; 1 << 16]).is_ok() {});
        (&gone).read_exact(&mut [0; 1_000_000]).context("reading some of it")?;
        abort(gone)?;
        writing.join().expect("writing does not panic");
    }
    Ok(happened(&lab.guarded, "OutRsts")? > before + 1)
}

#[test]
fn fins_that_come_after_the_connection_was_forgotten() -> Result<()> {
    let lab = Lab::new()?;
    let scene = Scene::guarding(&lab.guarded)?;
    let late = forgotten_by_servers(&scene, &lab, |_| Ok(()))?;
    let resets = [&lab.guarded, &lab.outside].map(|host| happened(host, "OutRsts"));
    close(late)?;
    for (host, before) in [&lab.guarded, &lab.outside].into_iter().zip(resets) {
        await_happened(host, "OutRsts", before? + 40).context("they were not told that it is gone")?;
    }
    scene.end()
}

/// Closing over data that nobody has read is an abort (RFC 2525 §2.17), however late.
#[test]
fn aborts_that_come_after_the_connection_was_forgotten() -> Result<()> {
    let lab = Lab::new()?;
    let scene = Scene::guarding(&lab.guarded)?;
    let late = forgotten_by_servers(&scene, &lab, |mut server| Ok(server.write_all(b"nobody reads this")?))?;
    for client in &late {
        client.peek(&mut [0]).context("waiting for what nobody is going to read")?;
    }
    let before = happened(&lab.outside, "TCPAbortOnClose")?;
    close(late)?;
    let aborted = happened(&lab.outside, "TCPAbortOnClose")? - before;
    ensure!(aborted >= 40, "of 40 connections {aborted} had something unread");
    scene.end()
}

#[test]
fn data_for_a_connection_that_was_closed() -> Result<()> {
    Scene::play(|stage| {
        let (client, server) = stage.connected()?;
        exchange(&client, &server)?;
        close(server)?;
        ensure!(reads_the_end(&client)?, "more came after the end");
        let deadline = Instant::now() + PATIENCE;
        while (&client).write_all(b"are you still there?").is_ok() {
            ensure!(Instant::now() < deadline, "nobody said that the connection is gone");
            sleep(Duration::from_millis(20));
        }
        Ok(())
    })
}

#[test]
fn connections_that_are_never_accepted() -> Result<()> {
    Scene::play(|stage| {
        let listener = stage.listen()?;
        let mut waiting = Vec::new();
        for _ in 0..10 {
            waiting.push(stage.scene.tries(|| connect(stage.client, listener.local_addr()?))?);
        }
        close(listener)?;
        for client in waiting {
            ensure!(is_reset(&client)?, "who was never accepted was not told");
        }
        Ok(())
    })
}

/// The clients' ends of connections that their servers have closed first, after some last words, and then forgotten
/// because nothing came from the clients.
fn forgotten_by_servers(
    scene: &Scene<'_>,
    lab: &Lab,
    last_words: impl Fn(&TcpStream) -> Result<()>,
) -> Result<Vec<TcpStream>> {
    for host in [&lab.guarded, &lab.outside] {
        set(host, "ipv4/tcp_fin_timeout", "1")?;
    }
    let mut clients = Vec::new();
    for stage in scene.stages(lab) {
        let listener = stage.listen()?;
        for _ in 0..20 {
            let (client, server) = stage.connect(&listener)?;
            exchange(&client, &server)?;
            last_words(&server)?;
            clients.push(client);
        }
    }
    for host in [&lab.guarded, &lab.outside] {
        await_forgotten(host)?;
    }
    Ok(clients)
}

/// Waits until no connection of a host waits for the other side's end.
fn await_forgotten(host: &Host) -> Result<()> {
    /// FIN_WAIT1 and FIN_WAIT2, as `/proc/net/tcp` writes them in its fourth column.
    const HALF_CLOSED: [&str; 2] = ["04", "05"];
    let deadline = Instant::now() + PATIENCE;
    loop {
        let read = |table| fs::read_to_string(format!("/proc/thread-self/net/{table}"));
        let tables = host.within(|| Ok::<_, io::Error>(read("tcp")? + &read("tcp6")?))?;
        let states = tables.lines().filter_map(|line| line.split_whitespace().nth(3));
        let half_closed = states.filter(|state| HALF_CLOSED.contains(state)).count();
        if half_closed == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{half_closed} connections of {} still wait", host.name());
        sleep(Duration::from_millis(100));
    }
}

/// Two connections that were used: the first with the client's end first, the other with the server's.
fn either_end(stage: &Stage<'_>) -> Result<[(TcpStream, TcpStream); 2]> {
    let listener = stage.listen()?;
    let (mine, yours) = stage.connect(&listener)?;
    let (client, server) = stage.connect(&listener)?;
    exchange(&mine, &yours)?;
    exchange(&client, &server)?;
    Ok([(mine, yours), (server, client)])
}

/// Ends a connection by RST instead of FIN.
fn abort(stream: TcpStream) -> Result<()> {
    setsockopt(&stream, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
    close(stream)
}

fn reads_the_end(mut stream: &TcpStream) -> Result<bool> {
    Ok(stream.read(&mut [0; 1]).context("waiting for the end")? == 0)
}

fn is_reset(mut stream: &TcpStream) -> Result<bool> {
    match stream.read(&mut [0; 1]) {
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(true),
        Err(error) => Err(error).context("waiting for a reset"),
        Ok(_) => Ok(false),
    }
}
