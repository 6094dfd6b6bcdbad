//! The second door: what would tell a scanner that something is closed does not leave, and everything else does.

use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use scanguard_common::cause::Cause;
use scanguard_common::stray::BURST;
use scanguard_harness::{
    Capture, Frame, GUARDED_V4, GUARDED_V6, Host, INTERFACE, Injector, Lab, OUTSIDE_V4, OUTSIDE_V6,
    PortState, Service,
};

use crate::conversation::Conversation;
use crate::guard::Guard;
use crate::nmap::{CLOSED, OPEN, scan};
use crate::scans::services;

const QUIET: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(3);
/// By then nothing is recalled any more that was decided before.
const MORE_THAN_A_MOMENT: Duration = Duration::from_millis(1200);
/// An IP protocol that nobody speaks (RFC 3692).
const EXPERIMENTAL: u8 = 253;
/// A UDP port where nothing is bound.
const UNBOUND: u16 = 9999;

/// What draws a refusal by ICMP from an unguarded host.
fn questions() -> [Vec<u8>; 4] {
    let (v4, v6) = (Frame::ipv4(OUTSIDE_V4, GUARDED_V4), Frame::ipv6(OUTSIDE_V6, GUARDED_V6));
    [
        v4.build(EXPERIMENTAL, &[0; 8]),
        v6.build(EXPERIMENTAL, &[0; 8]),
        v4.udp(40_000, UNBOUND).payload(b"?").build(),
        v6.udp(40_000, UNBOUND).payload(b"?").build(),
    ]
}

#[test]
fn closed_udp_ports_and_missing_protocols_are_silent() -> Result<()> {
    let lab = Lab::new()?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let capture = Capture::on(&lab.outside, INTERFACE)?;
    for question in questions() {
        injector.send(&question)?;
        ensure!(!capture.answers_after(QUIET)?.is_empty(), "unguarded, nothing answers {question:02x?}");
    }
    let guard = Guard::attached(&lab.guarded)?;
    for question in questions() {
        let silenced = || Ok::<_, anyhow::Error>(guard.counts()?.packets(Cause::UnreachableSilenced));
        let before = silenced()?;
        injector.send(&question)?;
        let answers = capture.answers_after(QUIET)?;
        ensure!(answers.is_empty(), "{question:02x?} was answered by {answers:02x?}");
        ensure!(
            silenced()? == before + 1,
            "{question:02x?}: {} refusals were silenced",
            silenced()? - before
        );
    }
    Ok(())
}

#[test]
fn bound_udp_ports_answer_and_the_host_hears_answers() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    for (near, far) in
        [(IpAddr::from(GUARDED_V4), IpAddr::from(OUTSIDE_V4)), (GUARDED_V6.into(), OUTSIDE_V6.into())]
    {
        echo_once(&lab.guarded, near, &lab.outside, far)?;
        echo_once(&lab.outside, far, &lab.guarded, near)?;
    }
    ensure!(guard.counts()?.dropped() == 0, "legitimate packets were dropped: {:?}", guard.counts()?);
    Ok(())
}

#[test]
fn an_allowed_peer_hears_refusals() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    guard.run(&format!("allow add {OUTSIDE_V4} {OUTSIDE_V6}"))?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let capture = Capture::on(&lab.outside, INTERFACE)?;
    for question in questions() {
        injector.send(&question)?;
        ensure!(
            !capture.answers_after(QUIET)?.is_empty(),
            "an allowed peer hears nothing of {question:02x?}"
        );
    }
    Ok(())
}

#[test]
fn pings_are_answered_unless_the_operator_says_no() -> Result<()> {
    let lab = Lab::new()?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let capture = Capture::on(&lab.outside, INTERFACE)?;
    let guard = Guard::on(&lab.guarded);
    for (choice, answers) in [("answer", 2), ("silent", 0)] {
        guard.run(&format!("attach {INTERFACE} --preset off --ping {choice}"))?;
        for (ours, theirs) in
            [(IpAddr::from(GUARDED_V4), IpAddr::from(OUTSIDE_V4)), (GUARDED_V6.into(), OUTSIDE_V6.into())]
        {
            let ping = Frame::between(theirs, ours);
            injector.send(&if ours.is_ipv4() {
                ping.icmp(8, 0).build()
            } else {
                ping.icmpv6(128, 0).build()
            })?;
        }
        let echo_replies = |frame: &Vec<u8>| {
            frame.get(12..14) == Some(&[8, 0]) && frame.get(34) == Some(&0)
                || frame.get(12..14) == Some(&[0x86, 0xdd]) && frame.get(54) == Some(&129)
        };
        let heard = capture.answers_after(QUIET)?.iter().filter(|frame| echo_replies(frame)).count();
        ensure!(heard == answers, "{choice}: {heard} pings were answered");
        let silenced = guard.counts()?.packets(Cause::PingSilenced);
        ensure!(silenced == if answers == 0 { 2 } else { 0 }, "{choice}: {silenced} were dropped");
        guard.run("detach --all")?;
    }
    Ok(())
}

#[test]
fn a_gateway_tells_nothing_of_closed_ports_either() -> Result<()> {
    let lab = Lab::new()?;
    let _services = services(&lab)?;
    forward(&lab.guarded)?;
    let guard = Guard::attached(&lab.guarded)?;
    for target in [IpAddr::from(GUARDED_V4), GUARDED_V6.into()] {
        for (technique, report) in scan(&lab.outside, &["-sT", "-sF", "-sA"], target)? {
            for port in OPEN.into_iter().chain(CLOSED) {
                let state = report.port(port)?.state;
                let is_open = technique == "-sT" && OPEN.contains(&port);
                let is_right = if is_open { state == PortState::Open } else { state.is_silence() };
                ensure!(is_right, "{technique} of {target}: port {port} is {state}");
            }
        }
    }
    ensure!(guard.counts()?.packets(Cause::ResetSilenced) > 0, "nothing was silenced: {:?}", guard.counts()?);
    Ok(())
}

#[test]
fn a_gateway_sends_few_resets_to_one_peer() -> Result<()> {
    let lab = Lab::new()?;
    forward(&lab.guarded)?;
    let guard = Guard::attached(&lab.guarded)?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let capture = Capture::on(&lab.outside, INTERFACE)?;
    for _ in 0..4 * BURST {
        injector.send(&Frame::ipv4(OUTSIDE_V4, GUARDED_V4).tcp(40_000, 81).flags("A").seq(7).build())?;
    }
    let answers = capture.answers_after(QUIET)?.len() as u64;
    ensure!((2 * BURST..=2 * BURST + 1).contains(&answers), "{answers} resets left");
    let silenced = guard.counts()?.packets(Cause::StraySilenced);
    ensure!(answers + silenced == 4 * BURST, "{answers} left and {silenced} were silenced");
    Ok(())
}

#[test]
fn clients_of_a_service_that_was_just_stopped_are_refused_and_not_left_waiting() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    for target in [IpAddr::from(GUARDED_V4), GUARDED_V6.into()] {
        let service = Service::echo(&lab.guarded, 8080)?;
        Conversation::open(&lab.outside, (target, 8080))?.exchange("hello")?;
        drop(service);
        let again = SocketAddr::from((target, 8080));
        // At once, while it is remembered that somebody listened a moment ago, and when that is forgotten.
        for pause in [Duration::ZERO, MORE_THAN_A_MOMENT] {
            sleep(pause);
            match lab.outside.within(|| TcpStream::connect_timeout(&again, PATIENCE)) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                other => bail!("{target}: after {pause:?} a stopped service ends in {other:?}"),
            }
        }
    }
    let counts = guard.counts()?;
    let [recent, new] = [Cause::RecentPort, Cause::NewConnection].map(|cause| counts.packets(cause));
    ensure!(recent >= 2 && recent + new == 6, "{counts:?}");
    Ok(())
}

#[test]
fn a_service_that_was_asked_over_one_family_says_nothing_of_the_other() -> Result<()> {
    const PORT: u16 = 8080;
    let lab = Lab::new()?;
    let guard = Guard::attached(&lab.guarded)?;
    let [v4, v6] = [SocketAddr::from((GUARDED_V4, PORT)), SocketAddr::from((GUARDED_V6, PORT))];
    let service = Service::echo(&lab.guarded, PORT)?;
    Conversation::open(&lab.outside, (GUARDED_V4, PORT))?.exchange("hello")?;
    drop(service);
    thread::scope(|scope| {
        // Nobody was ever served over IPv6: as far as anybody knows, that port is closed. A client of the other kind is
        // refused. This one hears nothing, and asks again until the service is back.
        let waiting = scope.spawn(|| lab.outside.within(|| TcpStream::connect_timeout(&v6, 4 * PATIENCE)));
        let deadline = Instant::now() + PATIENCE;
        while guard.counts()?.packets(Cause::ResetSilenced) == 0 {
            ensure!(Instant::now() < deadline, "it was not silenced: {:?}", guard.counts()?);
        }
        let refused = lab.outside.within(|| TcpStream::connect_timeout(&v4, PATIENCE));
        ensure!(refused.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused), "a client waits");
        let _service = Service::echo(&lab.guarded, PORT)?;
        waiting.join().expect("connecting does not panic").context("connecting again")?;
        Ok(())
    })
}

#[test]
fn the_operator_chooses_where_closed_ports_are_silenced() -> Result<()> {
    let lab = Lab::new()?;
    let _services = services(&lab)?;
    let guard = Guard::on(&lab.guarded);
    for (choice, told, cause, closed) in [
        ("auto", "at both doors (auto", Cause::ClosedPort, PortState::Filtered),
        ("ingress", "at ingress", Cause::ClosedPort, PortState::Filtered),
        ("egress", "at egress", Cause::ResetSilenced, PortState::Filtered),
        ("pass", "not silenced", Cause::UnprovenPort, PortState::Closed),
    ] {
        guard.run(&format!("attach {INTERFACE} --preset off --closed-ports {choice}"))?;
        let status = guard.run("status")?;
        ensure!(status.contains(told), "{choice}: {status}");
        for (_, report) in scan(&lab.outside, &["-sT"], GUARDED_V4.into())? {
            for (ports, expected) in [(OPEN, PortState::Open), (CLOSED, closed)] {
                for port in ports {
                    let state = report.port(port)?.state;
                    ensure!(state == expected, "{choice}: port {port} is {state}, not {expected}");
                }
            }
        }
        ensure!(guard.counts()?.packets(cause) > 0, "{choice}: {:?}", guard.counts()?);
        guard.run("detach --all")?;
    }
    Ok(())
}

#[test]
fn a_port_that_a_packet_filter_redirects_works_where_the_operator_says_egress() -> Result<()> {
    let lab = Lab::new()?;
    let _service = Service::echo(&lab.guarded, 2222)?;
    let redirect = "table inet nat {
        chain in { type nat hook prerouting priority dstnat; tcp dport 22 redirect to :2222; }
    }";
    lab.guarded.run("nft", [redirect])?;
    let guard = Guard::on(&lab.guarded);
    guard.run(&format!("attach {INTERFACE} --preset off --closed-ports egress"))?;
    for target in [IpAddr::from(GUARDED_V4), GUARDED_V6.into()] {
        let mut conversation = Conversation::open(&lab.outside, (target, 22))?;
        for round in 0..50 {
            conversation.exchange(&format!("redirected {round}"))?;
        }
    }
    ensure!(guard.counts()?.dropped() == 0, "legitimate packets were dropped: {:?}", guard.counts()?);
    Ok(())
}

#[test]
fn what_networks_need_leaves_a_gateway() -> Result<()> {
    let lab = Lab::new()?;
    forward(&lab.guarded)?;
    lab.guarded.ip("link add inner mtu 1280 type veth peer name far")?;
    lab.guarded.ip("addr add 172.17.0.1/24 dev inner")?;
    lab.guarded.ip("link set inner up")?;
    lab.guarded.ip("link set far up")?;
    let _guard = Guard::attached(&lab.guarded)?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let capture = Capture::on(&lab.outside, INTERFACE)?;
    let beyond = || Frame::ipv4(OUTSIDE_V4, Ipv4Addr::new(172, 17, 0, 2));
    let ping = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).icmp(8, 0).build();
    for (what, question, answer) in [
        ("time exceeded", beyond().ttl(1).udp(40_000, 53).build(), (11, 0)),
        ("fragmentation needed", beyond().udp(40_000, 53).payload(&[0; 1400]).build(), (3, 4)),
        ("echo reply", ping, (0, 0)),
    ] {
        injector.send(&question)?;
        let heard = capture.wait_for(PATIENCE, |frame| frame.get(34..36) == Some(&[answer.0, answer.1]))?;
        ensure!(heard.is_some(), "{what}: does not leave");
    }
    Ok(())
}

/// Sends a datagram there and back.
fn echo_once(server: &Host, near: IpAddr, client: &Host, far: IpAddr) -> Result<()> {
    let bound = server.within(|| UdpSocket::bind((near, 0)))?;
    let asking = client.within(|| UdpSocket::bind((far, 0)))?;
    for socket in [&bound, &asking] {
        socket.set_read_timeout(Some(PATIENCE))?;
    }
    asking.send_to(b"?", bound.local_addr()?)?;
    let mut buffer = [0; 8];
    let (_, from) = bound.recv_from(&mut buffer).context("waiting for the question")?;
    bound.send_to(b"!", from)?;
    asking.recv(&mut buffer).context("waiting for the answer")?;
    Ok(())
}

fn forward(host: &Host) -> Result<()> {
    for family in ["ipv4", "ipv6"] {
        let path = format!("/proc/sys/net/{family}/conf/all/forwarding");
        host.within(|| fs::write(&path, "1")).with_context(|| format!("writing 1 to {path}"))?;
    }
    Ok(())
}
