//! What neighbours say on every link: discovery, routers, groups, leases.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::net::if_::if_nametoindex;
use scanguard_harness::{
    Capture, Frame, GUARDED_V4, Host, INTERFACE, Injector, Lab, Link, OUTSIDE_V4, OUTSIDE_V6,
};

use super::scene::Scene;
use super::stage::{PATIENCE, exchange, set};

#[test]
fn neighbours_find_each_other() -> Result<()> {
    let lab = Lab::new()?;
    Scene::play_in(&lab, |stage| {
        for host in [&lab.guarded, &lab.outside] {
            host.ip(&format!("neigh flush dev {INTERFACE}"))?;
        }
        let (client, server) = stage.connected()?;
        exchange(&client, &server)
    })
}

#[test]
fn addresses_that_another_host_has_are_noticed() -> Result<()> {
    let lab = Lab::new()?;
    set(&lab.guarded, &format!("ipv6/conf/{INTERFACE}/accept_dad"), "1")?;
    let scene = Scene::guarding(&lab.guarded)?;
    lab.guarded.ip(&format!("addr add {OUTSIDE_V6}/64 dev {INTERFACE}"))?;
    scene.tries(|| await_shown(&lab.guarded, "dadfailed"))?;
    scene.end()
}

#[test]
fn routers_make_themselves_known() -> Result<()> {
    const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x99);
    const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    /// RFC 4861 §4.2: hop limit, flags and lifetime; the timers; a prefix that addresses may be made of (§4.6.2).
    const ADVERTISED: ([u8; 4], [u8; 24], Ipv6Addr) = (
        [64, 0, 0x0e, 0x10],
        [0, 0, 0, 0, 0, 0, 0, 0, 3, 4, 64, 0xc0, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 0, 0, 0],
        Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 0),
    );
    let lab = Lab::new()?;
    set(&lab.guarded, &format!("ipv6/conf/{INTERFACE}/accept_ra"), "1")?;
    let scene = Scene::guarding(&lab.guarded)?;
    let (flags, timers, prefix) = ADVERTISED;
    let advertisement = Frame::ipv6(ROUTER, ALL_NODES)
        .link(Link::default().to_mac([0x33, 0x33, 0, 0, 0, 1]))
        .ttl(255)
        .icmpv6(134, 0)
        .rest_of_header(flags)
        .payload(&[timers.as_slice(), &prefix.octets()].concat());
    Injector::on(&lab.outside, INTERFACE)?.send(&advertisement.build())?;
    scene.tries(|| await_shown(&lab.guarded, "fd99::"))?;
    scene.end()
}

#[test]
fn groups_are_asked_for_and_reported() -> Result<()> {
    let lab = Lab::new()?;
    let [(port, v4, v6), ..] = GROUPS;
    let _listeners = both_groups(&lab.guarded, port, v4, v6)?;
    let scene = Scene::guarding(&lab.guarded)?;
    // A bridge asks who is in which group, as switches do.
    lab.outside.ip(
        "link add br0 type bridge mcast_querier 1 mcast_startup_query_interval 100 mcast_query_interval 100 \
         mcast_query_response_interval 20",
    )?;
    set(&lab.outside, "ipv6/conf/br0/accept_dad", "0")?;
    lab.outside.ip(&format!("link set {INTERFACE} master br0"))?;
    let (asked, reported) = (Capture::on(&lab.guarded, INTERFACE)?, Capture::on(&lab.outside, INTERFACE)?);
    lab.outside.ip("link set br0 up")?;
    scene.tries(|| await_all(&asked, vec![is_igmp_query, is_mld_query])).context("nobody asked")?;
    scene.tries(|| await_all(&reported, vec![is_igmp_report, is_mld_report])).context("nobody reported")?;
    scene.end()
}

#[test]
fn what_is_said_to_a_group_and_to_all() -> Result<()> {
    let lab = Lab::new()?;
    let scene = Scene::guarding(&lab.guarded)?;
    for (from, to) in [(&lab.outside, &lab.guarded), (&lab.guarded, &lab.outside)] {
        let scope = from.within(|| if_nametoindex(INTERFACE))?;
        let sender_is = if from.name() == "guarded" { GUARDED_V4 } else { OUTSIDE_V4 };
        let v4 = from.within(|| UdpSocket::bind((sender_is, 0)))?;
        v4.set_broadcast(true)?;
        v4.set_read_timeout(Some(PATIENCE))?;
        let v6 = from.within(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)))?;
        for (port, group_v4, group_v6) in GROUPS {
            let listeners = both_groups(to, port, group_v4, group_v6)?;
            for address in [group_v4, Ipv4Addr::new(10, 77, 0, 255), Ipv4Addr::BROADCAST] {
                v4.send_to(b"who is there?", (address, port)).with_context(|| format!("to {address}"))?;
                scene.tries(|| hear(&listeners[0])).with_context(|| format!("said to {address}"))?;
            }
            v6.send_to(b"who is there?", SocketAddrV6::new(group_v6, port, 0, scope))?;
            scene.tries(|| hear(&listeners[1])).with_context(|| format!("said to {group_v6}"))?;
            // Who is meant answers for himself, from an address that was not asked.
            listeners[0].send_to(b"I am, as ever", v4.local_addr()?)?;
            scene.tries(|| hear(&v4)).context("an answer to what was said to a group")?;
        }
        // Nobody here listens to these, and nobody says so.
        for port in [67, 137, 138, 1_124] {
            v4.send_to(b"who is there?", (Ipv4Addr::BROADCAST, port))?;
        }
    }
    scene.end()
}

#[test]
fn an_address_is_leased() -> Result<()> {
    const SETTINGS: &str =
        "start 10.77.0.50\nend 10.77.0.60\ninterface eth0\nlease_file /run/leases\nmax_leases 5\n";
    let lab = Lab::new()?;
    lab.outside
        .within(|| fs::write("/run/leases", "").and_then(|()| fs::write("/run/udhcpd.conf", SETTINGS)))?;
    let scene = Scene::guarding(&lab.guarded)?;
    let _server = lab.outside.spawn("busybox", ["udhcpd", "-f", "/run/udhcpd.conf"])?;
    let asking = ["udhcpc", "-i", INTERFACE, "-f", "-q", "-n", "-t", "10", "-T", "1", "-s", "/bin/true"];
    let mut client = lab.guarded.spawn("busybox", asking)?;
    scene.tries(|| {
        let output = client.wait(PATIENCE)?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() && words.contains("10.77.0.5"), "{words}");
        Ok(())
    })?;
    scene.end()
}

/// Where neighbours speak to all who listen: mDNS (RFC 6762), LLMNR (RFC 4795), SSDP, WS-Discovery, NetBIOS.
const GROUPS: [(u16, Ipv4Addr, Ipv6Addr); 5] = [
    (5353, Ipv4Addr::new(224, 0, 0, 251), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb)),
    (5355, Ipv4Addr::new(224, 0, 0, 252), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 3)),
    (1900, Ipv4Addr::new(239, 255, 255, 250), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x0c)),
    (3702, Ipv4Addr::new(239, 255, 255, 250), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x0c)),
    (137, Ipv4Addr::new(224, 0, 0, 1), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)),
];

/// Sockets that hear what is said to the groups, by IPv4 and by IPv6.
fn both_groups(host: &Host, port: u16, group_v4: Ipv4Addr, group_v6: Ipv6Addr) -> Result<[UdpSocket; 2]> {
    host.within(|| {
        let scope = if_nametoindex(INTERFACE)?;
        let address = if host.name() == "guarded" { GUARDED_V4 } else { OUTSIDE_V4 };
        let v4 = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
        v4.join_multicast_v4(&group_v4, &address)?;
        let v6 = UdpSocket::bind(SocketAddrV6::new(group_v6, port, 0, scope))?;
        v6.join_multicast_v6(&group_v6, scope)?;
        for socket in [&v4, &v6] {
            socket.set_read_timeout(Some(PATIENCE))?;
        }
        Ok([v4, v6])
    })
}

fn hear(socket: &UdpSocket) -> Result<()> {
    let length = socket.recv(&mut [0; 32]).context("nothing was heard")?;
    ensure!(length == 13, "{length} bytes were heard");
    Ok(())
}

/// Waits until there was a frame of each kind.
fn await_all(capture: &Capture, mut awaited: Vec<fn(&[u8]) -> bool>) -> Result<()> {
    capture.wait_for(PATIENCE, |frame| {
        awaited.retain(|is_awaited| !is_awaited(frame));
        awaited.is_empty()
    })?;
    ensure!(awaited.is_empty(), "{} kinds of frames did not come", awaited.len());
    Ok(())
}

/// RFC 2236, RFC 3376.
fn is_igmp_query(frame: &[u8]) -> bool {
    igmp_type(frame) == Some(0x11)
}

/// Of version 2 or 3.
fn is_igmp_report(frame: &[u8]) -> bool {
    matches!(igmp_type(frame), Some(0x16 | 0x22))
}

/// RFC 2710, RFC 3810.
fn is_mld_query(frame: &[u8]) -> bool {
    mld_type(frame) == Some(130)
}

/// Of version 1 or 2.
fn is_mld_report(frame: &[u8]) -> bool {
    matches!(mld_type(frame), Some(131 | 143))
}

/// The type of an IGMP message, behind an IP header with the Router Alert option.
fn igmp_type(frame: &[u8]) -> Option<u8> {
    const IGMP: u8 = 2;
    (frame.get(12..14)? == [0x08, 0x00] && *frame.get(23)? == IGMP).then_some(*frame.get(38)?)
}

/// The type of an ICMPv6 message behind a hop-by-hop header with the same.
fn mld_type(frame: &[u8]) -> Option<u8> {
    const HOP_BY_HOP: u8 = 0;
    (frame.get(12..14)? == [0x86, 0xdd] && *frame.get(20)? == HOP_BY_HOP).then_some(*frame.get(62)?)
}

/// Waits until the addresses of the cable's interface are shown with this text.
fn await_shown(host: &Host, text: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let shown = host.ip(&format!("-6 addr show dev {INTERFACE}"))?;
        if shown.contains(text) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{text} is not in {shown}");
        sleep(Duration::from_millis(20));
    }
}
