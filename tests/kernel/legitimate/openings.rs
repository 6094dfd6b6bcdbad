//! The many ways in which connections begin.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::socket::sockopt;
use scanguard_common::cause::Cause;
use scanguard_harness::{Frame, GUARDED_V4, Host, INTERFACE, Injector, Lab};

use super::scene::Scene;
use super::socket::Socket;
use super::stage::{PATIENCE, accept, await_happened, connect, exchange, happened, listen, pour, set};

#[test]
fn fast_open() -> Result<()> {
    /// For clients, for servers, and for every listener.
    const EVERYWHERE: &str = "1027";
    let lab = Lab::new()?;
    for host in [&lab.guarded, &lab.outside] {
        set(host, "ipv4/tcp_fastopen", EVERYWHERE)?;
    }
    Scene::play_in(&lab, |stage| {
        let before = happened(stage.server, "TCPFastOpenPassive")?;
        let listener = stage.listen()?;
        for _ in 0..5 {
            let client =
                Socket::tcp(stage.client, stage.server_is)?.with(sockopt::TcpFastOpenConnect, &true)?;
            let client = stage.scene.tries(|| client.connect(listener.local_addr()?))?;
            (&client).write_all(b"at once")?;
            let server = accept(&listener)?;
            (&server).read_exact(&mut [0; 7])?;
            exchange(&client, &server)?;
        }
        // The first of them asks for a cookie.
        let quick = happened(stage.server, "TCPFastOpenPassive")? - before;
        ensure!(quick >= 4, "data came with only {quick} of 5 SYNs");
        Ok(())
    })
}

#[test]
fn congestion_notification() -> Result<()> {
    /// Marks every fourth packet as a congested router does (RFC 3168 §5).
    const CONGESTED: &str = "table inet congested { chain out { type filter hook output priority 0; \
        ip ecn ect0 numgen inc mod 4 0 ip ecn set ce
        ip6 ecn ect0 numgen inc mod 4 0 ip6 ecn set ce\n }\n }";
    let lab = Lab::new()?;
    for host in [&lab.guarded, &lab.outside] {
        set(host, "ipv4/tcp_ecn", "1")?;
    }
    lab.outside.run("nft", [CONGESTED])?;
    Scene::play_in(&lab, |stage| {
        // How many packets that takes depends on how much is sent at once. But a sender says that it understands marks
        // only where both sides have negotiated that, and hears of one only where its receiver says so.
        let family = if stage.server_is.is_ipv4() { "" } else { "Ip6" };
        let counts = || -> Result<[u64; 3]> {
            Ok([
                happened(&lab.guarded, &format!("{family}InECT0Pkts"))?,
                happened(&lab.guarded, &format!("{family}InCEPkts"))?,
                happened(&lab.outside, "TCPDeliveredCE")?,
            ])
        };
        let before = counts()?;
        let (client, server) = stage.connected()?;
        pour(&client, &server, 1_000_000)?;
        pour(&server, &client, 1_000_000)?;
        let [able, marked, heard] = counts()?;
        let [able, marked, heard] = [able - before[0], marked - before[1], heard - before[2]];
        let counted = format!("{able} packets able to be marked, {marked} marked, {heard} told of");
        ensure!(able > 0, "it was not negotiated: {counted}");
        ensure!(marked > 0, "no router was congested: {counted}");
        ensure!(heard > 0, "no sender has heard of it: {counted}");
        Ok(())
    })
}

#[test]
fn both_sides_connect_at_once() -> Result<()> {
    /// Loses the client's SYNs, and nothing else of it.
    const LOSE_IT: &str = "table inet lossy { chain out { type filter hook output priority 0; \
        tcp dport 5002 tcp flags & (syn | ack) == syn counter drop\n }\n }";
    Scene::play(|stage| {
        let (one, other) =
            (SocketAddr::from((stage.client_is, 5001)), SocketAddr::from((stage.server_is, 5002)));
        let client = Socket::tcp(stage.client, one.ip())?.bound_to(one)?;
        let server = Socket::tcp(stage.server, other.ip())?.bound_to(other)?;
        stage.client.run("nft", [LOSE_IT])?;
        thread::scope(|scope| {
            // Its SYN is lost, and then the other side's comes.
            let client = scope.spawn(|| stage.scene.tries(|| client.connect(other)));
            await_lost(stage.client)?;
            let server = server.connect(one)?;
            let client = client.join().expect("connecting does not panic")?;
            stage.client.run("nft", ["delete table inet lossy"])?;
            exchange(&client, &server)
        })
    })
}

/// Waits until a host's packet filter has lost something.
fn await_lost(host: &Host) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while host.run("nft", ["list table inet lossy"])?.contains("packets 0 ") {
        ensure!(Instant::now() < deadline, "nothing was sent that could be lost");
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

#[test]
fn connections_that_are_refused_outside() -> Result<()> {
    const REFUSED: Duration = Duration::from_secs(2);
    let lab = Lab::new()?;
    let scene = Scene::guarding(&lab.guarded)?;
    for stage in scene.stages(&lab).iter().filter(|stage| stage.client.name() == "guarded") {
        for port in 9001..9020 {
            let nobody = SocketAddr::from((stage.server_is, port));
            scene.tries(|| {
                let refused = stage.client.within(|| TcpStream::connect_timeout(&nobody, REFUSED));
                let error = refused.err().context("connected to nothing")?;
                ensure!(error.kind() == ErrorKind::ConnectionRefused, "port {port}: {error}");
                Ok(())
            })?;
        }
    }
    scene.end()
}

#[test]
fn a_service_flooded_with_syns_answers_by_cookie() -> Result<()> {
    const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 99);
    let lab = Lab::new()?;
    set(&lab.guarded, "ipv4/tcp_max_syn_backlog", "16")?;
    let scene = Scene::guarding(&lab.guarded)?;
    let listener = listen(&lab.guarded, (GUARDED_V4, 80))?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    for port in 40_000..45_000 {
        let syn = Frame::ipv4(NOBODY, GUARDED_V4).tcp(port, 80).flags("S");
        injector.send(&syn.build())?;
    }
    for _ in 0..20 {
        let client = scene.tries(|| connect(&lab.outside, listener.local_addr()?))?;
        exchange(&client, &accept(&listener)?)?;
    }
    ensure!(scene.guard.counts()?.packets(Cause::SynCookie) >= 20, "no cookies: {:?}", scene.guard.counts()?);
    scene.end()
}

#[test]
fn handshakes_that_are_always_by_cookie() -> Result<()> {
    let lab = Lab::new()?;
    for host in [&lab.guarded, &lab.outside] {
        set(host, "ipv4/tcp_syncookies", "2")?;
    }
    Scene::play_in(&lab, |stage| {
        let before = happened(stage.server, "SyncookiesRecv")?;
        let listener = stage.listen()?;
        for _ in 0..10 {
            let (client, server) = stage.connect(&listener)?;
            exchange(&client, &server)?;
        }
        let cookies = happened(stage.server, "SyncookiesRecv")? - before;
        ensure!(cookies >= 10, "only {cookies} of 10 handshakes were by cookie");
        Ok(())
    })
}

#[test]
fn several_paths_for_one_connection() -> Result<()> {
    let lab = Lab::new()?;
    let other_address = |host: &Host| if host.name() == "guarded" { "10.77.0.11" } else { "10.77.0.12" };
    for host in [&lab.guarded, &lab.outside] {
        host.ip(&format!("addr add {}/24 dev {INTERFACE}", other_address(host)))?;
        host.ip("mptcp limits set subflow 4 add_addr_accepted 4")?;
    }
    Scene::play_in(&lab, |stage| {
        if stage.server_is.is_ipv6() {
            return Ok(()); // the additional addresses are of the other family
        }
        // The server says where else it can be reached. It tries nothing of the kind with the client's port.
        // The guarded one is there at a port of its own, which nothing but this connection knows.
        let port = if stage.server.name() == "guarded" { "port 7777" } else { "" };
        stage.server.ip(&format!("mptcp endpoint add {} {port} signal", other_address(stage.server)))?;
        stage.client.ip("mptcp endpoint flush")?;
        let joined = happened(stage.server, "MPJoinAckRx")?;
        let listener = Socket::multipath_tcp(stage.server, stage.server_is)?
            .bound_to((Ipv4Addr::UNSPECIFIED, 0))?
            .listen()?;
        let server_is = SocketAddr::from((stage.server_is, listener.local_addr()?.port()));
        let client = Socket::multipath_tcp(stage.client, stage.server_is)?;
        let client = stage.scene.tries(|| client.connect(server_is))?;
        let server = accept(&listener)?;
        exchange(&client, &server)?;
        await_happened(stage.server, "MPJoinAckRx", joined + 1).context("no other path was joined")?;
        pour(&client, &server, 4_000_000)?;
        pour(&server, &client, 4_000_000)
    })
}

/// As routers have it between them (RFC 2385).
#[test]
fn segments_that_are_signed() -> Result<()> {
    Scene::play(|stage| {
        let listener = Socket::tcp(stage.server, stage.server_is)?
            .signing_for(stage.client_is)?
            .bound_to((stage.server_is, 0))?
            .listen()?;
        let at = listener.local_addr()?;
        for _ in 0..5 {
            let client = Socket::tcp(stage.client, stage.server_is)?.signing_for(stage.server_is)?;
            let client = stage.scene.tries(|| client.connect(at))?;
            let server = accept(&listener)?;
            exchange(&client, &server)?;
            pour(&client, &server, 100_000)?;
            pour(&server, &client, 100_000)?;
        }
        // Whoever does not sign is not heard.
        let unheard = happened(stage.server, "TCPMD5NotFound")?;
        let hushed = stage.client.within(|| TcpStream::connect_timeout(&at, Duration::from_millis(200)));
        ensure!(hushed.is_err(), "a connection that is not signed was accepted");
        await_happened(stage.server, "TCPMD5NotFound", unheard + 1)
    })
}

#[test]
fn connections_back_to_a_client_as_active_ftp_makes_them() -> Result<()> {
    Scene::play(|stage| {
        let (client, server) = stage.connected()?;
        exchange(&client, &server)?;
        for _ in 0..12 {
            let awaited = listen(stage.client, (stage.client_is, 0))?;
            let data = Socket::tcp(stage.server, stage.server_is)?
                .with(sockopt::ReuseAddr, &true)?
                .bound_to((stage.server_is, 20))?;
            let data = stage.scene.tries(|| data.connect(awaited.local_addr()?))?;
            pour(&data, &accept(&awaited)?, 10_000)?;
        }
        exchange(&client, &server)
    })
}
