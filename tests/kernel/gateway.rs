//! A host that forwards for guests: what they ask for and what is published for them works as before.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_common::cause::Cause;
use scanguard_harness::{Frame, GUARDED_V4, Host, INTERFACE, Injector, Lab, OUTSIDE_V4, Service};

use crate::conversation::Conversation;
use crate::guard::Guard;
use crate::ledger::Ledger;

const PATIENCE: Duration = Duration::from_secs(2);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 1);
const GUEST: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 2);
/// The port of the guarded host behind which a service of the guest is published.
const PUBLISHED: u16 = 8443;

#[test]
fn guests_behind_address_translation_are_not_harmed() -> Result<()> {
    let lab = Lab::new()?;
    let guest = guest_behind(&lab.guarded)?;
    let _services = [Service::echo(&lab.outside, 7)?, Service::echo(&guest, 7)?];
    let mut earlier = Conversation::open(&guest, (OUTSIDE_V4, 7))?;
    earlier.exchange("before")?;

    let guard = Guard::attached(&lab.guarded)?;
    earlier.exchange("after")?;
    Conversation::open(&guest, (OUTSIDE_V4, 7))?.exchange("asked for by the guest")?;
    Conversation::open(&lab.outside, (GUARDED_V4, PUBLISHED))?.exchange("published for the guest")?;
    let counts = guard.counts()?;
    ensure!(counts.dropped() == 0, "legitimate packets were dropped: {counts:?}");
    ensure!(counts.packets(Cause::UnprovenPort) > 0, "nothing was translated: {counts:?}");

    let injector = Injector::on(&lab.outside, INTERFACE)?;
    injector.send(&Frame::ipv4(OUTSIDE_V4, GUARDED_V4).tcp(40_000, PUBLISHED).flags("FPU").build())?;
    Conversation::open(&lab.outside, (GUARDED_V4, PUBLISHED))?.exchange("after the probe")?;
    ensure!(guard.counts()?.packets(Cause::TcpXmas) == 1, "flags prove a probe on a gateway as anywhere");
    Ok(())
}

#[test]
fn a_closed_port_of_a_guest_behind_address_translation_is_silent() -> Result<()> {
    let lab = Lab::new()?;
    let _guest = guest_behind(&lab.guarded)?;
    let guard = Guard::attached(&lab.guarded)?;
    let published = SocketAddr::from((GUARDED_V4, PUBLISHED));
    let refused = lab.outside.within(|| TcpStream::connect_timeout(&published, PATIENCE));
    let error = refused.err().context("nothing listens there")?;
    ensure!(error.kind() == ErrorKind::TimedOut, "a closed port of a guest answers: {error}");
    ensure!(guard.counts()?.packets(Cause::ResetSilenced) > 0, "{:?}", guard.counts()?);
    Ok(())
}

#[test]
fn routed_guests_speak_for_themselves() -> Result<()> {
    let lab = Lab::new()?;
    let guest = guest_behind(&lab.guarded)?;
    lab.guarded.run("nft", ["flush ruleset"])?;
    lab.outside.ip(&format!("route add {GUEST} via {GUARDED_V4}"))?;
    let _service = Service::echo(&guest, 7)?;
    let guard = Guard::attached(&lab.guarded)?;

    Conversation::open(&lab.outside, (GUEST, 7))?.exchange("routed")?;
    let closed = SocketAddr::from((GUEST, 8));
    let refused = lab.outside.within(|| TcpStream::connect_timeout(&closed, PATIENCE));
    let error = refused.err().context("nothing listens there")?;
    ensure!(error.kind() == ErrorKind::ConnectionRefused, "a routed guest's refusal is lost: {error}");
    let socket = lab.outside.within(|| UdpSocket::bind((OUTSIDE_V4, 0)))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(closed)?;
    socket.send(b"?")?;
    let error = socket.recv(&mut [0; 8]).err().context("nothing answers there")?;
    ensure!(error.kind() == ErrorKind::ConnectionRefused, "a routed guest's ICMP is lost: {error}");
    ensure!(guard.counts()?.dropped() == 0, "{:?}", guard.counts()?);
    Ok(())
}

/// What is declared a gateway keeps its guests from scanners as it keeps itself, and knows their connections by their
/// flows.
#[test]
fn a_gateway_judges_what_it_forwards() -> Result<()> {
    let lab = Lab::new()?;
    let guest = guest_behind(&lab.guarded)?;
    lab.guarded.run("nft", ["flush ruleset"])?;
    lab.outside.ip(&format!("route add {GUEST} via {GUARDED_V4}"))?;
    let _services = [Service::echo(&guest, 7)?, Service::echo(&lab.outside, 7)?];
    let mut earlier = Conversation::open(&lab.outside, (GUEST, 7))?;
    let guard = Guard::attached_with(&lab.guarded, "--preset off --gateway")?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let probe = |flags: &str| {
        injector.send(&Frame::ipv4(OUTSIDE_V4, GUEST).tcp(40_000, 8).flags(flags).seq(7).build())
    };

    probe("SA")?;
    earlier.exchange("older than the attach")?;
    // The probe, and the first segment of a connection of which nothing is known yet.
    ensure!(guard.counts()?.packets(Cause::MaybeTranslated) == 2, "not learning: {:?}", guard.counts()?);
    Ledger::of(&lab.guarded).guarded_since_the_start()?;
    let mut inbound = Conversation::open(&lab.outside, (GUEST, 7))?;
    inbound.exchange("to the guest")?;
    let mut outbound = Conversation::open(&guest, (OUTSIDE_V4, 7))?;
    outbound.exchange("from the guest")?;
    earlier.exchange("known by now")?;
    ensure!(guard.counts()?.dropped() == 0, "legitimate packets were dropped: {:?}", guard.counts()?);

    for (flags, cause) in [("FPU", Cause::TcpXmas), ("SA", Cause::SynAckProbe), ("F", Cause::FinProbe)] {
        let before = guard.counts()?.packets(cause);
        probe(flags)?;
        outbound.exchange("and on")?;
        ensure!(guard.counts()?.packets(cause) == before + 1, "{flags}: {:?}", guard.counts()?);
    }
    let closed = SocketAddr::from((GUEST, 9));
    let error = lab.outside.within(|| TcpStream::connect_timeout(&closed, PATIENCE)).err();
    let error = error.context("nothing listens there")?;
    ensure!(error.kind() == ErrorKind::TimedOut, "a guest's closed port answers: {error}");
    ensure!(guard.counts()?.packets(Cause::ResetSilenced) > 0, "{:?}", guard.counts()?);
    Ok(())
}

/// So many connections of the gateway itself as somebody likes to make push no guest's flow out of memory.
#[test]
fn a_gateways_own_connections_take_no_room_from_those_of_its_guests() -> Result<()> {
    const MANY: usize = 20;
    let lab = Lab::new()?;
    let guest = guest_behind(&lab.guarded)?;
    let _services =
        [Service::echo(&lab.outside, 7)?, Service::echo(&lab.guarded, 7)?, Service::echo(&guest, 7)?];
    let _guard = Guard::attached(&lab.guarded)?;
    for _ in 0..MANY {
        Conversation::open(&lab.outside, (GUARDED_V4, 7))?.exchange("asked by others")?;
        Conversation::open(&lab.guarded, (OUTSIDE_V4, 7))?.exchange("asked by the gateway")?;
    }
    let flows = || Ledger::of(&lab.guarded).flows();
    ensure!(flows()? == 0, "{} flows are remembered as those of guests", flows()?);
    Conversation::open(&guest, (OUTSIDE_V4, 7))?.exchange("asked by the guest")?;
    ensure!(flows()? == 1, "{} flows are remembered as those of guests", flows()?);
    let _shadowed = Service::echo(&lab.guarded, PUBLISHED)?;
    Conversation::open(&lab.outside, (GUARDED_V4, PUBLISHED))?.exchange("answered by the guest")?;
    ensure!(flows()? == 2, "{} flows are remembered as those of guests", flows()?);
    Ok(())
}

/// A host that reaches the world, and is reached, through this one and its address.
fn guest_behind(gateway: &Host) -> Result<Host> {
    let guest = Host::new("guest")?;
    gateway.ip(&format!("link add inner type veth peer name eth0 netns {}", guest.network_path()))?;
    for (host, interface, address) in [(gateway, "inner", GATEWAY), (&guest, "eth0", GUEST)] {
        host.ip(&format!("addr add {address}/24 dev {interface}"))?;
        host.ip(&format!("link set {interface} up"))?;
    }
    guest.ip(&format!("route add default via {GATEWAY}"))?;
    gateway.within(|| fs::write("/proc/sys/net/ipv4/ip_forward", "1"))?;
    let rules = format!(
        "table ip nat {{\n\
         chain in {{ type nat hook prerouting priority dstnat; iifname {INTERFACE} tcp dport {PUBLISHED} dnat to {GUEST}:7; }}\n\
         chain out {{ type nat hook postrouting priority srcnat; oifname {INTERFACE} masquerade; }}\n\
         }}"
    );
    gateway.run("nft", [rules])?;
    Ok(guest)
}
