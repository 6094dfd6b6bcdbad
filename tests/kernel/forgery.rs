//! What whoever forges addresses can do to their owners, and to this host: nothing worth having.

mod crowd;
mod flood;
mod full;
mod strays;

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::policy::PortRule;
use scanguard_harness::{Frame, GUARDED_V4, INTERFACE, Injector, Lab, OUTSIDE_V4, Service};

use crate::conversation::Conversation;
use crate::guard::Guard;
use crate::ledger::Ledger;

/// What is published, and is to stay within everybody's reach.
const PUBLISHED: u16 = 443;
/// A service for those who know of it.
const UNPUBLISHED: u16 = 22;

/// An innocent host, `OUTSIDE_V4`, with a session to the guarded one; both offer something to the other.
struct Scene<'a> {
    lab: &'a Lab,
    session: Conversation,
    _services: [Service; 3],
}

impl Scene<'_> {
    fn set(lab: &Lab) -> Result<Scene<'_>> {
        let services = [
            Service::http(&lab.guarded, PUBLISHED)?,
            Service::echo(&lab.guarded, UNPUBLISHED)?,
            Service::echo(&lab.outside, UNPUBLISHED)?,
        ];
        let mut session = Conversation::open(&lab.outside, (GUARDED_V4, UNPUBLISHED))?;
        session.exchange("before")?;
        let published = PortRule::default().with_public(IpProtocol::TCP);
        Ledger::of(&lab.guarded).set_port_rule(PUBLISHED, published)?;
        Ok(Scene { lab, session, _services: services })
    }

    /// Demands that the innocent host, which is banned, loses nothing but new contacts to what is not published.
    fn loses_nothing_but_new_contacts(&mut self) -> Result<()> {
        let Scene { lab, session, .. } = self;
        session.exchange("the session goes on")?;
        let page = format!("http://{GUARDED_V4}:{PUBLISHED}/1000");
        lab.outside.run("curl", ["-sS", "-m", "20", &page]).context("using what is published")?;
        Conversation::open(&lab.guarded, (OUTSIDE_V4, UNPUBLISHED))?.exchange("this side begins")?;
        let [ours, theirs] =
            [&lab.guarded, &lab.outside].map(|host| host.within(|| UdpSocket::bind(("0.0.0.0", 0))));
        let (ours, theirs) = (ours?, theirs?);
        ours.set_read_timeout(Some(Duration::from_secs(10)))?;
        ours.send_to(b"question", (OUTSIDE_V4, theirs.local_addr()?.port()))?;
        let mut buffer = [0; 16];
        let (length, peer) = theirs.recv_from(&mut buffer)?;
        theirs.send_to(buffer.get(..length).context("more than fits")?, peer)?;
        ours.recv(&mut buffer).context("waiting for the reply to a question by UDP")?;

        let check = format!("telnet://{GUARDED_V4}:{UNPUBLISHED}");
        let new = lab.outside.run("curl", ["-sS", "--connect-timeout", "1", &check]);
        ensure!(new.is_err(), "a new contact to what is not published was made: nothing is banned here");
        Ok(())
    }
}

#[test]
fn forging_syns_from_an_innocent_address_costs_it_nothing_but_new_contacts() -> Result<()> {
    let lab = Lab::new()?;
    let _guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    let mut scene = Scene::set(&lab)?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    for port in 1_000..1_200 {
        injector.send(&Frame::ipv4(OUTSIDE_V4, GUARDED_V4).tcp(40_000, port).flags("S").build())?;
    }
    Ledger::of(&lab.guarded).ban_comes(OUTSIDE_V4.into())?;
    scene.loses_nothing_but_new_contacts()
}

#[test]
fn a_scan_behind_decoys_is_cut_off_and_costs_them_nothing_but_new_contacts() -> Result<()> {
    let lab = Lab::new()?;
    let _guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    let mut scene = Scene::set(&lab)?;
    let ledger = Ledger::of(&lab.guarded);
    let scanner = Ipv4Addr::new(10, 77, 0, 66);
    lab.add_source(scanner.into())?;
    let nmap = |what: &str| {
        let line = format!(
            "-sS -Pn -n -T4 --max-retries 0 -e {INTERFACE} -S {scanner} -D {OUTSIDE_V4},ME {what} {GUARDED_V4}"
        );
        lab.outside.run("nmap", line.split_whitespace())
    };
    let learned = nmap("-p 1000-1200")?;
    ensure!(!learned.contains(" closed "), "it learned of closed ports: {learned}");
    for source in [scanner, OUTSIDE_V4] {
        ledger.ban_comes(source.into())?;
    }
    let late = nmap(&format!("-p {UNPUBLISHED}"))?;
    ensure!(!late.contains(" open "), "after the ban, it still learned: {late}");
    scene.loses_nothing_but_new_contacts()
}
