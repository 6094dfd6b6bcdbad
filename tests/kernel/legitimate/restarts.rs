//! Services that begin, stop, crash and come back.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use scanguard_harness::{INTERFACE, Lab, close};

use super::scene::Scene;
use super::stage::{Stage, exchange, listen};

#[test]
fn a_service_that_stops_refuses_at_once_and_serves_again_after_its_restart() -> Result<()> {
    Scene::play(|stage| {
        let listener = stage.listen()?;
        let address = listener.local_addr()?;
        let (client, server) = stage.connect(&listener)?;
        close(listener)?;
        exchange(&client, &server).context("on a connection that the listener left behind")?;
        for _ in 0..10 {
            let start = Instant::now();
            let refused =
                stage.client.within(|| TcpStream::connect_timeout(&address, Duration::from_secs(3)));
            let error = refused.err().context("connected to nothing")?;
            ensure!(error.kind() == ErrorKind::ConnectionRefused, "after {:?}: {error}", start.elapsed());
        }
        let listener = listen(stage.server, address)?;
        let (client, server) = stage.connect(&listener)?;
        exchange(&client, &server)
    })
}

#[test]
fn peers_of_a_crashed_host_are_told() -> Result<()> {
    Scene::play(|stage| {
        let connections = connections(stage)?;
        crash(stage, connections)?.into_iter().try_for_each(is_told)
    })
}

#[test]
fn idle_peers_of_a_crashed_host_find_out_by_keepalive() -> Result<()> {
    Scene::play(|stage| {
        let connections = connections(stage)?;
        for (client, _) in &connections {
            setsockopt(client, sockopt::KeepAlive, &true)?;
            setsockopt(client, sockopt::TcpKeepIdle, &1)?;
        }
        for mut client in crash(stage, connections)? {
            let error = client.read(&mut [0; 1]).err().context("something was read")?;
            ensure!(error.kind() == ErrorKind::ConnectionReset, "{error}");
        }
        Ok(())
    })
}

#[test]
fn peers_of_a_host_that_crashed_before_the_guard_came_are_told() -> Result<()> {
    let lab = Lab::new()?;
    let scene = Scene::before(&lab.guarded)?;
    let mut stale = Vec::new();
    for stage in scene.stages(&lab) {
        stale.extend(crash(&stage, connections(&stage)?)?);
    }
    scene.guard(INTERFACE)?;
    stale.into_iter().try_for_each(is_told)?;
    scene.end()
}

/// A few connections, as many as may be told at once.
fn connections(stage: &Stage<'_>) -> Result<Vec<(TcpStream, TcpStream)>> {
    let listener = stage.listen()?;
    (0..8)
        .map(|_| {
            let (client, server) = stage.connect(&listener)?;
            exchange(&client, &server)?;
            Ok((client, server))
        })
        .collect()
}

/// Takes the server's ends away without a word to the clients.
fn crash(stage: &Stage<'_>, connections: Vec<(TcpStream, TcpStream)>) -> Result<Vec<TcpStream>> {
    stage.server.run(
        "nft",
        ["table inet mute { chain out { type filter hook output priority 0; policy drop\n }\n }"],
    )?;
    let mut stale = Vec::new();
    for (client, server) in connections {
        setsockopt(&server, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
        close(server)?;
        stale.push(client);
    }
    stage.server.run("nft", ["delete table inet mute"])?;
    Ok(stale)
}

/// Whether a client that goes on learns soon that its connection is gone.
fn is_told(mut client: TcpStream) -> Result<()> {
    client.write_all(b"are you still there?")?;
    let error =
        client.read(&mut [0; 1]).err().context("something was read from a connection that is gone")?;
    ensure!(error.kind() == ErrorKind::ConnectionReset, "{error}");
    Ok(())
}
