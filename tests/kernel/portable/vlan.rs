//! VLANs over a guarded interface, with one tag (IEEE 802.1Q) and with two (802.1ad): their services work, and probes
//! of them die.
//!
//! A tag is in the frame, or the card took it off and keeps it apart, where the programs do not see it. The last hop of
//! a cable between two namespaces can do either.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scanguard_common::cause::Cause;
use scanguard_harness::{Capture, Frame, Host, INTERFACE, Injector, Lab, Link};

use super::feature::Feature;
use super::talk::all_ways;
use crate::guard::Guard;

const QUIET: Duration = Duration::from_millis(100);
/// A port where nothing listens.
const CLOSED: u16 = 25;
/// How much goes each way over a connection: full frames, and more than one window of them.
pub(super) const BULK: usize = 100_000;
/// How long one tag is.
const TAG: usize = 4;

/// A VLAN: its interface, the tags that its frames have from the outermost, and its networks' number.
pub(super) struct Vlan {
    interface: &'static str,
    tagged: fn(Link) -> Link,
    number: u8,
}

pub(super) const VLANS: [Vlan; 2] = [
    Vlan { interface: "eth0.10", tagged: |link| link.vlan(10), number: 10 },
    Vlan { interface: "eth0.20.30", tagged: |link| link.service_vlan(20).vlan(30), number: 30 },
];

/// Where the outermost tag of a frame is when it arrives.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tags {
    InTheFrame,
    Apart,
}

#[test]
fn services_of_vlans() -> Result<()> {
    if Feature::Vlan.is_missing()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    for (host, last) in [(&lab.guarded, 1), (&lab.outside, 2)] {
        add_vlans(host, last)?;
    }
    for mode in ["native", "generic"] {
        let guard = Guard::on(&lab.guarded);
        guard.run(&format!("attach {INTERFACE} --mode {mode} --preset off --closed-ports ingress"))?;
        for tags in [Tags::InTheFrame, Tags::Apart] {
            send_tags(&lab.outside, tags)?;
            for vlan in &VLANS {
                let context = || format!("{}, {mode} mode, tags {tags:?}", vlan.interface);
                let before = guard.counts()?;
                all_ways((&lab.guarded, vlan.addresses(1)), (&lab.outside, vlan.addresses(2)), BULK)
                    .with_context(context)?;
                let drops = guard.counts()?.drops_since(&before);
                ensure!(drops.is_empty(), "{}: legitimate packets were dropped: {drops:?}", context());
                probes_die(&lab, &guard, vlan, tags).with_context(context)?;
            }
        }
        guard.run(&format!("detach {INTERFACE}"))?;
    }
    Ok(())
}

impl Vlan {
    /// The addresses of a host.
    pub(super) fn addresses(&self, last: u8) -> [IpAddr; 2] {
        let number = u16::from(self.number);
        [
            Ipv4Addr::new(10, 88, self.number, last).into(),
            Ipv6Addr::new(0xfd88, number, 0, 0, 0, 0, 0, last.into()).into(),
        ]
    }
}

/// Two VLANs side by side, the second within a service VLAN.
pub(super) fn add_vlans(host: &Host, last: u8) -> Result<()> {
    host.ip(&format!("link add link {INTERFACE} name eth0.10 type vlan id 10"))?;
    host.ip(&format!("link add link {INTERFACE} name eth0.20 type vlan protocol 802.1ad id 20"))?;
    // A cable has room for one tag on top of its MTU.
    host.ip("link set eth0.20 mtu 1496")?;
    host.ip("link add link eth0.20 name eth0.20.30 type vlan id 30")?;
    for interface in ["eth0.10", "eth0.20", "eth0.20.30"] {
        host.ip(&format!("link set {interface} up"))?;
    }
    for vlan in &VLANS {
        let [v4, v6] = vlan.addresses(last);
        host.ip(&format!("addr add {v4}/24 dev {}", vlan.interface))?;
        host.ip(&format!("addr add {v6}/64 dev {} nodad", vlan.interface))?;
    }
    Ok(())
}

/// Makes a host put the tags into the frames that it sends, or leave them to its card.
fn send_tags(host: &Host, tags: Tags) -> Result<()> {
    let switch = match tags {
        Tags::InTheFrame => "off",
        Tags::Apart => "on",
    };
    host.run("ethtool", ["-K", INTERFACE, "txvlan", switch, "tx-vlan-stag-hw-insert", switch])?;
    Ok(())
}

/// Probes of a closed port by TCP and UDP over both families: each is dropped, or its refusal is, and none is answered.
fn probes_die(lab: &Lab, guard: &Guard<'_>, vlan: &Vlan, tags: Tags) -> Result<()> {
    let capture = Capture::on(&lab.outside, vlan.interface)?;
    // Frames with their tags go on the cable as they are. To others the kernel adds the tags as it is told, and the
    // programs see all but the outermost.
    let tagged = (vlan.tagged)(Link::default());
    let (injector, link, added) = match tags {
        Tags::InTheFrame => (Injector::on(&lab.outside, INTERFACE)?, tagged, 0),
        Tags::Apart => {
            let tags = tagged.build(&[]).len() - Link::default().build(&[]).len();
            (Injector::on(&lab.outside, vlan.interface)?, Link::default(), tags - TAG)
        }
    };
    let before = guard.counts()?;
    let (mut probes, mut refusals, mut bytes) = (0, 0, 0);
    for (source, destination) in vlan.addresses(2).into_iter().zip(vlan.addresses(1)) {
        let packet = Frame::between(source, destination).link(link.clone());
        for flags in ["", "F", "FPU", "S"] {
            let frame = packet.clone().tcp(40_000, CLOSED).flags(flags).build();
            injector.send(&frame)?;
            probes += 1;
            bytes += frame.len() + added;
        }
        injector.send(&packet.udp(40_000, CLOSED).payload(b"?").build())?;
        refusals += 1;
    }
    let mut drops = guard.drops_after(&before, probes + refusals)?;
    let (silenced, _) = drops.remove(&Cause::UnreachableSilenced).unwrap_or_default();
    ensure!(silenced == refusals, "{silenced} refusals of {refusals} were silenced, besides {drops:?}");
    let dropped = drops.values().fold((0, 0), |(packets, bytes), (p, b)| (packets + p, bytes + b));
    ensure!(
        dropped == (probes, bytes as u64),
        "{dropped:?} was dropped and not {:?}: {drops:?}",
        (probes, bytes)
    );
    let answers = capture.answers_after(QUIET)?;
    ensure!(answers.is_empty(), "the guarded host answered {answers:02x?}");
    Ok(())
}
