//! Legitimate traffic goes on, untouched and uncounted among the drops, while scanners are at work.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_common::cause::Cause;
use scanguard_harness::{GUARDED_V4, GUARDED_V6, Host, Lab, OUTSIDE_V4, OUTSIDE_V6, Process, Service};

use crate::conversation::Conversation;
use crate::guard::Guard;
use crate::nmap::{STEALTHY, probes, scan};
use crate::scans::services;

/// Larger than all buffers on the way, so that the download is still under way when the scan begins.
const DOWNLOAD: u64 = 200_000_000;
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(60);
/// The service outside that the guarded host itself uses.
const REMOTE: u16 = 8888;

#[test]
fn legitimate_traffic_goes_on_while_scanners_are_at_work_v4() -> Result<()> {
    legitimate_traffic_goes_on(GUARDED_V4.into(), OUTSIDE_V4.into())
}

#[test]
fn legitimate_traffic_goes_on_while_scanners_are_at_work_v6() -> Result<()> {
    legitimate_traffic_goes_on(GUARDED_V6.into(), OUTSIDE_V6.into())
}

#[test]
fn handshakes_by_syn_cookie_are_completed() -> Result<()> {
    let lab = Lab::new()?;
    let _services = services(&lab)?;
    lab.guarded.within(|| fs::write("/proc/sys/net/ipv4/tcp_syncookies", "2"))?;
    let guard = Guard::attached(&lab.guarded)?;
    for target in [IpAddr::from(GUARDED_V4), GUARDED_V6.into()] {
        for number in 0..10 {
            Conversation::open(&lab.outside, (target, 22))?.exchange(&format!("cookie {number}"))?;
        }
    }
    let counts = guard.counts()?;
    // Data that arrives in the same batch as the ACK before it is judged before there is a connection: by its cookie too.
    ensure!(counts.packets(Cause::SynCookie) >= 20, "not every handshake was by cookie: {counts:?}");
    ensure!(counts.dropped() == 0, "legitimate packets were dropped: {counts:?}");
    Ok(())
}

fn legitimate_traffic_goes_on(guarded: IpAddr, outside: IpAddr) -> Result<()> {
    let lab = Lab::new()?;
    let _services = services(&lab)?;
    let _remote = [Service::http(&lab.outside, REMOTE)?, Service::echo(&lab.outside, REMOTE + 1)?];
    let mut earlier = Conversation::open(&lab.outside, (guarded, 22))?;
    earlier.exchange("before")?;
    let mut earlier_outbound = Conversation::open(&lab.guarded, (outside, REMOTE + 1))?;
    earlier_outbound.exchange("before")?;

    let guard = Guard::attached(&lab.guarded)?;
    let mut later = Conversation::open(&lab.outside, (guarded, 22))?;
    later.exchange("hello")?;
    let mut download = download(&lab.outside, guarded)?;
    ensure!(guard.counts()?.dropped() == 0, "legitimate packets were dropped: {:?}", guard.counts()?);

    let scans = scan(&lab.outside, &STEALTHY, guarded)?;
    for round in 0..20 {
        get(&lab.guarded, (outside, REMOTE).into(), 100_000)?;
        get(&lab.outside, (guarded, 80).into(), 10_000)?;
        earlier_outbound.exchange(&format!("round {round}"))?;
    }
    sleep(Duration::from_secs(2)); // they have nothing to say for a while, as in any shell
    earlier.exchange("after the scan")?;
    later.exchange("after the scan")?;
    let output = download.wait(DOWNLOAD_LIMIT)?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(said == format!("200 {DOWNLOAD}"), "the download ended with {said}, {}", output.status);

    // One drop more than there were probes was a legitimate packet's.
    let (dropped, probes) = (guard.counts()?.dropped(), probes(&scans));
    ensure!(dropped == probes, "{dropped} packets were dropped, but {probes} probes were sent");
    Ok(())
}

/// Starts a download that lasts longer than a scan.
fn download(client: &Host, server: IpAddr) -> Result<Process> {
    let url = format!("http://{}/{DOWNLOAD}", SocketAddr::from((server, 80)));
    let line = "-sS -o /dev/null --limit-rate 40M -w";
    client.spawn("curl", line.split(' ').chain(["%{http_code} %{size_download}", &url]))
}

/// Fetches so many bytes over a connection of its own.
fn get(client: &Host, server: SocketAddr, length: usize) -> Result<()> {
    let mut stream =
        client.within(|| TcpStream::connect(server)).with_context(|| format!("connecting to {server}"))?;
    write!(stream, "GET /{length} HTTP/1.1\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(|| format!("reading from {server}"))?;
    ensure!(answer.len() > length, "{server} sent {} bytes only", answer.len());
    Ok(())
}
