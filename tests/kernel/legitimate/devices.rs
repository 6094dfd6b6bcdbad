//! Interfaces upon interfaces, large frames, addresses of one link only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use anyhow::{Context, Result, ensure};
use nix::net::if_::if_nametoindex;
use nix::sys::socket::sockopt;
use scanguard_common::cause::Cause;
use scanguard_harness::{GUARDED_V4, GUARDED_V6, Host, INTERFACE, Lab, OUTSIDE_V4, OUTSIDE_V6};

use super::datagrams::ask;
use super::scene::Scene;
use super::socket::Socket;
use super::stage::{Stage, accept, connect, exchange, listen, pour};

#[test]
fn a_socket_bound_to_the_guarded_interface() -> Result<()> {
    Scene::play(|stage| {
        let listener = Socket::tcp(stage.server, stage.server_is)?
            .with(sockopt::BindToDevice, &INTERFACE.into())?
            .bound_to((stage.server_is, 0))?
            .listen()?;
        let client =
            Socket::tcp(stage.client, stage.client_is)?.with(sockopt::BindToDevice, &INTERFACE.into())?;
        let client = stage.scene.tries(|| client.connect(listener.local_addr()?))?;
        exchange(&client, &accept(&listener)?)
    })
}

#[test]
fn a_guarded_port_of_a_bridge() -> Result<()> {
    let lab = Lab::new()?;
    let guest = guest_on_a_bridge(&lab)?;
    let scene = Scene::guarding(&lab.guarded)?;
    scene.stages(&lab).iter().try_for_each(converse)?;
    guests_stages(&scene, &guest, &lab.outside).iter().try_for_each(converse)?;
    scene.end()
}

#[test]
fn a_guest_with_a_link_layer_address_of_its_own() -> Result<()> {
    let lab = Lab::new()?;
    let guest = Host::new("guest")?;
    lab.guarded.ip(&format!("link add link {INTERFACE} name guest type macvlan mode bridge"))?;
    lab.guarded.ip(&format!("link set guest netns {} name {INTERFACE}", guest.network_path()))?;
    give_addresses(&guest, INTERFACE, GUEST)?;
    let scene = Scene::guarding(&lab.guarded)?;
    guests_stages(&scene, &guest, &lab.outside).iter().try_for_each(converse)?;
    scene.end()
}

#[test]
fn jumbo_frames() -> Result<()> {
    const JUMBO: usize = 9_000;
    let lab = Lab::new()?;
    for host in [&lab.guarded, &lab.outside] {
        host.ip(&format!("link set {INTERFACE} mtu {JUMBO}"))?;
    }
    let scene = Scene::guarding(&lab.guarded)?;
    let status = scene.guard.run("status --json")?;
    ensure!(status.contains("\"mode\":\"native\",\"frags\":true"), "another mode: {status}");
    ensure!(scene.guard.run("status")?.contains("native (frags)"), "status does not say it");
    let check = scene.guard.run(&format!("check {INTERFACE}"))?;
    ensure!(check.contains("native mode with frags"), "check does not say it: {check}");
    for stage in scene.stages(&lab) {
        converse(&stage)?;
        for size in [JUMBO / 2, JUMBO - 48] {
            stage.scene.tries(|| ask(&stage, size))?;
        }
    }
    // Acknowledgements are among them.
    let mean = scene.guard.counts()?.mean_size(Cause::InConnection);
    ensure!(mean > 2_000, "segments of {mean} bytes on average came");
    scene.end()
}

#[test]
fn frames_that_a_card_would_cut_and_merge() -> Result<()> {
    let lab = Lab::new()?;
    for host in [&lab.guarded, &lab.outside] {
        host.run("ethtool", ["-K", INTERFACE, "tx", "on", "tso", "on", "gso", "on", "gro", "on"])?;
    }
    Scene::play_in(&lab, converse)
}

#[test]
fn addresses_of_the_link() -> Result<()> {
    let lab = Lab::new()?;
    let scene = Scene::guarding(&lab.guarded)?;
    for (client, server) in [(&lab.outside, &lab.guarded), (&lab.guarded, &lab.outside)] {
        let at = |host: &Host, port| -> Result<SocketAddr> {
            let scope = host.within(|| if_nametoindex(INTERFACE))?;
            Ok(SocketAddrV6::new(link_local(server)?, port, 0, scope).into())
        };
        let listener = listen(server, at(server, 0)?)?;
        let to = at(client, listener.local_addr()?.port())?;
        let client = scene.tries(|| connect(client, to))?;
        exchange(&client, &accept(&listener)?)?;
    }
    scene.end()
}

/// As an address moves to the other of two hosts when one of them fails.
#[test]
fn addresses_that_the_host_gets_while_it_is_guarded() -> Result<()> {
    let lab = Lab::new()?;
    let scene = Scene::guarding(&lab.guarded)?;
    for (address, length, client_is) in
        [("10.77.0.50", 24, OUTSIDE[0]), ("fd77::50", 64, OUTSIDE[1]), ("192.0.2.50", 32, OUTSIDE[0])]
    {
        lab.guarded.ip(&format!("addr add {address}/{length} dev {INTERFACE} nodad"))?;
        if length == 32 {
            lab.outside.ip(&format!("route add {address} via {GUARDED_V4}"))?;
        }
        let server_is = address.parse()?;
        converse(&Stage { scene: &scene, client: &lab.outside, server: &lab.guarded, client_is, server_is })?;
    }
    scene.end()
}

const GUEST: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(10, 77, 0, 7)), IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 7))];
const OUTSIDE: [IpAddr; 2] = [IpAddr::V4(OUTSIDE_V4), IpAddr::V6(OUTSIDE_V6)];

/// Puts the guarded interface into a bridge, which gets the host's addresses, with a guest at another port.
fn guest_on_a_bridge(lab: &Lab) -> Result<Host> {
    let guest = Host::new("guest")?;
    let host = &lab.guarded;
    host.ip("link add br0 type bridge")?;
    host.ip(&format!("link add inner type veth peer name {INTERFACE} netns {}", guest.network_path()))?;
    host.ip(&format!("addr flush dev {INTERFACE}"))?;
    for port in [INTERFACE, "inner"] {
        host.ip(&format!("link set {port} master br0 up"))?;
    }
    give_addresses(host, "br0", [GUARDED_V4.into(), GUARDED_V6.into()])?;
    give_addresses(&guest, INTERFACE, GUEST)?;
    Ok(guest)
}

/// Both families, each with the guest as the client and as the server.
fn guests_stages<'a>(scene: &'a Scene<'a>, guest: &'a Host, outside: &'a Host) -> Vec<Stage<'a>> {
    let both = |(guest_is, outside_is)| {
        [
            Stage { scene, client: guest, server: outside, client_is: guest_is, server_is: outside_is },
            Stage { scene, client: outside, server: guest, client_is: outside_is, server_is: guest_is },
        ]
    };
    GUEST.into_iter().zip(OUTSIDE).flat_map(both).collect()
}

/// Words and bulk data, both ways.
fn converse(stage: &Stage<'_>) -> Result<()> {
    let (client, server) = stage.connected()?;
    exchange(&client, &server)?;
    pour(&client, &server, 1_000_000)?;
    pour(&server, &client, 1_000_000)
}

fn give_addresses(host: &Host, interface: &str, [v4, v6]: [IpAddr; 2]) -> Result<()> {
    host.ip(&format!("link set {interface} up"))?;
    host.ip(&format!("addr add {v4}/24 dev {interface}"))?;
    host.ip(&format!("addr add {v6}/64 dev {interface} nodad"))?;
    Ok(())
}

/// The address that the interface gave itself.
fn link_local(host: &Host) -> Result<Ipv6Addr> {
    let shown = host.ip(&format!("-6 -o addr show dev {INTERFACE} scope link"))?;
    let address = shown.split_whitespace().find_map(|word| word.strip_suffix("/64"));
    address.context("no link-local address")?.parse().context("reading an address")
}
