//! Crafted packets are what they claim to be: the kernel, which checks every checksum and length, takes them. Needs root.

use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_harness::{
    Capture, Extension, Frame, GUARDED_MAC, GUARDED_V4, GUARDED_V6, INTERFACE, Injector, Ip, Lab, Link,
    OUTSIDE_MAC, OUTSIDE_V4, OUTSIDE_V6, Service,
};

const LIMIT: Duration = Duration::from_secs(2);
const SILENCE: Duration = Duration::from_millis(200);

fn families() -> [(&'static str, Ip); 2] {
    [("IPv4", Frame::ipv4(OUTSIDE_V4, GUARDED_V4)), ("IPv6", Frame::ipv6(OUTSIDE_V6, GUARDED_V6))]
}

#[test]
fn an_open_port_answers_a_syn_and_not_one_with_a_wrong_checksum() -> Result<()> {
    let lab = Lab::new()?;
    let _service = Service::echo(&lab.guarded, 80)?;
    let wire = Wire::of(&lab)?;
    let maximum_segment_size = [2, 4, 5, 0xb4];
    for (family, ip) in families() {
        let syn = ip.clone().tcp(40_000, 80).flags("S").options(&maximum_segment_size);
        ensure!(wire.answers(&syn.build(), is_tcp(0x12))?, "{family}: no SYN/ACK");
        let wrong = ip.clone().tcp(40_001, 80).flags("S").checksum(0xbad0);
        ensure!(!wire.answers(&wrong.build(), is_tcp(0x12))?, "{family}: an answer to a wrong checksum");
        let odd_payload = ip.tcp(40_002, 81).flags("SPN").reserved(7).payload(b"odd");
        ensure!(wire.answers(&odd_payload.build(), is_tcp(0x14))?, "{family}: no RST from a closed port");
    }
    Ok(())
}

#[test]
fn a_socket_receives_a_datagram_and_not_one_that_lies() -> Result<()> {
    let lab = Lab::new()?;
    let wire = Wire::of(&lab)?;
    let socket = lab.guarded.within(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 5353)))?;
    socket.set_read_timeout(Some(SILENCE))?;
    for (family, ip) in families() {
        let mut buffer = [0; 16];
        let datagram = ip.udp(40_000, 5353).payload(b"three");
        wire.injector.send(&datagram.build())?;
        ensure!(
            socket.recv(&mut buffer).context(family)? == 5 && buffer.starts_with(b"three"),
            "{family}: wrong bytes"
        );
        wire.injector.send(&datagram.clone().length(200).build())?;
        ensure!(socket.recv(&mut buffer).is_err(), "{family}: a datagram longer than its packet arrived");
        wire.injector.send(&datagram.checksum(1).build())?;
        ensure!(socket.recv(&mut buffer).is_err(), "{family}: a datagram with a wrong checksum arrived");
    }
    Ok(())
}

#[test]
fn echo_requests_are_answered_through_options_and_extension_headers() -> Result<()> {
    let lab = Lab::new()?;
    let wire = Wire::of(&lab)?;
    let [(_, v4), (_, v6)] = families();
    let echo = |ip: Ip| ip.icmp(8, 0).rest_of_header([0, 7, 0, 1]).payload(b"ping!").build();
    let v4_variants = [
        ("plain", v4.clone()),
        ("with options", v4.clone().options(&[1, 1, 1])),
        ("with another tail", v4.clone().identification(7).ttl(3).traffic_class(8)),
    ];
    for (variant, ip) in v4_variants {
        ensure!(wire.answers(&echo(ip), is_icmp(0))?, "no answer to an ICMP echo request {variant}");
    }
    let lies = [
        ("a wrong header checksum", v4.clone().checksum(1)),
        ("version 5", v4.clone().version(5)),
        ("a short header", v4.clone().header_words(4)),
        ("a length beyond the frame", v4.clone().length(999)),
        ("a fragment's offset", v4.fragment(1, false)),
    ];
    for (lie, ip) in lies {
        ensure!(!wire.answers(&echo(ip), is_icmp(0))?, "an answer in spite of {lie}");
    }

    let echo = |ip: Ip| ip.icmpv6(128, 0).rest_of_header([0, 7, 0, 1]).payload(b"ping!").build();
    let v6_variants = [
        ("plain", v6.clone()),
        ("with hop-by-hop options", v6.clone().extension(Extension::hop_by_hop())),
        ("with destination options", v6.clone().extension(Extension::destination())),
        ("with a routing header", v6.clone().extension(Extension::routing())),
        ("in a whole fragment", v6.clone().fragment(0, false)),
        (
            "with all of them",
            v6.clone()
                .extension(Extension::hop_by_hop())
                .extension(Extension::routing())
                .extension(Extension::fragment(0, false, 9))
                .extension(Extension::destination()),
        ),
    ];
    for (variant, ip) in v6_variants {
        ensure!(wire.answers(&echo(ip), is_icmpv6(129))?, "no answer to an ICMPv6 echo request {variant}");
    }
    let too_long = v6.extension(Extension::destination().length(9));
    ensure!(
        !wire.answers(&echo(too_long), is_icmpv6(129))?,
        "an answer in spite of a lying extension length"
    );
    Ok(())
}

#[test]
fn a_built_frame_is_what_a_real_stack_sends() -> Result<()> {
    let lab = Lab::new()?;
    let capture = Capture::on(&lab.guarded, INTERFACE)?;
    let socket = lab.outside.within(|| UdpSocket::bind((OUTSIDE_V4, 40_000)))?;
    socket.send_to(b"odd", (GUARDED_V4, 9))?;
    let built = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).udp(40_000, 9).payload(b"odd");
    let seen = capture.wait_for(LIMIT, is_ip_protocol(17))?.context("the datagram did not arrive")?;
    // The stack numbers its packets; everything else must be the same.
    let identification = seen.get(18..20).and_then(|bytes| bytes.try_into().ok()).map(u16::from_be_bytes);
    let ip = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).identification(identification.context("a short frame")?);
    assert_eq!(seen, ip.udp(40_000, 9).payload(b"odd").build());
    ensure!(built.build().len() == seen.len(), "the identification changed the length");
    Ok(())
}

#[test]
fn frames_for_another_host_get_no_answer() -> Result<()> {
    let lab = Lab::new()?;
    let wire = Wire::of(&lab)?;
    let elsewhere = Link::default().to_mac([0x02, 0x77, 0, 0, 0, 9]);
    let syn = Frame::between(IpAddr::from(OUTSIDE_V4), IpAddr::from(GUARDED_V4))
        .link(elsewhere)
        .tcp(1, 2)
        .flags("S");
    wire.injector.send(&syn.build())?;
    let frames = wire.answers.answers_after(SILENCE)?;
    ensure!(frames.is_empty(), "an answer to a frame for another MAC address: {frames:02x?}");
    Ok(())
}

#[test]
fn a_hundred_thousand_frames_all_arrive_in_order() -> Result<()> {
    let lab = Lab::new()?;
    let (injector, capture) = (Injector::on(&lab.outside, INTERFACE)?, Capture::on(&lab.guarded, INTERFACE)?);
    // A type nobody uses, so that no protocol spends time on it.
    let frames = (0..100_000_u32).map(|number| Frame::ethernet(0x88b5).build(&number.to_be_bytes()));
    let sent: Vec<_> = frames.collect();
    for frame in &sent {
        injector.send(frame)?;
    }
    let seen = capture.frames_after(SILENCE)?;
    let seen: Vec<_> = seen.into_iter().filter(|frame| frame.get(12..14) == Some(&[0x88, 0xb5])).collect();
    ensure!(seen.len() == sent.len(), "{} of {} frames arrived", seen.len(), sent.len());
    ensure!(seen == sent, "frames arrived in another order or changed");
    Ok(())
}

/// The outside end of the cable: what to send there, and what comes back.
struct Wire {
    injector: Injector,
    answers: Capture,
}

impl Wire {
    fn of(lab: &Lab) -> Result<Self> {
        Ok(Self {
            injector: Injector::on(&lab.outside, INTERFACE)?,
            answers: Capture::on(&lab.outside, INTERFACE)?,
        })
    }

    fn answers(&self, frame: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Result<bool> {
        self.injector.send(frame)?;
        let from_guarded = |frame: &[u8]| {
            frame.starts_with(&OUTSIDE_MAC)
                && frame.get(6..12) == Some(GUARDED_MAC.as_slice())
                && wanted(frame)
        };
        Ok(self.answers.wait_for(SILENCE, from_guarded)?.is_some())
    }
}

/// Recognises a TCP segment with exactly these flags in either family, without IP options.
fn is_tcp(flags: u8) -> impl Fn(&[u8]) -> bool {
    move |frame| {
        is_ip_protocol(6)(frame) && transport(frame).and_then(|segment| segment.get(13)) == Some(&flags)
    }
}

fn is_icmp(kind: u8) -> impl Fn(&[u8]) -> bool {
    move |frame| {
        // The answer repeats the options of the question.
        let options = frame.get(14).map_or(0, |first| usize::from(first & 0x0f).saturating_sub(5) * 4);
        is_ip_protocol(1)(frame) && transport(frame).and_then(|message| message.get(options)) == Some(&kind)
    }
}

fn is_icmpv6(kind: u8) -> impl Fn(&[u8]) -> bool {
    move |frame| is_ip_protocol(58)(frame) && transport(frame).and_then(<[u8]>::first) == Some(&kind)
}

fn is_ip_protocol(protocol: u8) -> impl Fn(&[u8]) -> bool {
    move |frame| {
        let position = if is_v4(frame) { 23 } else { 20 };
        frame.get(position) == Some(&protocol)
    }
}

fn transport(frame: &[u8]) -> Option<&[u8]> {
    frame.get(if is_v4(frame) { 34 } else { 54 }..)
}

fn is_v4(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[0x08, 0x00])
}
