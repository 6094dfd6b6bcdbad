//! Frames that are too large for one piece of memory are judged in the driver where the kernel can show them to a program
//! (Linux 5.18), and in the network stack before; counted whole in either case.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use aya::util::KernelVersion;
use scanguard_common::cause::Cause;
use scanguard_common::parse::network::IpProtocol;
use scanguard_harness::{
    Extension, Frame, GUARDED_V4, GUARDED_V6, INTERFACE, Injector, Lab, OUTSIDE_V4, OUTSIDE_V6,
};

use crate::guard::Guard;
use crate::portable::talk::all_ways;

const MTU: usize = 9_000;
const LIMIT: Duration = Duration::from_secs(60);

fn lab() -> Result<Lab> {
    let lab = Lab::new()?;
    for host in [&lab.guarded, &lab.outside] {
        host.ip(&format!("link set {INTERFACE} mtu {MTU}"))?;
    }
    Ok(lab)
}

/// Whether this kernel shows programs frames in several pieces.
pub(super) fn knows_pieces() -> Result<bool> {
    Ok(KernelVersion::current()? >= KernelVersion::new(5, 18, 0))
}

#[test]
fn the_mode_is_what_the_kernel_can() -> Result<()> {
    let lab = lab()?;
    let guard = Guard::on(&lab.guarded);
    let mut attach = guard.spawn(&format!("attach {INTERFACE}"))?;
    let output = attach.wait(LIMIT)?;
    let (words, status) = (String::from_utf8_lossy(&output.stderr), guard.run("status")?);
    let (mode, frags) = if knows_pieces()? { ("native", true) } else { ("generic", false) };
    ensure!(output.status.success() && words.contains(&format!("guarded, in {mode} mode")), "{words}");
    ensure!(words.contains("so generic mode is used") != frags, "{words}");
    ensure!(status.contains(mode) && status.contains("native (frags)") == frags, "{status}");
    guard.run(&format!("detach {INTERFACE}"))?;
    // In one piece, nobody pays for more.
    for host in [&lab.guarded, &lab.outside] {
        host.ip(&format!("link set {INTERFACE} mtu 1500"))?;
    }
    guard.run(&format!("attach {INTERFACE}"))?;
    let status = guard.run("status --json")?;
    ensure!(status.contains("\"mode\":\"native\",\"frags\":false"), "{status}");
    Ok(())
}

#[test]
fn large_probes_die_and_are_counted_whole() -> Result<()> {
    let lab = lab()?;
    let guard = Guard::attached(&lab.guarded)?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let before = guard.counts()?;
    let mut expected = BTreeMap::new();
    for ip in [Frame::ipv4(OUTSIDE_V4, GUARDED_V4), Frame::ipv6(OUTSIDE_V6, GUARDED_V6)] {
        for (cause, flags) in [(Cause::TcpXmas, "FPU"), (Cause::TcpNull, ""), (Cause::AckProbe, "A")] {
            for size in [100, 3_400, 3_500, 3_600, 4_096, 8_000, MTU - 60] {
                let frame = ip.clone().tcp(40_000, 9).flags(flags).seq(0).payload(&vec![0; size]).build();
                injector.send(&frame)?;
                let (packets, bytes) = expected.get(&cause).copied().unwrap_or((0, 0));
                expected.insert(cause, (packets + 1, bytes + frame.len() as u64));
            }
        }
    }
    let sent = expected.values().map(|(packets, _)| packets).sum();
    let counted = guard.drops_after(&before, sent)?;
    ensure!(counted == expected, "sent {expected:?}, counted {counted:?}");
    Ok(())
}

/// A header that its packet has room for, and that lies where nobody can read it, is no lie.
#[test]
fn headers_in_a_later_piece_pass() -> Result<()> {
    let lab = lab()?;
    let guard = Guard::attached(&lab.guarded)?;
    let injector = Injector::on(&lab.outside, INTERFACE)?;
    let is_native = knows_pieces()?;
    // Its chain of headers ends beyond the first piece, which is shorter than a page.
    let long = |claimed: u8| Extension::destination().filled(claimed);
    for (protocol, more) in [(IpProtocol::TCP, false), (IpProtocol::TCP, true), (IpProtocol::UDP, true)] {
        let ip = Frame::ipv6(OUTSIDE_V6, GUARDED_V6);
        let ip = ip.extension(Extension::fragment(0, more, 7)).extension(long(255)).extension(long(220));
        injector.send(&ip.build(protocol.0, &[0; 4_800]))?;
    }
    let deadline = Instant::now() + LIMIT;
    let count = || -> Result<u64> {
        let counts = guard.counts()?;
        ensure!(counts.packets(Cause::TinyFragment) == 0, "a lie was seen: {counts:?}");
        let [cut, read] =
            [Cause::TruncatedTransport, Cause::BadDataOffset].map(|cause| counts.packets(cause));
        let read = read + counts.packets(Cause::UnprovenPort) + counts.packets(Cause::PortZero);
        Ok(if is_native { cut } else { read })
    };
    while count()? < 3 {
        ensure!(Instant::now() < deadline, "they were not understood as cut: {:?}", guard.counts()?);
    }
    Ok(())
}

#[test]
fn large_segments_pass() -> Result<()> {
    const BULK: usize = 1_000_000;
    let lab = lab()?;
    let guard = Guard::attached(&lab.guarded)?;
    all_ways(
        (&lab.guarded, [GUARDED_V4.into(), GUARDED_V6.into()]),
        (&lab.outside, [OUTSIDE_V4.into(), OUTSIDE_V6.into()]),
        BULK,
    )?;
    let counts = guard.all_counts()?;
    ensure!(counts.dropped() == 0, "legitimate packets were dropped: {counts:?}");
    // Acknowledgements are among them.
    ensure!(counts.mean_size(Cause::InConnection) > 2_000, "no large segments came: {counts:?}");
    Ok(())
}
