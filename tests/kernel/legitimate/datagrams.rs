//! What is said without a connection: questions and answers, fragments, tunnels, echoes.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use anyhow::{Context, Result, ensure};
use scanguard_harness::{GUARDED_V4, Host, INTERFACE, Lab, OUTSIDE_V4};

use super::scene::Scene;
use super::stage::{PATIENCE, Stage, exchange, happened};

#[test]
fn questions_and_answers_by_udp() -> Result<()> {
    Scene::play(|stage| {
        for size in [0, 1, 512, 1232, 1472] {
            stage.scene.tries(|| ask(stage, size))?;
        }
        Ok(())
    })
}

#[test]
fn datagrams_in_fragments() -> Result<()> {
    let lab = Lab::new()?;
    Scene::play_in(&lab, |stage| {
        for size in [1481, 4096, 9000, 65_000] {
            stage.scene.tries(|| ask(stage, size))?;
        }
        Ok(())
    })?;
    for name in ["ReasmOKs", "FragOKs"] {
        ensure!(happened(&lab.guarded, name)? > 0, "{name}: nothing came in fragments");
    }
    Ok(())
}

#[test]
fn echoes() -> Result<()> {
    Scene::play(|stage| {
        let program = if stage.server_is.is_ipv4() { "ping" } else { "ping6" };
        for size in ["0", "56", "3000"] {
            let target = stage.server_is.to_string();
            let words = [program, "-c", "2", "-i", "0.1", "-W", "2", "-s", size, &target];
            stage.scene.tries(|| stage.client.run("busybox", words))?;
        }
        Ok(())
    })
}

#[test]
fn a_tunnel() -> Result<()> {
    let lab = Lab::new()?;
    let inner: [IpAddr; 2] = [Ipv4Addr::new(192, 168, 7, 1).into(), Ipv4Addr::new(192, 168, 7, 2).into()];
    for (host, remote, inner) in [(&lab.guarded, OUTSIDE_V4, inner[0]), (&lab.outside, GUARDED_V4, inner[1])]
    {
        host.ip(&format!("link add tunnel type vxlan id 7 remote {remote} dstport 4789 dev {INTERFACE}"))?;
        host.ip(&format!("addr add {inner}/24 dev tunnel"))?;
        host.ip("link set tunnel up")?;
    }
    let scene = Scene::guarding(&lab.guarded)?;
    let stage = Stage {
        scene: &scene,
        client: &lab.outside,
        server: &lab.guarded,
        client_is: inner[1],
        server_is: inner[0],
    };
    let (client, server) = stage.connected()?;
    exchange(&client, &server)?;
    scene.end()
}

/// Sends a question of so many bytes, and an answer as long.
fn ask(stage: &Stage<'_>, size: usize) -> Result<()> {
    let (client, server) = (socket(stage.client, stage.client_is)?, socket(stage.server, stage.server_is)?);
    let mut buffer = vec![0; 1 << 16];
    client.send_to(&vec![b'?'; size], server.local_addr()?).context("asking")?;
    let (length, asker) = server.recv_from(&mut buffer).with_context(|| format!("hearing {size} bytes"))?;
    ensure!(length == size, "asked with {size} bytes, heard {length}");
    server.send_to(&vec![b'!'; size], asker).context("answering")?;
    let length = client.recv(&mut buffer).with_context(|| format!("hearing an answer of {size} bytes"))?;
    ensure!(length == size, "answered with {size} bytes, heard {length}");
    Ok(())
}

fn socket(host: &Host, address: IpAddr) -> Result<UdpSocket> {
    let socket = host.within(|| UdpSocket::bind((address, 0)))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}
