//! Scans that are shared among many sources, in a capture.

use std::net::Ipv4Addr;

use scanguard_harness::{Frame, GUARDED_V4};

use super::file::{write, written};
use super::run::{Run, replay};

/// Replays a capture of so many sources, each of which asks for three ports that nobody else asks for, and is refused.
fn shared_by(sources: u16, milliseconds: u64) -> Run {
    let frames: Vec<_> = (0..3 * sources)
        .flat_map(|number| {
            let source = Ipv4Addr::from(0xc633_6400 + u32::from(number % sources));
            let probe = Frame::ipv4(source, GUARDED_V4).tcp(40_000, 1 + number).flags("S").build();
            let refusal = Frame::between(GUARDED_V4.into(), source.into())
                .tcp(1 + number, 40_000)
                .flags("RA")
                .seq(0)
                .build();
            [(milliseconds, probe), (0, refusal)]
        })
        .collect();
    replay(written(&frames).path(), &format!("--local {GUARDED_V4}")).succeeded()
}

#[test]
fn a_shared_scan_is_told_with_times_of_the_capture() {
    let run = shared_by(200, 100);
    assert!(run.bans().is_empty(), "{:?}", run.bans());
    let [incident] = run.incidents()[..] else { panic!("{:?}", run.incidents()) };
    assert_eq!(incident["since"], "1970-01-01T00:16:40.000000Z");
    assert_eq!(incident["last"], "1970-01-01T00:17:40.000000Z");
    assert_eq!((&incident["attempts"], &incident["over"]), (&600.into(), &false.into()));
    for (what, truth) in [("ports", 582..=618), ("sources", 191..=209)] {
        let found = incident[what].as_u64().expect("a number");
        assert!(truth.contains(&found), "{found} {what}: {incident}");
    }
    assert_eq!(incident["largest"][0]["prefix"], "198.51.100.0/24");
}

#[test]
fn the_same_scan_over_an_hour_is_none() {
    let run = shared_by(200, 6_000);
    assert!(run.incidents().is_empty() && run.bans().is_empty(), "{:?}", run.incidents());
}

/// Eight sources of a network are banned; what a ninth asks for then, and one of the next network.
fn neighbours_of_banned(policy: &str) -> Run {
    let closed = |last, port| {
        let source = Ipv4Addr::new(198, 51, 100, last);
        let probe = Frame::ipv4(source, GUARDED_V4).tcp(40_000, port).flags("S").build();
        let refusal = Frame::between(GUARDED_V4.into(), source.into()).tcp(port, 40_000);
        [(1, probe), (1, refusal.flags("RA").seq(0).build())]
    };
    let scans = (1..=8).flat_map(|last| (100..105).flat_map(move |port| closed(last, port)));
    let next = Ipv4Addr::new(198, 51, 101, 9);
    let other = Frame::ipv4(next, GUARDED_V4).tcp(40_000, 100).flags("S").build();
    let frames: Vec<_> = scans.chain(closed(9, 100)).chain([(1, other)]).collect();
    let file = write(policy.as_bytes());
    let arguments = format!("--local {GUARDED_V4} --policy {}", file.path().display());
    replay(written(&frames).path(), &arguments).succeeded()
}

#[test]
fn the_network_of_many_banned_sources_is_banned_if_the_policy_says_so() {
    for (policy, refused) in [("", Some(&1)), ("[ban]\nnetwork = 9", None), ("[ban]\nnetwork = 0", None)] {
        let run = neighbours_of_banned(policy);
        assert_eq!(run.bans().len(), 8, "{policy}");
        assert_eq!(run.dropped().get("banned-network"), refused, "{policy}: {:?}", run.dropped());
    }
}
