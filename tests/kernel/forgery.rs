//! What whoever forges addresses can do to their owners, and to this host: nothing worth having.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use scanguard_common::evidence::Source;
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::policy::{PortRule, Preset};
use scanguard_harness::{Frame, GUARDED_V4, INTERFACE, Injector, Lab, OUTSIDE_V4, Service};
use serde_json::Value;

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

/// How many forged packets are sent over the cable.
const FLOOD: u32 = 1_000_000;

#[test]
fn a_flood_of_forged_sources_is_told_and_harms_nobody() -> Result<()> {
    let lab = Lab::new()?;
    let guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    let _service = Service::http(&lab.guarded, PUBLISHED)?;
    // So that the refusals that leave have somewhere to go, and the kernel asks nobody for a million neighbours.
    lab.guarded.ip(&format!("route add default via {OUTSIDE_V4}"))?;
    let ledger = Ledger::of(&lab.guarded);
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let [banned, scanner] = [66, 67].map(|number| Ipv4Addr::new(10, 77, 0, number));
    let told = u16::try_from(Preset::default().judgement().closed_ports())?;
    let knock = |source, ports: std::ops::Range<u16>| {
        ports.into_iter().try_for_each(|port| {
            injector.send(&Frame::ipv4(source, GUARDED_V4).tcp(40_000, port).flags("S").build())
        })
    };
    for source in [banned, scanner] {
        lab.add_source(source.into())?;
    }
    knock(banned, 1..1 + told)?;
    knock(scanner, 1..told)?;
    ledger.ban_comes(banned.into())?;
    let before = (ledger.ban(banned.into())?, contacts(&ledger, scanner)?, ledger.sizes()?);
    let reader = guard.spawn("events --json")?;

    let mut frame = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).tcp(40_000, 7).flags("S").build();
    let began = Instant::now();
    for number in 0..FLOOD {
        let [high, middle, low, _] = number.wrapping_mul(0x9e37_79b9).to_be_bytes();
        frame[27..30].copy_from_slice(&[high, middle, low]);
        frame[26] = 11 + u8::try_from(number >> 20)?;
        send_at_last(&injector, &frame)?;
        if number % (FLOOD / 10) == FLOOD / 20 {
            let page = format!("http://{GUARDED_V4}:{PUBLISHED}/1000");
            lab.outside.run("curl", ["-sS", "-m", "20", &page]).context("a new connection amid the flood")?;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    reader.wait_for_stdout("\"crowded\"", Duration::from_secs(20)).context("the event of a crowd")?;
    reader.signal(nix::sys::signal::Signal::SIGTERM)?;
    drop(reader);

    let crowded = crowded(&guard)?;
    println!(
        "{FLOOD} forged sources in {seconds:.1} s: {crowded} pushed out others, {:?} records",
        ledger.sizes()?
    );
    ensure!(crowded > 0, "nobody was pushed out");
    let after = (ledger.ban(banned.into())?, contacts(&ledger, scanner)?, ledger.sizes()?);
    ensure!(before == after, "{before:?} became {after:?}");
    knock(scanner, told..1 + told)?;
    ledger.ban_comes(scanner.into()).context("the scan in progress is cut off as always")?;
    Ok(())
}

/// Sends a frame, and again while the cable is full.
fn send_at_last(injector: &Injector, frame: &[u8]) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match injector.send(frame) {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => std::thread::yield_now(),
        }
    }
}

fn contacts(ledger: &Ledger<'_>, source: Ipv4Addr) -> Result<[u16; 3]> {
    ledger.source(IpAddr::V4(source))?.as_ref().map(Source::contacts).context("it has no record")
}

/// How many sources were pushed out at the door, as the statistics tell.
fn crowded(guard: &Guard<'_>) -> Result<u64> {
    let lines = guard.run("stats --json")?;
    let lines = lines.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    lines.iter().find_map(|line| line["crowded"].as_u64()).context("no line tells of crowds")
}
