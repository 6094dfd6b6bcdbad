//! Hosts that are further away than the next cable, on either side of the guard.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Result, ensure};
use scanguard_common::cause::Cause;
use scanguard_harness::{GUARDED_V4, GUARDED_V6, Host, INTERFACE, Lab, OUTSIDE_V4, OUTSIDE_V6};

use super::scene::Scene;
use super::socket::Socket;
use super::stage::{Stage, accept, exchange, pour, set};

/// The addresses of the router in front of a remote host, and of the host.
const ROUTER: [IpAddr; 2] = addresses(1);
const REMOTE: [IpAddr; 2] = addresses(2);
const GUARDED: [IpAddr; 2] = [IpAddr::V4(GUARDED_V4), IpAddr::V6(GUARDED_V6)];
const OUTSIDE: [IpAddr; 2] = [IpAddr::V4(OUTSIDE_V4), IpAddr::V6(OUTSIDE_V6)];

/// The size of packets on the link to the remote host: less than on any other.
const SMALL: usize = 1300;

#[test]
fn a_small_link_in_the_middle() -> Result<()> {
    let lab = Lab::new()?;
    let remote = remote_behind(&lab.outside, &lab.guarded, OUTSIDE)?;
    let scene = Scene::guarding(&lab.guarded)?;
    for stage in stages(&scene, &remote, &lab.guarded, GUARDED) {
        let (client, server) = stage.connected()?;
        exchange(&client, &server)?;
        pour(&client, &server, 1_000_000)?;
        pour(&server, &client, 1_000_000)?;
    }
    for address in REMOTE {
        let route = lab.guarded.ip(&format!("route get {address}"))?;
        ensure!(route.contains(&format!("mtu {SMALL}")), "the router was not heard: {route}");
    }
    scene.end()
}

#[test]
fn a_router_with_a_small_link_behind_it() -> Result<()> {
    let lab = Lab::new()?;
    let remote = remote_behind(&lab.guarded, &lab.outside, GUARDED)?;
    let scene = Scene::guarding(&lab.guarded)?;
    for stage in stages(&scene, &remote, &lab.outside, OUTSIDE) {
        let (client, server) = stage.connected()?;
        exchange(&client, &server)?;
        pour(&client, &server, 1_000_000)?;
        pour(&server, &client, 1_000_000)?;
    }
    for address in REMOTE {
        let route = lab.outside.ip(&format!("route get {address}"))?;
        ensure!(route.contains(&format!("mtu {SMALL}")), "the guarded router was not heard: {route}");
    }
    scene.end()
}

#[test]
fn the_way_is_traced_from_here() -> Result<()> {
    let lab = Lab::new()?;
    let _remote = remote_behind(&lab.outside, &lab.guarded, OUTSIDE)?;
    let scene = Scene::guarding(&lab.guarded)?;
    for (router, remote) in OUTSIDE.into_iter().zip(REMOTE) {
        let way = scene.tries(|| trace(&lab.guarded, remote, 4))?;
        ensure!(way.contains(&router.to_string()), "the router did not answer: {way}");
        let last = way.lines().last().unwrap_or_default();
        ensure!(last.contains(&remote.to_string()), "the remote host did not answer: {way}");
    }
    scene.end()
}

#[test]
fn the_way_is_traced_to_a_guarded_router() -> Result<()> {
    let lab = Lab::new()?;
    let _remote = remote_behind(&lab.guarded, &lab.outside, GUARDED)?;
    let scene = Scene::guarding(&lab.guarded)?;
    for (router, remote) in GUARDED.into_iter().zip(REMOTE) {
        let way = scene.tries(|| trace(&lab.outside, remote, 1))?;
        ensure!(way.contains(&router.to_string()), "the router did not answer: {way}");
    }
    scene.end()
}

#[test]
fn answers_leave_by_another_interface() -> Result<()> {
    const SECOND: &str = "eth1";
    let lab = Lab::new()?;
    let path = lab.outside.network_path();
    lab.guarded.ip(&format!("link add {SECOND} type veth peer name {SECOND} netns {path}"))?;
    for (host, link_address) in [(&lab.guarded, SECOND_LINK[0]), (&lab.outside, SECOND_LINK[1])] {
        for setting in ["all", INTERFACE, SECOND] {
            set(host, &format!("ipv4/conf/{setting}/rp_filter"), "0")?;
        }
        host.ip(&format!("link set {SECOND} up"))?;
        for address in link_address {
            host.ip(&format!("addr add {address} dev {SECOND} nodad"))?;
        }
    }
    // To the outside by the first link, to the guarded host by the second.
    one_way(&lab.guarded, ROUTER, REMOTE, OUTSIDE.map(|next| next.to_string()))?;
    one_way(
        &lab.outside,
        REMOTE,
        ROUTER,
        SECOND_LINK[0].map(|next| next.replace("/64", "").replace("/24", "")),
    )?;
    let scene = Scene::before(&lab.guarded)?;
    scene.guard(&format!("{INTERFACE} {SECOND}"))?;
    for (guarded, outside) in ROUTER.into_iter().zip(REMOTE) {
        for stage in [
            Stage {
                scene: &scene,
                client: &lab.outside,
                server: &lab.guarded,
                client_is: outside,
                server_is: guarded,
            },
            Stage {
                scene: &scene,
                client: &lab.guarded,
                server: &lab.outside,
                client_is: guarded,
                server_is: outside,
            },
        ] {
            let listener = stage.listen()?;
            let client = Socket::tcp(stage.client, stage.client_is)?.bound_to((stage.client_is, 0))?;
            let client = scene.tries(|| client.connect(listener.local_addr()?))?;
            let server = accept(&listener)?;
            pour(&client, &server, 1_000_000)?;
            pour(&server, &client, 1_000_000)?;
        }
    }
    ensure!(scene.guard.counts()?.packets(Cause::InConnection) == 0, "something came in by the first link");
    let second = scene.guard.run(&format!("stats {SECOND} --json"))?;
    ensure!(second.contains("in-connection"), "nothing came in by the second link: {second}");
    scene.end()
}

/// A host behind a router, by a small link that it believes to be an ordinary one, and the way there and back.
fn remote_behind(router: &Host, from: &Host, by: [IpAddr; 2]) -> Result<Host> {
    let remote = Host::new("remote")?;
    router.ip(&format!("link add inner type veth peer name {INTERFACE} netns {}", remote.network_path()))?;
    for (host, interface, addresses) in [(router, "inner", ROUTER), (&remote, INTERFACE, REMOTE)] {
        host.ip(&format!("link set {interface} mtu {SMALL} up"))?;
        let [v4, v6] = addresses;
        host.ip(&format!("addr add {v4}/24 dev {interface}"))?;
        host.ip(&format!("addr add {v6}/64 dev {interface} nodad"))?;
    }
    set(router, "ipv4/ip_forward", "1")?;
    set(router, "ipv6/conf/all/forwarding", "1")?;
    for (gateway, (network, next)) in ROUTER.into_iter().zip(NETWORKS.into_iter().zip(by)) {
        remote.ip(&format!("route add default via {gateway} advmss 1440"))?;
        from.ip(&format!("route add {network} via {next}"))?;
    }
    Ok(remote)
}

const NETWORKS: [&str; 2] = ["172.17.0.0/24", "fd17::/64"];

/// The guarded host's addresses on a second link to the outside, and the outside's.
const SECOND_LINK: [[&str; 2]; 2] = [["10.78.0.1/24", "fd78::1/64"], ["10.78.0.2/24", "fd78::2/64"]];

/// Gives a host addresses on no link, and the way to another's.
fn one_way(host: &Host, ours: [IpAddr; 2], theirs: [IpAddr; 2], by: [String; 2]) -> Result<()> {
    for ((ours, theirs), by) in ours.into_iter().zip(theirs).zip(by) {
        host.ip(&format!("addr add {ours} dev lo"))?;
        host.ip(&format!("route add {theirs} via {by}"))?;
    }
    Ok(())
}

const fn addresses(number: u8) -> [IpAddr; 2] {
    [
        IpAddr::V4(Ipv4Addr::new(172, 17, 0, number)),
        IpAddr::V6(Ipv6Addr::new(0xfd17, 0, 0, 0, 0, 0, 0, number as u16)),
    ]
}

/// Both families, each with the remote host as the client and as the server.
fn stages<'a>(
    scene: &'a Scene<'a>,
    remote: &'a Host,
    other: &'a Host,
    other_is: [IpAddr; 2],
) -> Vec<Stage<'a>> {
    let both = |(remote_is, other_is)| {
        [
            Stage { scene, client: remote, server: other, client_is: remote_is, server_is: other_is },
            Stage { scene, client: other, server: remote, client_is: other_is, server_is: remote_is },
        ]
    };
    REMOTE.into_iter().zip(other_is).flat_map(both).collect()
}

/// What a program that traces routes prints: a line that says what it does, and one for each hop.
fn trace(host: &Host, to: IpAddr, hops: u8) -> Result<String> {
    let program = if to.is_ipv4() { "traceroute" } else { "traceroute6" };
    host.run("busybox", [program, "-n", "-q", "1", "-w", "2", "-m", &hops.to_string(), &to.to_string()])
}
