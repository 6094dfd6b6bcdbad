//! Networks are banned when several of their sources are, unless somebody in them is a peer of this host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_common::cause::Cause;
use scanguard_common::network::USUAL;
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::policy::{PortRule, Preset};
use scanguard_harness::{
    Frame, GUARDED_V4, GUARDED_V6, INTERFACE, Injector, Lab, OUTSIDE_V4, OUTSIDE_V6, Service,
};
use serde_json::Value;

use crate::bans::{SSH, bans};
use crate::conversation::Conversation;
use crate::guard::Guard;
use crate::ledger::Ledger;
use crate::policy::Policy;

const NETWORK: &str = "198.51.100.0/24";
/// An innocent address of the network, which the outside host has too.
const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 200);
const PUBLISHED: u16 = 443;
const LIMIT: Duration = Duration::from_secs(30);

/// How long a client waits that is refused.
const REFUSED: Duration = Duration::from_millis(1_500);

/// A guarded host with two services, and an outside one that speaks from the network.
struct Scene {
    lab: Lab,
    _services: [Service; 3],
}

impl Scene {
    fn set() -> Result<Scene> {
        let lab = Lab::new()?;
        lab.guarded.ip(&format!("route add default via {OUTSIDE_V4}"))?;
        lab.guarded.ip(&format!("-6 route add default via {OUTSIDE_V6}"))?;
        lab.add_source(NEIGHBOUR.into())?;
        lab.outside.ip(&format!("route add {GUARDED_V4} dev {INTERFACE} src {NEIGHBOUR}"))?;
        let services = [
            Service::echo(&lab.guarded, SSH)?,
            Service::echo(&lab.guarded, PUBLISHED)?,
            Service::echo(&lab.outside, SSH)?,
        ];
        Ok(Scene { lab, _services: services })
    }

    fn guard(&self, arguments: &str) -> Result<Guard<'_>> {
        let guard = Guard::attached_with(&self.lab.guarded, arguments)?;
        let published = PortRule::default().with_public(IpProtocol::TCP);
        Ledger::of(&self.lab.guarded).set_port_rule(PUBLISHED, published)?;
        Ok(guard)
    }

    /// Has so many sources of the network banned, from this number on.
    fn scanned_by(&self, sources: std::ops::Range<u32>, of: fn(u32) -> IpAddr) -> Result<()> {
        let injector = Injector::on(&self.lab.outside, INTERFACE)?;
        for number in sources {
            for port in 0..Preset::default().judgement().closed_ports() {
                knock(&injector, of(number), 1_000 + u16::try_from(port)?)?;
            }
            Ledger::of(&self.lab.guarded).ban_comes(of(number))?;
        }
        Ok(())
    }

    /// Whether the neighbour gets in.
    fn reaches(&self, port: u16) -> bool {
        let service = SocketAddr::from((GUARDED_V4, port));
        self.lab.outside.within(|| TcpStream::connect_timeout(&service, REFUSED)).is_ok()
    }
}

fn knock(injector: &Injector, source: IpAddr, port: u16) -> Result<()> {
    let frame = match source {
        IpAddr::V4(source) => Frame::ipv4(source, GUARDED_V4),
        IpAddr::V6(source) => Frame::ipv6(source, GUARDED_V6),
    };
    injector.send(&frame.tcp(40_000, port).flags("S").build())
}

fn of_the_24(number: u32) -> IpAddr {
    Ipv4Addr::from(0xc633_6401 + number).into()
}

fn of_the_56(number: u32) -> IpAddr {
    let [.., low] = number.to_be_bytes();
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0x100 + u16::from(low), 0, 0, 0, 1).into()
}

/// The ban of a network, as `ban list` tells it.
fn ban_of(network: &str, guard: &Guard<'_>) -> Result<Option<Value>> {
    Ok(bans(guard)?.into_iter().find(|ban| ban["source"] == network))
}

#[test]
fn a_network_is_banned_when_enough_of_its_sources_are_and_not_before() -> Result<()> {
    let scene = Scene::set()?;
    let guard = scene.guard("--preset balanced --allow 198.51.100.201")?;
    let reader = guard.spawn("events --json")?;
    scene.scanned_by(0..USUAL - 1, of_the_24)?;
    ensure!(ban_of(NETWORK, &guard)?.is_none(), "one source too early: {:?}", bans(&guard)?);
    let injector = Injector::on(&scene.lab.outside, INTERFACE)?;
    let refused = || Ok::<u64, anyhow::Error>(guard.counts()?.packets(Cause::BannedNetwork));
    knock(&injector, of_the_24(150), 2_000)?;
    ensure!(refused()? == 0, "a network that is not banned was refused");

    scene.scanned_by(USUAL - 1..USUAL, of_the_24)?;
    reader.wait_for_stdout("\"network-banned\"", LIMIT).context("the event")?;
    let ban = ban_of(NETWORK, &guard)?.context("it is not banned")?;
    ensure!(ban["by"] == "engine" && ban["repeats"] == 1, "{ban}");
    ensure!(ban["why"] == "closed, by several of its sources", "{ban}");
    ensure!(!scene.reaches(SSH) && refused()? > 0, "a neighbour came to what is not published");
    ensure!(scene.reaches(PUBLISHED), "what is published is not reached");
    let before = refused()?;
    for source in [Ipv4Addr::new(198, 51, 100, 201), Ipv4Addr::new(198, 51, 101, 7)] {
        knock(&injector, source.into(), SSH)?;
    }
    ensure!(refused()? == before, "who is allowed, or of the next network, was refused");

    guard.run(&format!("ban remove {NETWORK}"))?;
    ensure!(ban_of(NETWORK, &guard)?.is_none(), "still banned: {:?}", bans(&guard)?);
    ensure!(bans(&guard)?.len() == USUAL as usize, "its sources are banned as before: {:?}", bans(&guard)?);
    ensure!(scene.reaches(SSH), "the neighbour is refused although the ban was lifted");
    Ok(())
}

#[test]
fn over_ipv6_a_network_is_a_56() -> Result<()> {
    let scene = Scene::set()?;
    let guard = scene.guard("--preset balanced")?;
    scene.scanned_by(0..USUAL, of_the_56)?;
    ban_of("2001:db8:0:100::/56", &guard)?.with_context(|| format!("not banned: {:?}", bans(&guard)))?;
    let injector = Injector::on(&scene.lab.outside, INTERFACE)?;
    for (source, refused) in [("2001:db8:0:1ff::1", 1), ("2001:db8:0:200::1", 1)] {
        knock(&injector, source.parse()?, SSH)?;
        let found = guard.counts()?.packets(Cause::BannedNetwork);
        ensure!(found == refused, "{source}: {found} refused, and not {refused}");
    }
    Ok(())
}

#[test]
fn a_network_with_a_peer_is_never_banned() -> Result<()> {
    for older_than_the_attach in [true, false] {
        let scene = Scene::set()?;
        let talk = || -> Result<Conversation> {
            let mut session = Conversation::open(&scene.lab.outside, (GUARDED_V4, SSH))?;
            session.exchange("once, and idle from now on").map(|()| session)
        };
        let mut session = older_than_the_attach.then(talk).transpose()?;
        let guard = scene.guard("--preset balanced")?;
        if session.is_none() {
            session = Some(talk()?);
        }
        scene.scanned_by(0..2 * USUAL, of_the_24)?;
        let told = format!("connected before the attach: {older_than_the_attach}");
        ensure!(ban_of(NETWORK, &guard)?.is_none(), "{told}: {:?}", bans(&guard)?);
        ensure!(bans(&guard)?.len() == 2 * USUAL as usize, "{told}: {:?}", bans(&guard)?);
        ensure!(scene.reaches(SSH), "{told}: a peer is refused");
        session.context("there is one")?.exchange("still there")?;
    }
    Ok(())
}

#[test]
fn who_becomes_a_peer_later_suspends_the_ban() -> Result<()> {
    let scene = Scene::set()?;
    let guard = scene.guard("--preset balanced")?;
    // Accepting a connection and serving what is published makes nobody a peer.
    ensure!(scene.reaches(PUBLISHED), "a service is not reached");
    scene.scanned_by(0..USUAL, of_the_24)?;
    ban_of(NETWORK, &guard)?.context("it is not banned")?;
    ensure!(!scene.reaches(SSH), "a neighbour came to what is not published");
    let mut ours = Conversation::open(&scene.lab.guarded, (NEIGHBOUR, SSH))?;
    ours.exchange("this side begins")?;
    ensure!(scene.reaches(SSH), "a peer is refused");
    Ok(())
}

#[test]
fn the_ban_of_a_network_ends_by_itself() -> Result<()> {
    let scene = Scene::set()?;
    let guard = scene.guard("--preset balanced")?;
    scene.scanned_by(0..USUAL, of_the_24)?;
    ban_of(NETWORK, &guard)?.context("it is not banned")?;
    let ledger = Ledger::of(&scene.lab.guarded);
    ledger.network_ban_is_older("198.51.100.0".parse()?, 599)?;
    ledger.network_ban_is_older("198.51.100.0".parse()?, 1)?;
    ensure!(ban_of(NETWORK, &guard)?.is_none(), "what has ended is listed: {:?}", bans(&guard)?);
    ensure!(scene.reaches(SSH), "a ban refuses after its end");
    Ok(())
}

#[test]
fn the_policy_says_how_many_sources_it_takes() -> Result<()> {
    for (network, sources, is_banned) in [(2, 2, true), (0, 2 * USUAL, false)] {
        let scene = Scene::set()?;
        let policy = Policy::write(&format!("[ban]\nnetwork = {network}\n"))?;
        let guard = scene.guard(&format!("--policy {}", policy.path()))?;
        let told = guard.run(&format!("check --policy {} --json", policy.path()))?;
        ensure!(told.contains(&format!("\"network_sources\":{network}")), "{told}");
        scene.scanned_by(0..sources, of_the_24)?;
        let ban = ban_of(NETWORK, &guard)?;
        ensure!(ban.is_some() == is_banned, "{network}: {ban:?}");
    }
    Ok(())
}
