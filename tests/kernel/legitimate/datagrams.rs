//! What is said without a connection: questions and answers, fragments, tunnels, echoes.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use anyhow::{Context, Result, ensure};
use scanguard_harness::{GUARDED_V4, Host, INTERFACE, Lab, OUTSIDE_V4};

use super::scene::Scene;
use super::stage::{PATIENCE, Stage, await_socket, exchange, happened, pour};

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
fn a_tunnel_of_the_kernel() -> Result<()> {
    let lab = Lab::new()?;
    for (host, remote, inner) in [(&lab.guarded, OUTSIDE_V4, INNER[0]), (&lab.outside, GUARDED_V4, INNER[1])]
    {
        host.ip(&format!("link add tunnel type vxlan id 7 remote {remote} dstport 4789 dev {INTERFACE}"))?;
        host.ip(&format!("addr add {inner}/24 dev tunnel"))?;
        host.ip("link set tunnel up")?;
    }
    let scene = Scene::guarding(&lab.guarded)?;
    converse_inside(&scene, &lab)?;
    scene.end()
}

/// As virtual private networks are made: packets within datagrams, between two ports that never change.
#[test]
fn a_tunnel_of_a_program() -> Result<()> {
    const PORT: u16 = 51_820;
    let lab = Lab::new()?;
    let mut ends = Vec::new();
    for (host, own, remote, inner) in
        [(&lab.guarded, GUARDED_V4, OUTSIDE_V4, INNER[0]), (&lab.outside, OUTSIDE_V4, GUARDED_V4, INNER[1])]
    {
        let outer = format!("UDP4-DATAGRAM:{remote}:{PORT},bind={own}:{PORT}");
        ends.push(host.spawn("socat", [outer, format!("TUN:{inner}/24,tun-name=tunnel,iff-up")])?);
        await_socket(host, "udp", PORT)?;
        host.ip("link set tunnel mtu 1420")?;
    }
    let scene = Scene::guarding(&lab.guarded)?;
    converse_inside(&scene, &lab)?;
    scene.end()
}

const INNER: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 168, 7, 1)), IpAddr::V4(Ipv4Addr::new(192, 168, 7, 2))];

/// Words and bulk data within a tunnel, with either end as the server.
fn converse_inside(scene: &Scene<'_>, lab: &Lab) -> Result<()> {
    let (guarded, outside) = ((&lab.guarded, INNER[0]), (&lab.outside, INNER[1]));
    for ((server, server_is), (client, client_is)) in [(guarded, outside), (outside, guarded)] {
        let stage = Stage { scene, client, server, client_is, server_is };
        let (client, server) = stage.connected()?;
        exchange(&client, &server)?;
        pour(&client, &server, 500_000)?;
        pour(&server, &client, 500_000)?;
    }
    Ok(())
}

/// Sends a question of so many bytes, and an answer as long.
pub(super) fn ask(stage: &Stage<'_>, size: usize) -> Result<()> {
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
