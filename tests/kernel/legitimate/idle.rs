//! Connections that say little, or nothing for a while.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::thread;

use anyhow::{Context, Result, ensure};
use nix::sys::socket::{MsgFlags, send, setsockopt, sockopt};
use scanguard_harness::{INTERFACE, Lab};

use super::scene::Scene;
use super::stage::{Stage, await_happened, exchange};

#[test]
fn keepalives_of_idle_connections() -> Result<()> {
    let lab = Lab::new()?;
    let scene = Scene::guarding(&lab.guarded)?;
    let mut connections = Vec::new();
    for stage in scene.stages(&lab) {
        let (client, server) = stage.connected()?;
        exchange(&client, &server)?;
        for end in [&client, &server] {
            setsockopt(end, sockopt::KeepAlive, &true)?;
            setsockopt(end, sockopt::TcpKeepIdle, &1)?;
            setsockopt(end, sockopt::TcpKeepInterval, &1)?;
        }
        connections.push((client, server));
    }
    for host in [&lab.guarded, &lab.outside] {
        await_happened(host, "TCPKeepAlive", 8)?; // two of each end
    }
    for (client, server) in &connections {
        exchange(client, server)?;
    }
    scene.end()
}

#[test]
fn probes_of_a_closed_window() -> Result<()> {
    let lab = Lab::new()?;
    let scene = Scene::guarding(&lab.guarded)?;
    let connections =
        scene.stages(&lab).map(|stage| stage.connected()).into_iter().collect::<Result<Vec<_>>>()?;
    thread::scope(|scope| {
        let mut writers = Vec::new();
        for (mut client, _) in connections.iter().map(|(client, server)| (client, server)) {
            writers.push(scope.spawn(move || client.write_all(&vec![b'.'; FULL])));
        }
        for host in [&lab.guarded, &lab.outside] {
            await_happened(host, "TCPWinProbe", 2)?; // nobody reads: windows close, and are probed
        }
        for (_, server) in &connections {
            read_whole(server)?;
        }
        for writer in writers {
            writer.join().expect("writing does not panic").context("sending")?;
        }
        anyhow::Ok(())
    })?;
    scene.end()
}

#[test]
fn urgent_data() -> Result<()> {
    Scene::play(|stage| {
        let (client, server) = stage.connected()?;
        for (from, to) in [(&client, &server), (&server, &client)] {
            setsockopt(to, sockopt::OobInline, &true)?;
            for _ in 0..10 {
                send(from.as_raw_fd(), b"now!", MsgFlags::MSG_OOB).context("sending urgent data")?;
                let mut heard = [0; 4];
                (&mut &*to).read_exact(&mut heard).context("reading urgent data")?;
                ensure!(&heard == b"now!", "heard {heard:?}");
            }
            exchange(&client, &server)?;
        }
        Ok(())
    })
}

#[test]
fn connections_older_than_the_guard() -> Result<()> {
    let lab = Lab::new()?;
    let scene = Scene::before(&lab.guarded)?;
    let stages = scene.stages(&lab);
    let connections = stages.iter().map(Stage::connected).collect::<Result<Vec<_>>>()?;
    scene.guard(INTERFACE)?;
    for (client, server) in connections {
        exchange(&client, &server)?;
        drop(client);
        ensure!((&server).read(&mut [0; 1])? == 0, "the end was not heard of");
    }
    scene.end()
}

/// More than both ends keep in their buffers.
const FULL: usize = 12_000_000;

fn read_whole(mut stream: &TcpStream) -> Result<()> {
    let mut missing = FULL;
    let mut buffer = vec![0; 1 << 16];
    while missing > 0 {
        let read = stream.read(&mut buffer).context("receiving")?;
        ensure!(read > 0, "the connection ended {missing} bytes early");
        missing -= read;
    }
    Ok(())
}
