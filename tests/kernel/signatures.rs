//! The tools that can be had are recognised by what they send today, and clients are not.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_common::classify::flags::TcpFlags;
use scanguard_common::classify::signature::Signature::{
    self, Hping, MasscanOld, NmapAck, NmapDatagram, NmapEcnProbe, NmapSyn, NmapSystemProbe, ZmapOld,
};
use scanguard_common::classify::signature::{Knowledge, Traits, recognise};
use scanguard_common::parse::network::IpProtocol;
use scanguard_common::parse::{Packet, parse};
use scanguard_harness::{Capture, GUARDED_MAC, GUARDED_V4, GUARDED_V6, INTERFACE, Lab, OUTSIDE_V4, Service};

use crate::masscan::masscan;

/// How long a tool may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How long the last frame may be under way.
const SETTLING: Duration = Duration::from_millis(100);

const NMAP: &str = "nmap -n -Pn -T4 --max-retries 0";

/// A tool, and all marks that its probes have; the first of them is the first probe's.
struct Tool {
    line: String,
    marks: Vec<Signature>,
}

fn tool(line: impl Into<String>, marks: impl Into<Vec<Signature>>) -> Tool {
    Tool { line: line.into(), marks: marks.into() }
}

fn tools() -> Vec<Tool> {
    let mac = GUARDED_MAC.map(|byte| format!("{byte:02x}")).join(":");
    let system = [NmapSyn, NmapSystemProbe, NmapEcnProbe, NmapDatagram];
    vec![
        tool(format!("{NMAP} -sS -p 80,81 {GUARDED_V4}"), [NmapSyn]),
        tool(format!("{NMAP} -6 -sS -p 80,81 {GUARDED_V6}"), [NmapSyn]),
        tool(format!("{NMAP} -sA -p 80,81 {GUARDED_V4}"), [NmapAck]),
        tool(format!("{NMAP} -6 -sM -p 80,81 {GUARDED_V6}"), [NmapAck]),
        tool(format!("{NMAP} -O --max-os-tries 1 -p 80,81 {GUARDED_V4}"), system),
        tool(format!("{NMAP} -6 -O --max-os-tries 1 -p 80,81 {GUARDED_V6}"), system),
        // No rule names the datagrams of a UDP scan: they are other programs' questions.
        tool(format!("{NMAP} -sU -p 53,123,161,9999 {GUARDED_V4}"), []),
        tool(
            format!(
                "masscan --interface {INTERFACE} --router-mac {mac} --source-ip 10.77.0.9 --rate 1000 --wait 1 -p80,81 \
                 {GUARDED_V4}"
            ),
            [MasscanOld],
        ),
        tool(
            format!(
                "zmap --blacklist-file=/dev/null -i {INTERFACE} -G {mac} -S {OUTSIDE_V4} -c 1 -r 1000 -q -v 0 -p 80 \
                 {GUARDED_V4}/32"
            ),
            [ZmapOld],
        ),
        tool(format!("hping3 -n -c 2 -i u10000 -S -p 80 {GUARDED_V4}"), [Hping]),
    ]
}

#[test]
fn scanners_are_recognised_by_what_they_send() -> Result<()> {
    let lab = Lab::new()?;
    let _service = Service::http(&lab.guarded, 80)?;
    for Tool { line, marks } in tools() {
        let capture = Capture::on(&lab.guarded, INTERFACE)?;
        run(&lab, &line)?;
        let seen = marks_in(&capture.frames_after(SETTLING)?);
        println!("{line}: {seen:?}");
        let first = seen.first().with_context(|| format!("`{line}` sent nothing"))?;
        ensure!(*first == marks.first().copied(), "`{line}` begins with {first:?}");
        ensure!(marks.is_empty() || !seen.contains(&None), "`{line}` sent something without a mark");
        let different: BTreeSet<Signature> = seen.into_iter().flatten().collect();
        ensure!(different == marks.into_iter().collect(), "`{line}` is seen as {different:?}");
    }
    Ok(())
}

#[test]
fn clients_are_not_recognised() -> Result<()> {
    let lab = Lab::new()?;
    let _services = [Service::http(&lab.guarded, 80)?, Service::echo(&lab.guarded, 22)?];
    let capture = Capture::on(&lab.guarded, INTERFACE)?;
    for address in [IpAddr::from(GUARDED_V4), IpAddr::from(GUARDED_V6)] {
        for port in [80, 81] {
            run(&lab, &format!("curl -s -o /dev/null http://{}/", SocketAddr::new(address, port)))?;
        }
        run(&lab, &format!("nc -z -n -w 1 {address} 21-23"))?;
        let mut session = lab.outside.within(|| TcpStream::connect((address, 22)))?;
        session.set_read_timeout(Some(LIMIT))?;
        for _ in 0..10 {
            session.write_all(b"typed\n")?;
            session.read_exact(&mut [0; 6])?;
        }
    }
    let seen = marks_in(&capture.frames_after(SETTLING)?);
    println!("{} segments", seen.len());
    ensure!(seen.len() >= 20, "only {} segments were recorded", seen.len());
    let marks: Vec<Signature> = seen.into_iter().flatten().collect();
    ensure!(marks.is_empty(), "clients were seen as {marks:?}");
    Ok(())
}

/// Runs a tool to its end; whether it found anything is none of our concern.
fn run(lab: &Lab, line: &str) -> Result<()> {
    let (program, arguments) = line.split_once(' ').context("a program and what it is to do")?;
    if program == "masscan" {
        return masscan(lab, arguments).map(drop);
    }
    lab.outside.spawn(program, arguments.split_whitespace())?.wait(LIMIT)?;
    Ok(())
}

/// The marks of all segments and datagrams in the order in which they came, but for what the system below a scanner
/// answers: RST.
fn marks_in(frames: &[Vec<u8>]) -> Vec<Option<Signature>> {
    let packets = frames.iter().filter_map(|frame| Some((frame.as_slice(), parse(frame.as_slice()).ok()?)));
    packets
        .filter(|(_, packet)| is_probe(packet))
        .map(|(frame, packet)| {
            recognise(frame, &packet, &Traits::read(frame, &packet), &Knowledge::default())
        })
        .collect()
}

fn is_probe(packet: &Packet) -> bool {
    match packet.transport.protocol {
        IpProtocol::TCP => !packet.transport.segment.flags.has(TcpFlags::RST),
        IpProtocol::UDP => true,
        _ => false,
    }
}
