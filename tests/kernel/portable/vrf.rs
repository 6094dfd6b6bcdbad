//! A guarded interface that belongs to a VRF, where services are found only by sockets of that VRF.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::socket::sockopt;
use scanguard_common::cause::Cause;
use scanguard_harness::{
    Capture, Frame, GUARDED_V4, GUARDED_V6, Host, INTERFACE, Injector, Lab, OUTSIDE_V4, OUTSIDE_V6, Service,
};

use super::feature::Feature;
use super::talk::bulk;
use crate::conversation::Conversation;
use crate::guard::Guard;
use crate::legitimate::Socket;

const VRF: &str = "blue";
const QUIET: Duration = Duration::from_millis(100);
/// How much goes each way over a connection.
const BULK: usize = 100_000;
/// A port where nothing listens.
const CLOSED: u16 = 25;

/// The socket table, as the program asks it, knows nothing of a VRF: closed ports are silenced at the second door.
pub(super) const WHERE: &str = "--closed-ports egress";

#[test]
fn a_service_in_a_vrf() -> Result<()> {
    if Feature::Vrf.is_missing()? {
        return Ok(());
    }
    let lab = Lab::new()?;
    enslave(&lab.guarded)?;
    let guard = Guard::on(&lab.guarded);
    guard.run(&format!("attach {INTERFACE} {WHERE}"))?;
    converse(&lab, |talk| talk())?;
    let counts = guard.counts()?;
    ensure!(counts.dropped() == 0, "legitimate packets were dropped: {counts:?}");
    probes_die(&lab, &guard)
}

/// Connections to the VRF and from it over both families, each talked over as the caller wishes.
pub(super) fn converse(lab: &Lab, talks: impl Fn(&dyn Fn() -> Result<()>) -> Result<()>) -> Result<()> {
    for (guarded_is, outside_is) in addresses() {
        let listener = of_the_vrf(&lab.guarded, guarded_is)?.bound_to((guarded_is, 0))?.listen()?;
        let at = listener.local_addr()?;
        let _service = Service::echo_by(listener);
        talks(&|| bulk(Conversation::open(&lab.outside, at)?, BULK))
            .with_context(|| format!("to {guarded_is}"))?;

        let _service = Service::echo(&lab.outside, 7)?;
        let remote = SocketAddr::from((outside_is, 7));
        talks(&|| bulk(Conversation::over(of_the_vrf(&lab.guarded, outside_is)?.connect(remote)?)?, BULK))
            .with_context(|| format!("to {outside_is}"))?;
    }
    Ok(())
}

/// What is impossible is dropped as it comes in, and the refusal of what is possible does not leave.
fn probes_die(lab: &Lab, guard: &Guard<'_>) -> Result<()> {
    let (injector, capture) = (Injector::on(&lab.outside, INTERFACE)?, Capture::on(&lab.outside, INTERFACE)?);
    for (flags, cause) in [("", Cause::TcpNull), ("FPU", Cause::TcpXmas), ("S", Cause::ResetSilenced)] {
        for (guarded_is, outside_is) in addresses() {
            let before = guard.counts()?;
            injector
                .send(&Frame::between(outside_is, guarded_is).tcp(40_000, CLOSED).flags(flags).build())?;
            let drops = guard.drops_after(&before, 1)?;
            ensure!(drops.keys().eq([&cause]), "{flags:?} to {guarded_is}: {drops:?} instead of {cause:?}");
            let answers = capture.answers_after(QUIET)?;
            ensure!(answers.is_empty(), "{flags:?} to {guarded_is} was answered by {answers:02x?}");
        }
    }
    Ok(())
}

fn addresses() -> [(IpAddr, IpAddr); 2] {
    [(GUARDED_V4.into(), OUTSIDE_V4.into()), (GUARDED_V6.into(), OUTSIDE_V6.into())]
}

/// Gives the interface a VRF, and once more its address, which IPv6 forgets meanwhile.
pub(super) fn enslave(host: &Host) -> Result<()> {
    host.ip(&format!("link add {VRF} type vrf table 10"))?;
    host.ip(&format!("link set {VRF} up"))?;
    host.ip(&format!("link set {INTERFACE} master {VRF}"))?;
    host.ip(&format!("addr replace {GUARDED_V6}/64 dev {INTERFACE} nodad"))?;
    Ok(())
}

fn of_the_vrf(host: &Host, family: IpAddr) -> Result<Socket> {
    Socket::tcp(host, family)?.with(sockopt::BindToDevice, &VRF.into())
}
