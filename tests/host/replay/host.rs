//! What is learned of the host behind a capture.

use std::net::{IpAddr, Ipv4Addr};

use scanguard_harness::{Frame, GUARDED_V4, OUTSIDE_V4};

use super::file::{write, written};
use super::run::{Run, replay};

const OUT: IpAddr = IpAddr::V4(OUTSIDE_V4);
const OWN: IpAddr = IpAddr::V4(GUARDED_V4);

/// A segment from outside.
fn arrives(from: u16, to: u16, flags: &str, sequence: u32) -> (u64, Vec<u8>) {
    let segment = Frame::between(OUT, OWN).tcp(from, to).flags(flags).seq(sequence);
    (1, if flags == "S" { segment.linux_options() } else { segment }.build())
}

/// A segment of the host.
fn leaves(from: u16, to: u16, flags: &str, sequence: u32) -> (u64, Vec<u8>) {
    (1, Frame::between(OWN, OUT).tcp(from, to).flags(flags).seq(sequence).build())
}

fn judged(frames: &[(u64, Vec<u8>)], more: &str) -> Run {
    replay(written(frames).path(), &format!("--local {GUARDED_V4} {more}")).succeeded()
}

/// The causes of all packets that arrived, and how many there were of each.
fn causes(run: &Run) -> Vec<(String, u64)> {
    let all = run.dropped().into_iter().chain(run.passed());
    all.map(|(cause, packets)| (cause.to_owned(), packets)).collect()
}

fn expect(run: &Run, expected: &[(&str, u64)]) {
    let mut expected: Vec<_> =
        expected.iter().map(|(cause, packets)| ((*cause).to_owned(), *packets)).collect();
    let mut seen = causes(run);
    expected.sort();
    seen.sort();
    assert_eq!(seen, expected);
}

#[test]
fn a_handshake_is_known_from_its_first_segment() {
    let run = judged(
        &[
            arrives(40_000, 80, "S", 7),
            leaves(80, 40_000, "SA", 9),
            arrives(40_000, 80, "A", 8),
            arrives(40_000, 80, "PA", 8),
            leaves(80, 40_000, "FA", 10),
            arrives(40_000, 80, "FA", 9),
            leaves(80, 40_000, "A", 11),
            arrives(40_000, 80, "A", 10),
        ],
        "",
    );
    expect(&run, &[("new-connection", 1), ("in-connection", 4)]);
    assert_eq!(run.capture("left"), 3);
}

#[test]
fn a_port_is_closed_if_its_answer_says_so_and_open_if_that_does() {
    let run = judged(
        &[
            arrives(40_000, 81, "S", 7),
            leaves(81, 40_000, "RA", 0),
            arrives(40_001, 80, "S", 7), // nobody answers this one, but the next
            arrives(40_002, 80, "S", 7),
            leaves(80, 40_002, "SA", 9),
            arrives(40_003, 82, "S", 7),
            (5_000, arrives(40_004, 81, "S", 7).1),
            leaves(81, 40_004, "RA", 0),
            (6_000, arrives(40_005, 81, "S", 7).1),
        ],
        "",
    );
    let (open, closed) = (("new-connection", 2), ("closed-port", 1));
    expect(&run, &[open, ("unproven-port", 3), ("reset-silenced", 1), closed]);
    assert_eq!(run.capture("unasked"), 1, "the closed port would not have been asked");
    assert_eq!(run.sources(), [(OUTSIDE_V4.to_string().as_str(), 2)]);
}

#[test]
fn a_service_that_restarts_is_no_closed_port() {
    let run = judged(
        &[
            arrives(40_000, 80, "S", 7),
            leaves(80, 40_000, "SA", 9),
            arrives(40_000, 80, "RA", 8),
            arrives(40_001, 80, "S", 7),
            leaves(80, 40_001, "RA", 0),
            (301_000, arrives(40_002, 80, "S", 7).1),
            leaves(80, 40_002, "RA", 0),
        ],
        "",
    );
    let refused = [("unproven-port", 1), ("reset-silenced", 1)];
    // Refused while it was remembered, and closed after five minutes.
    expect(&run, &[("new-connection", 1), ("in-connection", 1), ("recent-port", 1), refused[0], refused[1]]);
}

#[test]
fn connections_that_are_older_than_the_capture_are_known_by_what_the_host_says_later() {
    let run = judged(
        &[
            arrives(40_000, 80, "PA", 7), // long before the host says anything
            (30_000, arrives(40_000, 80, "A", 0).1),
            (30_000, leaves(80, 40_000, "A", 9).1),
            arrives(40_000, 80, "FA", 8),
            arrives(40_001, 80, "A", 0), // the host never knew this one
            leaves(80, 40_001, "R", 0),
        ],
        "",
    );
    expect(&run, &[("in-connection", 3), ("ack-probe", 1)]);
    assert!(run.losses().is_empty());
}

#[test]
fn where_the_file_can_be_read_only_once_the_past_must_do() {
    let frames = [arrives(40_000, 80, "A", 0), leaves(80, 40_000, "A", 9), arrives(40_000, 80, "A", 0)];
    let file = written(&frames);
    let pipe = write(b"");
    std::fs::remove_file(pipe.path()).expect("it was just written");
    nix::unistd::mkfifo(pipe.path(), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let bytes = std::fs::read(file.path()).expect("it was just written");
    let run = std::thread::scope(|scope| {
        scope.spawn(|| std::fs::write(pipe.path(), bytes).expect("somebody reads"));
        replay(pipe.path(), &format!("--local {GUARDED_V4}")).succeeded()
    });
    expect(&run, &[("ack-probe", 1), ("in-connection", 1)]);
}

#[test]
fn connections_that_the_host_opens_are_its_own() {
    let run = judged(
        &[
            leaves(50_000, 443, "S", 7),
            arrives(443, 50_000, "SA", 0),
            leaves(50_000, 443, "A", 8),
            arrives(443, 50_000, "PA", 1),
            leaves(50_001, 444, "S", 7),
            arrives(444, 50_001, "RA", 0),
            arrives(445, 50_002, "SA", 0), // to a SYN that was never sent
            leaves(50_002, 445, "R", 0),
        ],
        "",
    );
    expect(&run, &[("in-connection", 3), ("syn-ack-probe", 1)]);
}

#[test]
fn time_is_the_captures() {
    let strays: Vec<_> = (0..40).map(|number| arrives(40_000 + number, 81, "PA", 7)).collect();
    let at_once = judged(&strays, "");
    expect(&at_once, &[("stray", 16), ("stray-flood", 24)]);
    let slowly: Vec<_> = strays.into_iter().map(|(_, frame)| (1_000, frame)).collect();
    expect(&judged(&slowly, ""), &[("stray", 40)]);
}

#[test]
fn refusals_are_judged_at_the_second_door() {
    let unreachable = Frame::between(OWN, OUT).icmp(3, 3).build();
    let asked = Frame::between(OUT, OWN).udp(40_000, 161).build();
    let frames = [(1, asked), (1, unreachable)];
    let run = judged(&frames, "");
    expect(&run, &[("unproven-port", 1), ("unreachable-silenced", 1)]);
    assert_eq!(run.sources(), [(OUTSIDE_V4.to_string().as_str(), 1)], "it was kept from whoever asked");
    let policy = write(b"closed_ports = \"pass\"");
    expect(&judged(&frames, &format!("--policy {}", policy.path().display())), &[("unproven-port", 1)]);
}

#[test]
fn a_udp_port_that_answers_is_bound_until_it_is_refused() {
    let asked = |from| Frame::between(OUT, OWN).udp(from, 53).build();
    let answer = Frame::between(OWN, OUT).udp(53, 40_000).build();
    let run = judged(&[(1, asked(40_000)), (1, answer), (1, asked(40_001))], "");
    expect(&run, &[("udp", 2)]);
}

/// Six closed ports at once: the fifth is one too many for a balanced judgement.
fn closed_ports_of_one_source() -> Vec<(u64, Vec<u8>)> {
    (100..106)
        .flat_map(|port| [arrives(40_000, port, "S", 7_000 * u32::from(port)), leaves(port, 40_000, "RA", 0)])
        .collect()
}

#[test]
fn a_ban_refuses_new_contacts_for_ten_minutes_and_nothing_else() {
    let old = [arrives(50_000, 80, "PA", 7), leaves(80, 50_000, "PA", 9)];
    let new = |port| [arrives(50_001, port, "S", 7_000 * u32::from(port)), leaves(port, 50_001, "SA", 9)];
    let mut frames: Vec<_> = old.iter().cloned().chain(closed_ports_of_one_source()).collect();
    frames.extend(old);
    frames.extend(new(81).into_iter().chain(new(443)));
    frames.extend([arrives(50_001, 81, "A", 8), leaves(81, 50_001, "PA", 10)]);
    frames.push((601_000, arrives(50_002, 81, "S", 7).1));
    let policy = write(b"public = [\"tcp/443\"]");
    let run = judged(&frames, &format!("--policy {}", policy.path().display()));
    let [unproven, silenced] = [("unproven-port", 5), ("reset-silenced", 5)];
    expect(&run, &[("in-connection", 2), ("new-connection", 2), ("banned", 2), unproven, silenced]);
    let bans = run.bans();
    let [ban] = bans.as_slice() else { panic!("{bans:?}") };
    assert_eq!((&ban["source"], &ban["seconds"]), (&OUTSIDE_V4.to_string().into(), &600.into()), "{ban}");
    assert_eq!((&ban["contact"], &ban["cause"]), (&"closed".into(), &"reset-silenced".into()), "{ban}");
    assert_eq!((&ban["failed"], &ban["answered"]), (&5.into(), &0.into()), "{ban}");
    assert_eq!(run.losses().len(), 1, "the conversation with port 81: {:?}", run.losses());
    // Four: the refusal of the sixth port, and all that follows the SYN to port 81.
    assert_eq!(run.capture("unasked"), 4);
}

#[test]
fn who_is_allowed_is_not_banned_and_nobody_is_where_that_is_off() {
    for policy in [format!("allow = [\"{OUTSIDE_V4}\"]"), "preset = \"off\"".to_owned()] {
        let policy = write(policy.as_bytes());
        let run = judged(&closed_ports_of_one_source(), &format!("--policy {}", policy.path().display()));
        assert!(run.bans().is_empty(), "{:?}", run.bans());
    }
    let policy = write(b"preset = \"tolerant\"");
    let run = judged(&closed_ports_of_one_source(), &format!("--policy {}", policy.path().display()));
    assert!(run.bans().is_empty(), "nine closed ports are one too many: {:?}", run.bans());
    let policy = write(b"ping = \"silent\"\ndecoys = [\"tcp/23\"]");
    let ping = (1, Frame::between(OUT, OWN).icmp(8, 0).build());
    let run = judged(&[ping, arrives(40_000, 23, "S", 7)], &format!("--policy {}", policy.path().display()));
    expect(&run, &[("ping-silenced", 1), ("decoy-port", 1)]);
}

#[test]
fn what_an_allowed_source_sends_is_not_dropped() {
    let policy = write(format!("allow = [\"{OUTSIDE_V4}\"]").as_bytes());
    let run = judged(&[arrives(40_000, 81, "FPU", 7)], &format!("--policy {}", policy.path().display()));
    expect(&run, &[("allowed", 1)]);
}

#[test]
fn a_gateway_knows_of_the_hosts_behind_it_only_what_they_say() {
    let frames = [
        arrives(40_000, 81, "S", 7),
        leaves(81, 40_000, "RA", 0),
        arrives(40_000, 81, "FPU", 7),
        leaves(80, 40_001, "PA", 7),
        arrives(40_001, 80, "A", 0),
    ];
    expect(
        &judged(&frames, "--gateway"),
        &[("unproven-port", 1), ("reset-silenced", 1), ("tcp-xmas", 1), ("in-flow", 1)],
    );
}

#[test]
fn what_passes_by_is_not_judged() {
    let other = Ipv4Addr::new(198, 51, 100, 7);
    let overheard = Frame::between(OUT, IpAddr::V4(other)).tcp(40_000, 81).flags("FPU").build();
    expect(&judged(&[(1, overheard)], ""), &[("other-station", 1)]);
    let [here, there] = [[127, 0, 0, 1], [127, 0, 0, 53]].map(|bytes| IpAddr::V4(bytes.into()));
    let within = Frame::between(here, there).udp(40_000, 53).build();
    let run = replay(written(&[(1, within)]).path(), "--local 127.0.0.0/8").succeeded();
    expect(&run, &[]);
    assert_eq!(run.capture("within"), 1);
}

#[test]
fn a_conversation_that_would_lose_something_is_named() {
    let run = judged(
        &[
            arrives(40_000, 80, "S", 7),
            leaves(80, 40_000, "SA", 9),
            arrives(40_000, 80, "A", 8),
            leaves(80, 40_000, "PA", 10),
            arrives(40_000, 80, "P", 8), // no stack sends this, but here one did
            arrives(40_001, 80, "P", 8),
        ],
        "",
    );
    assert_eq!(run.dropped(), [("tcp-no-ack", 2)].into());
    let losses = run.losses();
    assert_eq!(losses.len(), 1, "{losses:?}");
    assert!(losses[0].contains("40000") && losses[0].contains("\"tcp-no-ack\":1"), "{losses:?}");
}
