//! Scans that are shared among many sources are told as one incident, and nobody is banned for what others do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use scanguard_harness::{
    Frame, GUARDED_V4, GUARDED_V6, INTERFACE, Injector, Lab, OUTSIDE_V4, OUTSIDE_V6, Process, Service,
};
use serde_json::Value;

use crate::bans::{SSH, bans, objects, scan, the_only};
use crate::guard::Guard;
use crate::ledger::Ledger;

const LIMIT: Duration = Duration::from_secs(30);

/// How many take part, fifty in each of four networks, and how many ports each tries.
const SOURCES: u16 = 200;
const EACH: u16 = 3;

/// The source of this number in the networks that begin with `first`, which are those of an IPv4 /24 or of an IPv6 /48.
fn source(family: Family, number: u16) -> IpAddr {
    let (network, host) = (number % 4, 1 + number / 4 % 50);
    match family {
        Family::V4 => Ipv4Addr::from(0xc633_0000 + 0x100 * u32::from(network) + u32::from(host)).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, network, host, 0, 0, 0, 1).into(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn host(self) -> &'static str {
        match self {
            Family::V4 => "10.77.0.1",
            Family::V6 => "fd77::1",
        }
    }

    fn networks(self) -> [&'static str; 4] {
        match self {
            Family::V4 => ["198.51.0.0/24", "198.51.1.0/24", "198.51.2.0/24", "198.51.3.0/24"],
            Family::V6 => ["2001:db8::/48", "2001:db8:1::/48", "2001:db8:2::/48", "2001:db8:3::/48"],
        }
    }
}

/// Sends a SYN.
fn knock(injector: &Injector, source: IpAddr, port: u16) -> Result<()> {
    let frame = match source {
        IpAddr::V4(source) => Frame::ipv4(source, GUARDED_V4),
        IpAddr::V6(source) => Frame::ipv6(source, GUARDED_V6),
    };
    injector.send(&frame.tcp(40_000, port).flags("S").build())
}

/// Lets everybody take part with `each` ports, each port once.
fn share(injector: &Injector, family: Family, first: u16, each: u16) -> Result<()> {
    (0..SOURCES * each).try_for_each(|number| knock(injector, source(family, number), first + number))
}

/// A laboratory in which the refusals that leave have somewhere to go.
fn lab() -> Result<Lab> {
    let lab = Lab::new()?;
    lab.guarded.ip(&format!("route add default via {OUTSIDE_V4}"))?;
    lab.guarded.ip(&format!("-6 route add default via {OUTSIDE_V6}"))?;
    Ok(lab)
}

fn incidents(guard: &Guard<'_>) -> Result<Vec<Value>> {
    let lines = objects(&guard.run("sources --all --json")?)?;
    Ok(lines.into_iter().filter_map(|mut line| Some(line.get_mut("incident")?.take())).collect())
}

/// How many different things are told to be there, which may be off by three times the standard error, and by a half.
fn about(incident: &Value, what: &str, truth: u16, error: f64) -> Result<()> {
    let found = incident[what].as_f64().with_context(|| format!("no {what} in {incident}"))?;
    let truth = f64::from(truth);
    println!("{what}: {found} of {truth}");
    ensure!(
        (found - truth).abs() <= 3.0 * error * truth + 0.5,
        "{found} {what}, and not {truth}: {incident}"
    );
    Ok(())
}

#[test]
fn a_shared_scan_is_one_incident_and_nobody_is_banned() -> Result<()> {
    for family in [Family::V4, Family::V6] {
        let lab = lab()?;
        let guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
        let injector = Injector::on(&lab.outside, INTERFACE)?;
        let reader = guard.spawn("events --json")?;
        share(&injector, family, 1_000, EACH)?;
        reader.wait_for_stdout("\"shared\"", LIMIT).context("the event of a shared scan")?;
        ensure!(bans(&guard)?.is_empty(), "{family:?}: {:?}", bans(&guard)?);
        let incident = the_only(incidents(&guard)?)?;
        println!("{family:?}: {incident}");
        about(&incident, "ports", SOURCES * EACH, 0.01)?;
        about(&incident, "sources", SOURCES, 0.014)?;
        about(&incident, "prefixes", 4, 0.02)?;
        ensure!(incident["banned"] == 0 && incident["over"] == false, "{incident}");
        ensure!(incident["lowest_port"] == 1_000 && incident["highest_port"] == 1_599, "{incident}");
        ensure!(incident["destinations"] == Value::from([family.host()].as_slice()), "{incident}");
        let mut networks = Vec::new();
        for share in incident["largest"].as_array().context("no networks")? {
            networks.push(share["prefix"].as_str().context("no prefix")?);
            ensure!((45..=50).contains(&share["sources"].as_u64().unwrap_or(0)), "{incident}");
        }
        networks.sort_unstable();
        let mut expected = family.networks();
        expected.sort_unstable();
        ensure!(networks == expected, "{networks:?}");
        let table = guard.run("sources --all")?;
        ensure!(table.contains("\n\nSHARED-SCAN "), "{table}");

        let events = told_until_a_ban(&reader, &injector, 1)?;
        let [told] = events.as_slice() else {
            bail!("{family:?}: told of {} times: {events:?}", events.len())
        };
        ensure!(told["sources"].as_u64() >= Some(16) && told["destination"] == family.host(), "{told}");
    }
    Ok(())
}

#[test]
fn an_incident_is_kept_and_the_next_is_told_anew() -> Result<()> {
    let lab = lab()?;
    let guard = Guard::attached_with(&lab.guarded, "--preset tolerant")?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let ledger = Ledger::of(&lab.guarded);
    let reader = guard.spawn("events --json")?;
    let told = |scanner, times: usize| {
        let events = told_until_a_ban(&reader, &injector, scanner)?;
        ensure!(events.len() == times, "told of {} times, and not {times}", events.len());
        Ok(())
    };
    share(&injector, Family::V4, 1_000, EACH)?;
    told(1, 1)?;
    share(&injector, Family::V4, 2_000, 1)?;
    told(2, 1)?;
    ledger.target_is_older(GUARDED_V4, 700)?;
    share(&injector, Family::V4, 3_000, EACH)?;
    ensure!(incidents(&guard)?.len() == 2, "{:?}", incidents(&guard)?);
    told(3, 2)?;
    let over: Vec<_> = incidents(&guard)?.iter().map(|incident| incident["over"].clone()).collect();
    ensure!(over == [true, false], "{over:?}");
    Ok(())
}

/// Lets one more scanner be banned, which is told in any case, and returns what was told of shared scans before.
fn told_until_a_ban(reader: &Process, injector: &Injector, scanner: u8) -> Result<Vec<Value>> {
    let scanner = Ipv4Addr::new(203, 0, 113, scanner);
    for port in 1..=10 {
        knock(injector, scanner.into(), port)?;
    }
    let is_ban = |event: &Value| event["news"] == "banned" && event["source"] == scanner.to_string();
    let deadline = Instant::now() + LIMIT;
    loop {
        let events = whole_events(&reader.stdout())?;
        if let Some(end) = events.iter().position(is_ban) {
            let before = events.into_iter().take(end);
            return Ok(before.filter(|event| event["news"] == "shared").collect());
        }
        ensure!(Instant::now() < deadline, "{scanner} was not banned: {}", reader.stdout());
        sleep(Duration::from_millis(20));
    }
}

/// The events of all lines that have been written to their end.
fn whole_events(written: &str) -> Result<Vec<Value>> {
    objects(written.rsplit_once('\n').map_or("", |(whole, _)| whole))
}

#[test]
fn a_scanner_is_banned_and_makes_no_incident() -> Result<()> {
    for preset in ["balanced", "off"] {
        let lab = Lab::new()?;
        let guard = Guard::attached_with(&lab.guarded, &format!("--preset {preset}"))?;
        let injector = Injector::on(&lab.outside, INTERFACE)?;
        for port in 1..1_000 {
            knock(&injector, OUTSIDE_V4.into(), port)?;
        }
        scan(&lab)?;
        ensure!(bans(&guard)?.is_empty() == (preset == "off"), "{preset}: {:?}", bans(&guard)?);
        ensure!(incidents(&guard)?.is_empty(), "{preset}: {:?}", incidents(&guard)?);
        let [attempts, ports] = Ledger::of(&lab.guarded).attempts_at(GUARDED_V4)?;
        ensure!(
            (1..=9).contains(&attempts) && ports == attempts,
            "{preset}: {attempts} attempts, {ports} ports"
        );
    }
    Ok(())
}

#[test]
fn clients_make_no_incident_and_what_is_answered_is_not_even_written_down() -> Result<()> {
    let lab = lab()?;
    let _ssh = Service::echo(&lab.guarded, SSH)?;
    let guard = Guard::attached_with(&lab.guarded, "--preset balanced")?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let ledger = Ledger::of(&lab.guarded);
    for number in 0..SOURCES {
        knock(&injector, source(Family::V4, number), SSH)?;
    }
    lab.outside.within(|| std::net::TcpStream::connect((GUARDED_V4, SSH)))?;
    ensure!(ledger.attempts_at(GUARDED_V4)? == [0, 0], "a contact that was answered is held against all");

    // All of them look for a service that has gone, and for one that has never been.
    for number in 0..2 * SOURCES {
        knock(&injector, source(Family::V4, number), [8_080, 993][usize::from(number / SOURCES)])?;
    }
    let [attempts, ports] = ledger.attempts_at(GUARDED_V4)?;
    // Two of so many sources share a place at the door in one of four runs, and then one may be turned away.
    let all = u32::from(2 * SOURCES);
    ensure!((all - 4..=all).contains(&attempts) && ports == 2, "{attempts} attempts, {ports} ports");
    ensure!(incidents(&guard)?.is_empty() && bans(&guard)?.is_empty(), "{:?}", incidents(&guard)?);
    Ok(())
}
