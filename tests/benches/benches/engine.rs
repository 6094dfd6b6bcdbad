//! The pure part of the engine on this machine's own instructions: no kernel, no verifier, no maps.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use scanguard_common::classify::classify;
use scanguard_common::key::{Address, spread};
use scanguard_common::parse::parse;
use scanguard_common::speech::Flow;
use scanguard_common::stray::Budget;
use scanguard_common::time::Nanos;
use scanguard_harness::{Extension, Frame, GUARDED_V4, GUARDED_V6, OUTSIDE_V4, OUTSIDE_V6};

/// Typical frames, by what they are.
fn frames() -> [(&'static str, Vec<u8>); 7] {
    let v4 = || Frame::ipv4(OUTSIDE_V4, GUARDED_V4);
    let v6 = || Frame::ipv6(OUTSIDE_V6, GUARDED_V6);
    [
        ("xmas", v4().tcp(40_000, 9).flags("FPU").build()),
        ("data", v4().tcp(40_000, 80).flags("PA").ack(1).payload(&[b'.'; 1400]).build()),
        ("data-v6", v6().tcp(40_000, 80).flags("PA").ack(1).payload(&[b'.'; 1400]).build()),
        ("data-vlan", v4().vlan(7).tcp(40_000, 80).flags("PA").ack(1).build()),
        ("udp", v4().udp(40_000, 53).payload(&[b'.'; 60]).build()),
        ("echo", v4().icmp(8, 0).build()),
        ("extensions", v6().extension(Extension::hop_by_hop()).tcp(40_000, 9).flags("S").build()),
    ]
}

fn engine(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse-and-classify");
    for (name, frame) in &frames() {
        group.bench_with_input(BenchmarkId::from_parameter(name), frame.as_slice(), |bencher, frame| {
            bencher.iter(|| parse(black_box(frame)).map(|packet| classify(&packet)));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("records");
    let source = Address::v4(OUTSIDE_V4.octets());
    group
        .bench_function("spread-address", |bencher| bencher.iter(|| spread(black_box(source), black_box(7))));
    let segment = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).tcp(40_000, 80).flags("A").build();
    let packet = parse(segment.as_slice()).expect("a frame right by default");
    group.bench_function("spread-flow", |bencher| {
        bencher.iter(|| Flow::of_outgoing(black_box(&packet)).spread(black_box(7)));
    });
    group.bench_function("spend", |bencher| {
        bencher.iter(|| Budget::default().spend(black_box(Nanos(Nanos::SECOND))));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    // A second of warm-up and two of measurement for each: what is measured takes nanoseconds.
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    targets = engine
}
criterion_main!(benches);
