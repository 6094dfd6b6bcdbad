//! Much at once: bulk data, and thousands of connections in a row.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::thread;

use anyhow::{Context, Result, ensure};
use scanguard_harness::{Host, Lab};

use super::scene::Scene;
use super::stage::{accept, await_happened, connect, exchange, happened, pour, set};

/// Some ten thousand segments each way.
const BULK: usize = 16_000_000;
/// Far more than there are [`PORTS`], while TIME_WAIT lasts a minute: most SYNs find the connection before them.
const CONNECTIONS: usize = 600;
const PORTS: &str = "40000 40099";

#[test]
fn bulk_data_both_ways() -> Result<()> {
    Scene::play(|stage| {
        let (client, server) = stage.connected()?;
        thread::scope(|scope| {
            let upload = scope.spawn(|| pour(&client, &server, BULK));
            pour(&server, &client, BULK).context("downloading")?;
            upload.join().expect("pouring does not panic").context("uploading")
        })
    })
}

#[test]
fn thousands_of_short_connections_that_reuse_their_ports() -> Result<()> {
    let lab = Lab::new()?;
    for host in [&lab.guarded, &lab.outside] {
        set(host, "ipv4/ip_local_port_range", PORTS)?;
    }
    Scene::play_in(&lab, |stage| {
        let listener = stage.listen()?;
        thread::scope(|scope| {
            let serving = scope.spawn(|| serve(&listener, CONNECTIONS));
            for number in 0..CONNECTIONS {
                let to = listener.local_addr()?;
                stage
                    .scene
                    .tries(|| ask(stage.client, to))
                    .with_context(|| format!("connection {number}"))?;
            }
            serving.join().expect("serving does not panic")
        })
    })
}

#[test]
fn connections_that_find_no_room_in_time_wait() -> Result<()> {
    let lab = Lab::new()?;
    for host in [&lab.guarded, &lab.outside] {
        set(host, "ipv4/tcp_max_tw_buckets", "1")?;
    }
    Scene::play_in(&lab, |stage| {
        let overflowed = happened(stage.server, "TCPTimeWaitOverflow")?;
        let listener = stage.listen()?;
        let mut clients = Vec::new();
        for _ in 0..100 {
            let (client, server) = stage.connect(&listener)?;
            exchange(&client, &server)?;
            clients.push(client); // the server closes first
        }
        // The server's ends are acknowledged, and forgotten for want of room.
        await_happened(stage.server, "TCPTimeWaitOverflow", overflowed + 90).context("TIME_WAIT had room")?;
        drop(clients);
        Ok(())
    })
}

/// Answers so many requests, and closes each connection first, so that TIME_WAIT is the server's.
fn serve(listener: &TcpListener, connections: usize) -> Result<()> {
    for _ in 0..connections {
        let mut stream = accept(listener)?;
        stream.read_exact(&mut [0; 3]).context("reading a request")?;
        stream.write_all(b"the answer").context("answering")?;
    }
    Ok(())
}

fn ask(client: &Host, server: SocketAddr) -> Result<()> {
    let mut stream = connect(client, server)?;
    stream.write_all(b"ask").context("asking")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).context("reading the answer")?;
    ensure!(answer == b"the answer", "the answer was {answer:?}");
    let _ = stream.shutdown(Shutdown::Both);
    Ok(())
}
