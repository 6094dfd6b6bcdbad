//! Services that the socket table does not show where clients look for them. Whoever attaches without any options has to
//! find that out by himself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result};
use nix::sys::socket::sockopt;
use scanguard_harness::{GUARDED_V4, GUARDED_V6, Host, INTERFACE, Lab, OUTSIDE_V4, OUTSIDE_V6, Service};

use super::scene::Scene;
use super::socket::Socket;
use super::stage::{Stage, exchange, listen};
use crate::conversation::Conversation;
use crate::translation::lookup::SocketLookup;

const GUARDED: [IpAddr; 2] = [IpAddr::V4(GUARDED_V4), IpAddr::V6(GUARDED_V6)];
const OUTSIDE: [IpAddr; 2] = [IpAddr::V4(OUTSIDE_V4), IpAddr::V6(OUTSIDE_V6)];

/// Where clients connect, and where the service listens.
const ASKED: u16 = 8022;
const SERVICE: u16 = 2222;
const REDIRECT: &str = "table inet redirection {
    chain in { type nat hook prerouting priority dstnat; tcp dport 8022 redirect to :2222; }
}";

#[test]
fn a_port_that_a_packet_filter_redirects() -> Result<()> {
    let lab = Lab::new()?;
    let _service = Service::echo(&lab.guarded, SERVICE)?;
    lab.guarded.run("nft", [REDIRECT])?;
    let scene = Scene::guarding(&lab.guarded)?;
    the_port_works(&scene, &lab.outside)?;
    scene.end()
}

/// The host changes while it is guarded, as hosts do.
#[test]
fn a_port_that_is_redirected_after_the_guard_came() -> Result<()> {
    let lab = Lab::new()?;
    let _service = Service::echo(&lab.guarded, SERVICE)?;
    let scene = Scene::guarding(&lab.guarded)?;
    lab.guarded.run("nft", [REDIRECT])?;
    the_port_works(&scene, &lab.outside)?;
    scene.end()
}

#[test]
fn a_port_that_a_program_gives_to_a_service() -> Result<()> {
    let lab = Lab::new()?;
    let listener = listen(&lab.guarded, (Ipv6Addr::UNSPECIFIED, SERVICE))?;
    let _lookup = lab.guarded.within(|| SocketLookup::that_gives(ASKED, &listener))?;
    let _service = Service::echo_by(listener);
    let scene = Scene::guarding(&lab.guarded)?;
    the_port_works(&scene, &lab.outside)?;
    scene.end()
}

/// A proxy that answers for addresses which this host does not have, and for ports where it does not listen.
#[test]
fn a_transparent_proxy() -> Result<()> {
    const BEHIND: [IpAddr; 2] =
        [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)), IpAddr::V6(Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 9))];
    const INTERCEPT: &str = "table inet proxy { chain in { type filter hook prerouting priority mangle;
        meta l4proto tcp socket transparent 1 meta mark set 1 accept
        tcp dport 8022 tproxy to :2222 meta mark set 1 accept\n }\n }";
    let lab = Lab::new()?;
    let proxy = Socket::tcp(&lab.guarded, Ipv6Addr::UNSPECIFIED.into())?
        .with(sockopt::IpTransparent, &true)?
        .bound_to((Ipv6Addr::UNSPECIFIED, SERVICE))?;
    let _proxy = Service::echo_by(proxy.listen()?);
    lab.guarded.run("nft", [INTERCEPT])?;
    for (family, everything) in [("-4", "0.0.0.0/0"), ("-6", "::/0")] {
        lab.guarded.ip(&format!("{family} rule add fwmark 1 lookup 100"))?;
        lab.guarded.ip(&format!("{family} route add local {everything} dev lo table 100"))?;
    }
    for (behind, guarded) in BEHIND.into_iter().zip(GUARDED) {
        lab.outside.ip(&format!("route add {behind} via {guarded}"))?;
    }
    let scene = Scene::guarding(&lab.guarded)?;
    the_port_works(&scene, &lab.outside)?;
    the_port_of(BEHIND, &scene, &lab.outside)?;
    scene.end()
}

/// The guarded interface is a port of a bridge, to which the service has bound its socket.
#[test]
fn a_socket_bound_to_the_bridge_above_the_guarded_interface() -> Result<()> {
    const BRIDGE: &str = "br0";
    let lab = Lab::new()?;
    lab.guarded.ip(&format!("link add {BRIDGE} type bridge"))?;
    lab.guarded.ip(&format!("addr flush dev {INTERFACE}"))?;
    lab.guarded.ip(&format!("link set {INTERFACE} master {BRIDGE} up"))?;
    lab.guarded.ip(&format!("link set {BRIDGE} up"))?;
    lab.guarded.ip(&format!("addr add {GUARDED_V4}/24 dev {BRIDGE}"))?;
    lab.guarded.ip(&format!("addr add {GUARDED_V6}/64 dev {BRIDGE} nodad"))?;
    let scene = Scene::guarding(&lab.guarded)?;
    for (server_is, client_is) in GUARDED.into_iter().zip(OUTSIDE) {
        let stage = Stage { scene: &scene, client: &lab.outside, server: &lab.guarded, client_is, server_is };
        let listener = Socket::tcp(&lab.guarded, server_is)?
            .with(sockopt::BindToDevice, &BRIDGE.into())?
            .bound_to((server_is, 0))?
            .listen()?;
        let (client, server) = stage.connect(&listener)?;
        exchange(&client, &server)?;
    }
    scene.end()
}

fn the_port_works(scene: &Scene<'_>, client: &Host) -> Result<()> {
    the_port_of(GUARDED, scene, client)
}

fn the_port_of(addresses: [IpAddr; 2], scene: &Scene<'_>, client: &Host) -> Result<()> {
    for guarded in addresses {
        for number in 0..5 {
            scene
                .tries(|| {
                    Conversation::open(client, (guarded, ASKED))?.exchange(&format!("connection {number}"))
                })
                .with_context(|| format!("to {guarded}"))?;
        }
    }
    Ok(())
}
