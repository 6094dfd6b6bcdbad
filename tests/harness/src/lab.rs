//! Two hosts and the cable between them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::Host;
use crate::offload::turn_offloads_off;

/// The interface at either end of the cable.
pub const INTERFACE: &str = "eth0";
/// The guarded host's IPv4 address.
pub const GUARDED_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The outside host's IPv4 address.
pub const OUTSIDE_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// The guarded host's IPv6 address.
pub const GUARDED_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1);
/// The outside host's IPv6 address.
pub const OUTSIDE_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2);
/// The Ethernet address of the guarded host's interface.
pub const GUARDED_MAC: [u8; 6] = [0x02, 0x77, 0, 0, 0, 1];
/// The Ethernet address of the outside host's interface.
pub const OUTSIDE_MAC: [u8; 6] = [0x02, 0x77, 0, 0, 0, 2];

/// How long a fresh cable may take to carry packets.
const LINK_LIMIT: Duration = Duration::from_secs(10);

/// A guarded host and one outside it, joined by a cable; everything is gone on drop.
///
/// Packets on the cable are as they would be on a real one: no larger than the MTU, checksums filled in, in order.
#[derive(Debug)]
pub struct Lab {
    /// The host that scanguard protects.
    pub guarded: Host,
    /// The host that scans come from.
    pub outside: Host,
}

impl Lab {
    /// Builds the lab and returns when packets of both families pass in both directions.
    ///
    /// # Errors
    ///
    /// Fails without root's privileges and without iproute2.
    pub fn new() -> Result<Self> {
        // One queue each way keeps the packets in order.
        Self::with_queues(1)
    }

    /// Does the same, but with so many queues each way: several processors send and receive at the same time.
    ///
    /// # Errors
    ///
    /// Fails as [`new`](Self::new) does.
    pub fn with_queues(queues: u32) -> Result<Self> {
        let lab = Self { guarded: Host::new("guarded")?, outside: Host::new("outside")? };
        lab.join(queues).context("joining the hosts of the lab")?;
        lab.set_up(&lab.guarded, GUARDED_V4, GUARDED_V6)?;
        lab.set_up(&lab.outside, OUTSIDE_V4, OUTSIDE_V6)?;
        await_delivery(&lab.outside, &lab.guarded, GUARDED_V4.into())?;
        await_delivery(&lab.guarded, &lab.outside, OUTSIDE_V4.into())?;
        await_delivery(&lab.outside, &lab.guarded, GUARDED_V6.into())?;
        await_delivery(&lab.guarded, &lab.outside, OUTSIDE_V6.into())?;
        Ok(lab)
    }

    /// Gives the outside host one more address of the lab's networks, so that packets come from several sources.
    ///
    /// # Errors
    ///
    /// Fails when the address is already there.
    pub fn add_source(&self, address: IpAddr) -> Result<()> {
        add_address(&self.outside, address)
    }

    fn join(&self, queues: u32) -> Result<()> {
        self.guarded.ip(&format!(
            "link add {INTERFACE} numtxqueues {queues} numrxqueues {queues} address {} type veth \
             peer name {INTERFACE} numtxqueues {queues} numrxqueues {queues} address {} netns {}",
            written(GUARDED_MAC),
            written(OUTSIDE_MAC),
            self.outside.network_path(),
        ))?;
        Ok(())
    }

    fn set_up(&self, host: &Host, v4: Ipv4Addr, v6: Ipv6Addr) -> Result<()> {
        host.within(stop_forwarding)?;
        host.within(quieten_ipv6)?;
        host.within(|| turn_offloads_off(INTERFACE))?;
        host.ip(&format!("link set {INTERFACE} up"))?;
        add_address(host, v4.into())?;
        add_address(host, v6.into())
    }
}

/// A new network namespace forwards IPv4 where the machine that it is made on does.
fn stop_forwarding() -> Result<()> {
    const SETTING: &str = "/proc/sys/net/ipv4/ip_forward";
    std::fs::write(SETTING, "0").with_context(|| format!("writing 0 to {SETTING}"))
}

/// Keeps the hosts from looking for duplicates of their addresses, which takes a second, and for routers.
fn quieten_ipv6() -> Result<()> {
    for (setting, value) in [("accept_dad", "0"), ("accept_ra", "0"), ("router_solicitations", "0")] {
        let path = format!("/proc/sys/net/ipv6/conf/{INTERFACE}/{setting}");
        std::fs::write(&path, value).with_context(|| format!("writing {value} to {path}"))?;
    }
    Ok(())
}

fn add_address(host: &Host, address: IpAddr) -> Result<()> {
    // Without `nodad` an IPv6 address is unusable for a second or two.
    let (length, how) = if address.is_ipv4() { (24, "") } else { (64, "nodad") };
    host.ip(&format!("addr add {address}/{length} dev {INTERFACE} {how}"))?;
    Ok(())
}

/// Sends datagrams until one arrives.
fn await_delivery(from: &Host, to: &Host, address: IpAddr) -> Result<()> {
    let receiver =
        to.within(|| UdpSocket::bind((address, 0))).context("opening a socket to test the cable")?;
    receiver.set_read_timeout(Some(Duration::from_millis(20)))?;
    let target = receiver.local_addr()?;
    let any: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let sender = from.within(|| UdpSocket::bind((any, 0))).context("opening a socket to test the cable")?;
    let deadline = Instant::now() + LINK_LIMIT;
    while Instant::now() < deadline {
        // "Network unreachable" is what a cable that is not up yet answers.
        let _ = sender.send_to(b"?", target);
        if receiver.recv(&mut [0; 1]).is_ok() {
            return Ok(());
        }
    }
    bail!("no packet from {} reached {address} on {} within {LINK_LIMIT:?}", from.name(), to.name())
}

fn written(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
