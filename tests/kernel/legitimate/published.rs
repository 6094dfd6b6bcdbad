//! Services of guests behind the guarded host, published as container hosts publish them, and guests that are routed.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};

use anyhow::{Context, Result, bail, ensure};
use scanguard_harness::{
    GUARDED_V4, GUARDED_V6, Host, INTERFACE, Lab, OUTSIDE_V4, OUTSIDE_V6, Process, Service,
};

use super::scene::Scene;
use super::stage::{PATIENCE, await_socket, set};
use crate::conversation::Conversation;

/// The guarded host's addresses towards its guests, and a guest's.
const BRIDGE: [&str; 2] = ["172.17.0.1", "fd17::1"];
const GUEST: [&str; 2] = ["172.17.0.2", "fd17::2"];
const GUARDED: [IpAddr; 2] = [IpAddr::V4(GUARDED_V4), IpAddr::V6(GUARDED_V6)];
const OUTSIDE: [IpAddr; 2] = [IpAddr::V4(OUTSIDE_V4), IpAddr::V6(OUTSIDE_V6)];
/// Where the guest's service is published, and where it listens.
const PUBLISHED: u16 = 8443;
const SERVICE: u16 = 7;

/// How container hosts translate addresses: what is published, and what guests ask for.
const TRANSLATION: &str = "table inet translation {
    chain in {
        type nat hook prerouting priority dstnat;
        fib daddr type local meta l4proto { tcp, udp } th dport 8443 dnat ip to 172.17.0.2:7;
        fib daddr type local meta l4proto { tcp, udp } th dport 8443 dnat ip6 to [fd17::2]:7;
    }
    chain out { type nat hook postrouting priority srcnat; oifname \"eth0\" masquerade; }
}";

#[test]
fn a_port_that_address_translation_publishes() -> Result<()> {
    let lab = Lab::new()?;
    let guest = guest_behind(&lab.guarded)?;
    translate(&lab.guarded)?;
    the_port_works(&lab, &guest)
}

#[test]
fn a_port_that_a_proxy_publishes() -> Result<()> {
    let lab = Lab::new()?;
    let guest = guest_behind(&lab.guarded)?;
    let _proxies = proxies(&lab.guarded)?;
    the_port_works(&lab, &guest)
}

#[test]
fn a_port_that_address_translation_and_a_proxy_publish() -> Result<()> {
    let lab = Lab::new()?;
    let guest = guest_behind(&lab.guarded)?;
    translate(&lab.guarded)?;
    let _proxies = proxies(&lab.guarded)?;
    the_port_works(&lab, &guest)
}

#[test]
fn what_guests_ask_for_behind_address_translation() -> Result<()> {
    let lab = Lab::new()?;
    let guest = guest_behind(&lab.guarded)?;
    translate(&lab.guarded)?;
    let _service = Service::echo(&lab.outside, SERVICE)?;
    let scene = Scene::before(&lab.guarded)?;
    let mut earlier = OUTSIDE
        .into_iter()
        .map(|outside| scene.tries(|| Conversation::open(&guest, (outside, SERVICE))))
        .collect::<Result<Vec<_>>>()?;
    scene.guard(INTERFACE)?;
    for (conversation, outside) in earlier.iter_mut().zip(OUTSIDE) {
        for round in 0..20 {
            conversation.exchange(&format!("older than the guard {round}"))?;
            scene.tries(|| Conversation::open(&guest, (outside, SERVICE))?.exchange("new"))?;
        }
        scene.tries(|| is_refused(&guest, (outside, 9).into()))?;
        scene.tries(|| asks(&guest, (outside, SERVICE), &lab.outside, 4_000))?;
        ping(&scene, &guest, outside)?;
    }
    scene.end()
}

#[test]
fn a_guest_with_a_route_to_it() -> Result<()> {
    let lab = Lab::new()?;
    let guest = guest_behind(&lab.guarded)?;
    forward(&lab.guarded)?;
    for (network, gateway) in [("172.17.0.0/24", GUARDED[0]), ("fd17::/64", GUARDED[1])] {
        lab.outside.ip(&format!("route add {network} via {gateway}"))?;
    }
    let _services = [Service::echo(&guest, SERVICE)?, Service::echo(&lab.outside, SERVICE)?];
    let scene = Scene::guarding(&lab.guarded)?;
    for (guest_is, outside) in GUEST.into_iter().zip(OUTSIDE) {
        let guest_is: IpAddr = guest_is.parse()?;
        for (from, to) in [(&lab.outside, guest_is), (&guest, outside)] {
            for round in 0..20 {
                let words = format!("round {round}");
                scene.tries(|| Conversation::open(from, (to, SERVICE))?.exchange(&words))?;
            }
            ping(&scene, from, to)?;
            // What it refuses itself, it may.
            scene.tries(|| is_refused(from, (to, 9).into()))?;
        }
        scene.tries(|| asks(&lab.outside, (guest_is, SERVICE), &guest, 4_000))?;
        scene.tries(|| asks(&guest, (outside, SERVICE), &lab.outside, 4_000))?;
    }
    scene.end()
}

/// Connections, bulk data and datagrams to the published port, while the service is there and after its restart.
fn the_port_works(lab: &Lab, guest: &Host) -> Result<()> {
    let scene = Scene::before(&lab.guarded)?;
    for restart in 0..2 {
        let service = Service::echo(guest, SERVICE)?;
        if restart == 0 {
            let earlier =
                GUARDED.map(|guarded| scene.tries(|| Conversation::open(&lab.outside, (guarded, PUBLISHED))));
            scene.guard(INTERFACE)?;
            for conversation in earlier {
                conversation?.exchange("older than the guard")?;
            }
        }
        for guarded in GUARDED {
            for number in 0..20 {
                scene.tries(|| {
                    let mut conversation = Conversation::open(&lab.outside, (guarded, PUBLISHED))?;
                    conversation.exchange(&format!("connection {number} after {restart} restarts"))?;
                    conversation.exchange(&".".repeat(20_000))
                })?;
            }
        }
        drop(service);
    }
    for guarded in GUARDED {
        scene.tries(|| asks(&lab.outside, (guarded, PUBLISHED), guest, 1_000))?;
    }
    scene.end()
}

/// A guest at a bridge of the host, which is its way to everywhere.
fn guest_behind(host: &Host) -> Result<Host> {
    let guest = Host::new("guest")?;
    host.ip("link add guests type bridge")?;
    host.ip(&format!("link add inner type veth peer name {INTERFACE} netns {}", guest.network_path()))?;
    host.ip("link set inner master guests up")?;
    for (host, interface, [v4, v6]) in [(host, "guests", BRIDGE), (&guest, INTERFACE, GUEST)] {
        host.ip(&format!("link set {interface} up"))?;
        host.ip(&format!("addr add {v4}/24 dev {interface}"))?;
        host.ip(&format!("addr add {v6}/64 dev {interface} nodad"))?;
    }
    for gateway in BRIDGE {
        guest.ip(&format!("route add default via {gateway}"))?;
    }
    Ok(guest)
}

fn translate(host: &Host) -> Result<()> {
    forward(host)?;
    host.run("nft", [TRANSLATION]).map(drop)
}

fn forward(host: &Host) -> Result<()> {
    set(host, "ipv4/ip_forward", "1")?;
    set(host, "ipv6/conf/all/forwarding", "1")
}

/// Programs of the host that carry what comes to the published port to the guest.
fn proxies(host: &Host) -> Result<[Process; 3]> {
    let [guest, _] = GUEST;
    let tcp =
        [format!("TCP6-LISTEN:{PUBLISHED},fork,reuseaddr,ipv6only=0"), format!("TCP:{guest}:{SERVICE}")];
    let udp =
        |kind: &str| [format!("{kind}-LISTEN:{PUBLISHED},fork,reuseaddr"), format!("UDP:{guest}:{SERVICE}")];
    let proxies = [
        host.spawn("socat", tcp)?,
        host.spawn("socat", udp("UDP4"))?,
        host.spawn("socat", udp("UDP6").map(|word| word.replace("reuseaddr", "reuseaddr,ipv6only=1")))?,
    ];
    for table in ["tcp6", "udp", "udp6"] {
        await_socket(host, table, PUBLISHED)?;
    }
    Ok(proxies)
}

/// Asks with so many bytes where a host answers, under whatever address: again where that is lost, as everybody does
/// who asks by UDP. That no guard loses it, the scene demands.
fn asks(from: &Host, to: (IpAddr, u16), answers: &Host, size: usize) -> Result<()> {
    const TRIES: usize = 5;
    let server = answers.within(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, SERVICE))).context("binding")?;
    let any: IpAddr =
        if to.0.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let client = from.within(|| UdpSocket::bind((any, 0))).context("binding")?;
    for socket in [&client, &server] {
        socket.set_read_timeout(Some(PATIENCE / 5))?;
    }
    let mut heard = vec![0; 1 << 16];
    for _ in 0..TRIES {
        client.send_to(&vec![b'?'; size], to)?;
        let Ok((length, asker)) = server.recv_from(&mut heard) else { continue };
        server.send_to(heard.get(..length).unwrap_or_default(), asker)?;
        let Ok((length, from)) = client.recv_from(&mut heard) else { continue };
        ensure!((length, from.port()) == (size, to.1), "{length} bytes came from {from}");
        return Ok(());
    }
    bail!("asked {to:?} {TRIES} times without an answer")
}

fn is_refused(from: &Host, nobody: SocketAddr) -> Result<()> {
    let refused = from.within(|| TcpStream::connect_timeout(&nobody, PATIENCE));
    let error = refused.err().context("connected to nothing")?;
    ensure!(error.kind() == ErrorKind::ConnectionRefused, "{nobody}: {error}");
    Ok(())
}

fn ping(scene: &Scene<'_>, from: &Host, to: IpAddr) -> Result<()> {
    let program = if to.is_ipv4() { "ping" } else { "ping6" };
    let words = [program, "-c", "2", "-i", "0.1", "-W", "2", &to.to_string()];
    scene.tries(|| from.run("busybox", words)).map(drop)
}
