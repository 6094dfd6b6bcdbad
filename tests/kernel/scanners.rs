//! Scans of many ports are cut off where it is told, whatever they are made with, and clients are never banned.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_common::evidence::{Entry, Source, Weights};
use scanguard_common::policy::{Judgement, Preset};
use scanguard_harness::{
    Capture, Frame, GUARDED_V4, GUARDED_V6, INTERFACE, Injector, Lab, OUTSIDE_V4, OUTSIDE_V6, Service,
};

use crate::conversation::Conversation;
use crate::guard::Guard;
use crate::ledger::Ledger;

/// A port with a service behind it; all others are closed.
const OPEN: u16 = 443;

/// Longer than an answer is under way.
const SETTLED: Duration = Duration::from_millis(200);

/// What every scan here has in common: nothing but the scan itself, and no second tries.
const NMAP: &str = "-Pn -n -T4 --max-retries 0 --host-timeout 50s";

/// A scan of many closed ports, what each of its contacts weighs, one of the open port alone, and how nmap shows that
/// this is open.
struct Technique {
    many: &'static str,
    weight: u32,
    one: &'static str,
    shown: &'static str,
    target: IpAddr,
}

fn connect(target: IpAddr) -> Technique {
    Technique {
        many: "-sT -p 1-200",
        weight: Weights::CLOSED,
        one: "-sT -p 443",
        shown: "443/tcp open ",
        target,
    }
}

#[test]
fn a_syn_scan_is_cut_off() -> Result<()> {
    for target in [IpAddr::from(GUARDED_V4), GUARDED_V6.into()] {
        is_cut_off(&Technique { many: "-sS -p 1-200", weight: Weights::SIGNATURE, ..connect(target) })?;
    }
    Ok(())
}

#[test]
fn a_connect_scan_is_cut_off() -> Result<()> {
    is_cut_off(&connect(GUARDED_V4.into()))?;
    is_cut_off(&connect(GUARDED_V6.into()))
}

#[test]
fn a_udp_scan_is_cut_off() -> Result<()> {
    for target in [IpAddr::from(GUARDED_V4), GUARDED_V6.into()] {
        is_cut_off(&Technique {
            many: "-sU -p 1000-1040",
            one: "-sU -p 443",
            shown: "443/udp open ",
            ..connect(target)
        })?;
    }
    Ok(())
}

#[test]
fn a_protocol_scan_is_cut_off() -> Result<()> {
    is_cut_off(&Technique { many: "-sO -p 100-140", ..connect(GUARDED_V4.into()) })
}

#[test]
fn a_scan_at_one_probe_a_second_is_cut_off() -> Result<()> {
    is_cut_off(&Technique { many: "-sT --scan-delay 1s -p 1-12", ..connect(GUARDED_V4.into()) })
}

/// Demands that the source makes as many contacts as is told, and finds nothing more afterwards.
fn is_cut_off(technique: &Technique) -> Result<()> {
    let lab = Lab::new()?;
    let _service = Service::http(&lab.guarded, OPEN)?;
    let _echo = echo_by_udp(&lab)?;
    let _guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    let ledger = Ledger::of(&lab.guarded);
    let source = if technique.target.is_ipv4() { OUTSIDE_V4.into() } else { from_another_network(&lab)? };
    let nmap = |what: &str| {
        let family = if technique.target.is_ipv6() { "-6" } else { "" };
        let line = format!("{NMAP} {family} {what} {}", technique.target);
        lab.outside.run("nmap", line.split_whitespace())
    };
    let before = nmap(technique.one)?;
    ensure!(before.contains(technique.shown), "before, it is not found: {before}");
    ensure!(ledger.ban(source)?.is_none(), "it is banned before it scanned");

    let learned = nmap(technique.many)?;
    ledger.ban_comes(source)?;
    let states = [" open ", " closed "].map(|state| learned.matches(state).count());
    ensure!(states == [0, 0], "{}: it learned of {states:?} open and closed ones: {learned}", technique.many);
    let Judgement { threshold, .. } = Preset::default().judgement();
    let trail = ledger.trail(source)?;
    let is_over = |entry: &Entry| entry.scores().last() >= Some(&threshold);
    let until_the_ban = 1 + trail.iter().position(is_over).context("no contact was the last straw")?;
    let (reached, told) = (u32::try_from(until_the_ban)?, threshold.div_ceil(technique.weight));
    println!("{}: banned after {reached} contacts, {} in the end", technique.many, trail.len());
    ensure!(reached == told, "{}: {reached} closed ones were reached, not {told}", technique.many);

    let after = nmap(technique.one)?;
    ensure!(!after.contains(technique.shown), "afterwards, it is still found: {after}");
    Ok(())
}

/// Has the outside host speak to the guarded one from another IPv6 network: one that is this host's own is never banned.
fn from_another_network(lab: &Lab) -> Result<IpAddr> {
    const SOURCE: Ipv6Addr = Ipv6Addr::new(0xfd78, 0, 0, 0, 0, 0, 0, 2);
    lab.add_source(SOURCE.into())?;
    lab.guarded.ip("route add fd78::/64 dev eth0")?;
    lab.outside.ip(&format!("route add {GUARDED_V6} dev {INTERFACE} src {SOURCE}"))?;
    Ok(SOURCE.into())
}

/// A service over UDP that sends everything back, until the lab is gone.
fn echo_by_udp(lab: &Lab) -> Result<UdpSocket> {
    let socket = lab.guarded.within(|| UdpSocket::bind(("::", OPEN)))?;
    let echo = socket.try_clone()?;
    echo.set_read_timeout(Some(Duration::from_secs(60)))?;
    thread::spawn(move || {
        let mut buffer = [0; 2_048];
        while let Ok((length, peer)) = echo.recv_from(&mut buffer) {
            let _ = echo.send_to(buffer.get(..length.max(1)).unwrap_or_default(), peer);
        }
    });
    Ok(socket)
}

#[test]
fn each_preset_cuts_off_after_as_many_closed_ports_as_it_tells() -> Result<()> {
    let lab = Lab::new()?;
    let _service = Service::http(&lab.guarded, OPEN)?;
    let _guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    let ledger = Ledger::of(&lab.guarded);
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let capture = Capture::on(&lab.outside, INTERFACE)?;
    for (number, preset) in (0..).zip(Preset::BANNING) {
        ledger.judge_by(preset.judgement())?;
        let told = preset.judgement().closed_ports();
        for (offset, closed) in [(10, told - 1), (20, told)] {
            let source = Ipv4Addr::new(10, 77, 0, offset + number);
            lab.add_source(source.into())?;
            let syn =
                |port| Frame::ipv4(source, GUARDED_V4).tcp(40_000, port).flags("S").linux_options().build();
            for port in 1..=u16::try_from(closed)? {
                injector.send(&syn(port))?;
            }
            injector.send(&syn(OPEN))?;
            let answers = capture.answers_after(SETTLED)?;
            let is_found = answers.iter().any(|frame| frame.get(47) == Some(&0x12));
            ensure!(is_found == (closed < told), "{}: found is {is_found} after {closed}", preset.name());
            ensure!(ledger.ban(source.into())?.is_none() == is_found, "{}: {closed}", preset.name());
        }
    }
    Ok(())
}

#[test]
fn clients_are_never_banned() -> Result<()> {
    /// Longer than an answer may take, so that whatever was not answered is noticed.
    const OVERDUE: Duration = Duration::from_secs(5);
    let lab = Lab::new()?;
    let _services =
        [80, OPEN].map(|port| Service::http(&lab.guarded, port)).into_iter().collect::<Result<Vec<_>>>()?;
    let _ssh = Service::echo(&lab.guarded, 22)?;
    let _guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    let ledger = Ledger::of(&lab.guarded);
    let pages = [format!("http://{GUARDED_V4}/1000"), format!("http://[{GUARDED_V6}]:443/1000")];
    let dead = [format!("http://{GUARDED_V4}:8081/1"), format!("http://[{GUARDED_V6}]:8082/1")];
    // A name with two addresses, of which the first is tried in vain: nothing listens there over IPv6.
    let eyeballs = format!("happy:8443:[{GUARDED_V6}],{GUARDED_V4}");
    let _v4_only = Service::http_by(lab.guarded.within(|| TcpListener::bind((GUARDED_V4, 8443)))?);
    let mut session = Conversation::open(&lab.outside, (GUARDED_V4, 22))?;
    for round in 0..12 {
        for page in &pages {
            lab.outside.run("curl", ["-sS", "-m", "10", page])?;
        }
        for check in &dead {
            let refused = lab.outside.run("curl", ["-sS", "-m", "0.3", check]);
            ensure!(refused.is_err(), "{check} answered, so it is no dead check");
        }
        lab.outside.run("curl", ["-sS", "-m", "10", "--resolve", &eyeballs, "http://happy:8443/1"])?;
        session.exchange(&format!("round {round}"))?;
        if round == 6 {
            thread::sleep(OVERDUE);
        }
    }
    for source in [IpAddr::from(OUTSIDE_V4), OUTSIDE_V6.into()] {
        println!(
            "{source}: {:?}",
            ledger.source(source)?.as_ref().map(|record| (record.contacts(), record.score()))
        );
        ensure!(ledger.ban(source)?.is_none(), "{source} is banned: {:?}", ledger.source(source)?);
    }
    let [_, failed, _] = ledger.source(OUTSIDE_V6.into())?.as_ref().map(Source::contacts).unwrap_or_default();
    ensure!(failed == 2, "the dead check and the address tried in vain were {failed} failures");
    Ok(())
}
