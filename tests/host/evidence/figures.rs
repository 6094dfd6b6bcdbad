//! The figures that are told of a policy, against the engine itself on a simulated clock.

use scanguard_common::evidence::{Kind, Verdict};
use scanguard_common::policy::Preset;
use scanguard_harness::Books;

use super::{SCANNER, SEED, START, contact};

/// A scan this slow has been caught after so many ports, or its score has come to rest.
const ENOUGH: u32 = 400;

/// How many closed ports a scan reaches until it is cut off, at one port every so many seconds.
fn reached(preset: Preset, kind: Kind, interval: u32) -> Option<u32> {
    let mut books = Books::new(preset.judgement(), SEED);
    let is_ban = |port: &u32| {
        let now = START.after((port - 1) * interval);
        matches!(books.witness(&contact(SCANNER, *port, kind, now)), Verdict::Banned(_))
    };
    (1..=ENOUGH).find(is_ban)
}

#[test]
fn a_scan_reaches_as_many_closed_ports_as_is_told() {
    for preset in Preset::BANNING {
        let told = preset.judgement().closed_ports();
        for interval in [0, 1, 2] {
            assert_eq!(reached(preset, Kind::Closed, interval), Some(told), "{}", preset.name());
        }
    }
}

#[test]
fn the_slowest_scan_that_is_told_is_caught_and_a_slower_one_is_not() {
    for preset in Preset::BANNING {
        let slowest = preset.judgement().slowest_interval().expect("scores fade");
        println!("{}: one closed port every {slowest} s is still caught", preset.name());
        for kind in [Kind::Closed, Kind::Asked] {
            let caught = [slowest, slowest + 1].map(|interval| reached(preset, kind, interval).is_some());
            // A silent port counts when the next contact comes, and fades from then on: the interval is the same.
            assert_eq!(caught, [true, false], "{} {}", preset.name(), kind.name());
        }
    }
}

#[test]
fn one_probe_every_five_minutes_is_caught_by_every_preset() {
    const PARANOID: u32 = 300;
    let ports =
        Preset::BANNING.map(|preset| [Kind::Closed, Kind::Asked].map(|kind| reached(preset, kind, PARANOID)));
    println!("{ports:?} closed, and silent, ports at one probe every five minutes");
    for reached in ports.into_iter().flatten() {
        assert!(reached.is_some_and(|ports| ports <= 12), "{reached:?}");
    }
}
