//! What other systems' stacks say, and no socket of this kernel would.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use scanguard_common::classify::flags::TcpFlags;
use scanguard_harness::{Lab, Service, Tcp, close};

use super::peer::{MSS, Peer};
use super::scene::Scene;
use super::stage::Stage;

/// Over both families: a service that sends back what it is told, and how to make peers that talk to it.
fn play(scene: impl Fn(&Stage<'_>, &dyn Fn() -> Result<Peer>) -> Result<()>) -> Result<()> {
    let lab = Lab::new()?;
    let port = AtomicU16::new(50_000);
    Scene::play_in(&lab, |stage| {
        if stage.server.name() != lab.guarded.name() {
            return Ok(());
        }
        let listener = stage.listen()?;
        let to = listener.local_addr()?;
        let _service = Service::echo_by(listener);
        scene(stage, &|| Peer::of(&lab.guarded, &lab.outside, port.fetch_add(1, Ordering::Relaxed), to))
    })
}

/// As a browser does with the slower of two addresses, a tracer of routes, and a balancer that looks who is there.
#[test]
fn connects_that_are_cancelled_by_a_reset() -> Result<()> {
    play(|stage, peer| cancel_by("R", stage, peer))
}

/// As Darwin does.
#[test]
fn connects_that_are_cancelled_by_a_bare_fin() -> Result<()> {
    play(|stage, peer| cancel_by("F", stage, peer))
}

fn cancel_by(flags: &str, stage: &Stage<'_>, peer: &dyn Fn() -> Result<Peer>) -> Result<()> {
    for _ in 0..5 {
        let mut peer = peer()?;
        stage.scene.tries(|| peer.asks(&peer.segment("S").options(&MSS)))?;
        peer.send(&peer.segment(flags))?;
    }
    Ok(())
}

#[test]
fn fins_that_are_sent_again_after_the_close() -> Result<()> {
    play(|stage, peer| {
        for _ in 0..5 {
            let mut peer = peer()?;
            stage.scene.tries(|| {
                peer.opens()?;
                peer.says("PA", "hello\n")?;
                let fin = peer.segment("FA");
                peer.ends("FA")?;
                // Its last acknowledgement came late, so it sends again what is acknowledged already.
                sleep(Duration::from_millis(20));
                (0..3).try_for_each(|_| peer.send(&fin))?;
                peer.hears(TcpFlags::RST).context("nobody said that the connection is gone").map(drop)
            })?;
        }
        Ok(())
    })
}

#[test]
fn segments_that_come_twice() -> Result<()> {
    play(|stage, peer| {
        let mut peer = peer()?;
        stage.scene.tries(|| {
            let syn = peer.segment("S").options(&MSS);
            peer.send(&syn)?;
            peer.asks(&syn)?;
            let mut last = peer.segment("A");
            for _ in 0..3 {
                peer.send(&last)?;
                peer.send(&last)?;
                peer.says("PA", "hello\n")?;
                last = peer.segment("A");
            }
            let fin = peer.segment("FA");
            peer.send(&fin)?;
            peer.ends("FA")
        })
    })
}

/// RFC 9768: the SYN has all three flags, and afterwards they are a counter in every segment.
#[test]
fn accurate_congestion_notification() -> Result<()> {
    play(|stage, peer| {
        let mut peer = peer()?;
        stage.scene.tries(|| {
            peer.asks(&peer.segment("SECN").options(&MSS))?;
            peer.send(&peer.segment("AEN"))?;
            for counter in ["", "E", "C", "EC", "N", "EN", "CN", "ECN"] {
                peer.says(&format!("PA{counter}"), "hello\n")?;
            }
            peer.ends("FAECN")
        })
    })
}

/// Small and old stacks, and one that says again at the end of the handshake what it said at its beginning.
#[test]
fn handshakes_with_few_options_small_windows_and_old_habits() -> Result<()> {
    play(|stage, peer| {
        let syns: [fn(Tcp) -> Tcp; 6] = [
            |syn| syn,
            // As Linux 2.0 did. Without MSS it would be hping's.
            |syn| syn.options(&MSS).window(512),
            |syn| syn.options(&MSS).window(2144),
            |syn| syn.options(&MSS).window(1152),
            |syn| syn.options(&MSS).urgent(0x7777),
            |syn| syn.options(&[2, 4, 5, 0xb4, 1, 3, 3, 0, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 4, 2]),
        ];
        for syn in syns {
            let mut peer = peer()?;
            stage.scene.tries(|| {
                peer.asks(&syn(peer.segment("S")))?;
                peer.send(&peer.segment("A").options(&MSS))?;
                peer.says("PA", "hello\n")?;
                peer.ends("FA")
            })?;
        }
        Ok(())
    })
}

/// One byte back, without data and, in an older habit, with a byte that was acknowledged long ago.
#[test]
fn keepalives_of_either_kind() -> Result<()> {
    play(|stage, peer| {
        let mut peer = peer()?;
        stage.scene.tries(|| {
            peer.opens()?;
            peer.says("PA", "hello\n")?;
            for byte in [&b""[..], b"\n"] {
                let mut keepalive = peer.segment("A").payload(byte);
                keepalive = keepalive.seq(peer.sequence().wrapping_sub(1));
                peer.send(&keepalive)?;
                peer.hears(TcpFlags::ACK).context("a keepalive was not answered")?;
            }
            peer.says("PA", "still there\n")?;
            peer.ends("FA")
        })
    })
}

#[test]
fn a_last_word_that_comes_with_the_end() -> Result<()> {
    play(|stage, peer| {
        let mut peer = peer()?;
        stage.scene.tries(|| {
            peer.opens()?;
            peer.send(&peer.segment("FPA").payload(b"goodbye\n"))?;
            peer.hears(TcpFlags::FIN | TcpFlags::ACK).context("waiting for FIN").map(drop)
        })
    })
}

/// As on a way with a small link, from a system that does not look for the smallest.
#[test]
fn segments_that_are_cut_into_fragments() -> Result<()> {
    play(|stage, peer| {
        let mut peer = peer()?;
        stage.scene.tries(|| {
            peer.opens()?;
            for _ in 0..5 {
                let words = "a line that is much too long for the way\n";
                peer.send_in_two(&peer.segment("PA").payload(words.as_bytes()))?;
                peer.heard(words)?;
            }
            peer.ends("FA")
        })
    })
}

#[test]
fn handshakes_that_end_after_the_service_has_stopped() -> Result<()> {
    let lab = Lab::new()?;
    Scene::play_in(&lab, |stage| {
        if stage.server.name() != lab.guarded.name() {
            return Ok(());
        }
        let listener: TcpListener = stage.listen()?;
        let mut peer = Peer::of(&lab.guarded, &lab.outside, 50_000, listener.local_addr()?)?;
        stage.scene.tries(|| {
            peer.asks(&peer.segment("S").options(&MSS))?;
            close(listener)?;
            peer.send(&peer.segment("A"))?;
            peer.hears(TcpFlags::RST).context("nobody said that the service is gone").map(drop)
        })
    })
}
