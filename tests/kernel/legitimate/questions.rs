//! Questions by UDP as real programs ask them, from and to the ports that they use, and answers that come late.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use scanguard_harness::{GUARDED_V4, GUARDED_V6, Host, Lab, OUTSIDE_V4, OUTSIDE_V6};

use super::scene::Scene;
use super::stage::{PATIENCE, Stage, await_socket, set};

#[test]
fn names_that_are_looked_up() -> Result<()> {
    Scene::play(|stage| {
        let big: Vec<String> =
            (0..12).map(|number| format!("--txt-record=big.test,{number}-{}", "x".repeat(240))).collect();
        let address = stage.server_is.to_string();
        let words = ["-k", "-C", "/dev/null", "-u", "root", "--pid-file=", "--no-resolv", "--no-hosts"];
        let words = words.into_iter().map(str::to_owned).chain(big);
        let words = words.chain([
            "--bind-interfaces".to_owned(),
            format!("--listen-address={address}"),
            "--edns-packet-max=4096".to_owned(),
            "--address=/short.test/192.0.2.7".to_owned(),
        ]);
        let _server = stage.server.spawn("dnsmasq", words)?;
        await_socket(stage.server, if stage.server_is.is_ipv4() { "udp" } else { "udp6" }, 53)?;
        for (question, expected) in [
            ("+notcp short.test", "192.0.2.7"),
            ("+notcp +ignore +bufsize=4096 big.test TXT", "11-x"), // its answer comes in fragments
            ("+notcp +bufsize=512 big.test TXT", "11-x"), // it is cut short, and asked for again by TCP
            ("+tcp big.test TXT", "11-x"),
        ] {
            let line = format!("+short +tries=1 +time=5 @{address} {question}");
            let answer = stage.scene.tries(|| stage.client.run("dig", line.split_whitespace()))?;
            ensure!(answer.contains(expected), "{question}: {answer}");
        }
        Ok(())
    })
}

/// As name servers, clocks, key exchanges and file servers do: none of their ports says who is the client.
#[test]
fn questions_from_privileged_ports() -> Result<()> {
    Scene::play(|stage| {
        for (from, to, size) in
            [(53, 53, 40), (123, 123, 48), (500, 500, 300), (1023, 2049, 8_200), (68, 67, 300)]
        {
            stage
                .scene
                .tries(|| there_and_back(stage, from, to, size))
                .with_context(|| format!("{from} to {to}"))?;
        }
        Ok(())
    })
}

/// As QUIC does (RFC 9000 §9): full datagrams in flights, and a client whose port changes on the way.
#[test]
fn flights_of_datagrams_and_a_client_that_moves() -> Result<()> {
    Scene::play(|stage| {
        let server = socket(stage.server, (stage.server_is, 443))?;
        let mut heard = [0; 2048];
        for _ in 0..5 {
            stage.scene.tries(|| {
                let client = socket(stage.client, (stage.client_is, 0))?;
                for _ in 0..20 {
                    client.send_to(&[0xc3; 1200], (stage.server_is, 443))?;
                    let (_, asker) = server.recv_from(&mut heard).context("waiting for a question")?;
                    for _ in 0..10 {
                        server.send_to(&[0x43; 1350], asker)?;
                    }
                    for _ in 0..10 {
                        client.recv(&mut heard).context("waiting for an answer")?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    })
}

/// Whoever answers is told that nobody waits any more, as he would be without a guard.
#[test]
fn answers_that_come_after_the_question_was_given_up() -> Result<()> {
    Scene::play(|stage| {
        if stage.client.name() != "guarded" {
            return Ok(());
        }
        set(stage.client, "ipv4/icmp_ratelimit", "0")?;
        for _ in 0..5 {
            let server = socket(stage.server, (stage.server_is, 0))?;
            let client = socket(stage.client, (stage.client_is, 0))?;
            client.send_to(b"?", server.local_addr()?)?;
            let (_, asker) = server.recv_from(&mut [0; 8]).context("waiting for a question")?;
            drop(client);
            server.connect(asker)?;
            stage.scene.tries(|| {
                server.send(b"!")?;
                is_refused(&server)
            })?;
        }
        Ok(())
    })
}

/// Whom this host asks may have no such port, or a filter in front of it.
#[test]
fn questions_that_are_turned_away_outside() -> Result<()> {
    const FILTER: &str = "table inet filter { chain in { type filter hook input priority 0; \
        th dport 9100 reject with icmpx admin-prohibited\n }\n }";
    let lab = Lab::new()?;
    for host in [&lab.guarded, &lab.outside] {
        set(host, "ipv4/icmp_ratelimit", "0")?;
        set(host, "ipv6/icmp/ratelimit", "0")?;
    }
    lab.outside.run("nft", [FILTER])?;
    let scene = Scene::guarding(&lab.guarded)?;
    for (ours, theirs) in
        [(IpAddr::from(GUARDED_V4), IpAddr::from(OUTSIDE_V4)), (GUARDED_V6.into(), OUTSIDE_V6.into())]
    {
        for _ in 0..5 {
            scene.tries(|| {
                let client = socket(&lab.guarded, (ours, 0))?;
                client.connect((theirs, 9_999))?;
                client.send(b"?")?;
                is_refused(&client)
            })?;
            scene.tries(|| {
                let forbidden = SocketAddr::from((theirs, 9_100));
                let start = Instant::now();
                let refused = lab.guarded.within(|| TcpStream::connect_timeout(&forbidden, PATIENCE));
                let error = refused.err().context("connected through a filter")?;
                let kinds = [ErrorKind::HostUnreachable, ErrorKind::PermissionDenied];
                ensure!(kinds.contains(&error.kind()), "{theirs} after {:?}: {error}", start.elapsed());
                Ok(())
            })?;
        }
    }
    scene.end()
}

fn there_and_back(stage: &Stage<'_>, from: u16, to: u16, size: usize) -> Result<()> {
    let client = socket(stage.client, (stage.client_is, from))?;
    let server = socket(stage.server, (stage.server_is, to))?;
    let mut heard = vec![0; 1 << 16];
    client.send_to(&vec![b'?'; size], (stage.server_is, to))?;
    let (length, asker) = server.recv_from(&mut heard).context("waiting for a question")?;
    ensure!((length, asker.port()) == (size, from), "{length} bytes came from {asker}");
    server.send_to(&vec![b'!'; size], asker)?;
    ensure!(client.recv(&mut heard).context("waiting for the answer")? == size, "another length came");
    Ok(())
}

fn socket(host: &Host, at: (IpAddr, u16)) -> Result<UdpSocket> {
    let socket = host.within(|| UdpSocket::bind(at)).with_context(|| format!("binding to {at:?}"))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Whether a socket hears that nobody is there.
fn is_refused(socket: &UdpSocket) -> Result<()> {
    match socket.recv(&mut [0; 8]) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        other => bail!("it was not turned away: {other:?}"),
    }
}
