//! What a network card would do later, done before a packet is on the cable.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::libc;

/// The commands of `linux/ethtool.h`. Without them a frame leaves with its checksum still to be filled in, and as long
/// as a whole send; a count of packets would then depend on timing.
const SWITCHES: [(&str, u32); 4] = [
    ("transmit checksums", 0x17),      // ETHTOOL_STXCSUM
    ("TCP segmentation", 0x1f),        // ETHTOOL_STSO
    ("generic segmentation", 0x24),    // ETHTOOL_SGSO
    ("generic receive merging", 0x2c), // ETHTOOL_SGRO
];

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// Makes an interface of the calling thread's network namespace send complete packets and receive them unmerged.
pub(crate) fn turn_offloads_off(interface: &str) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").context("opening a socket for ethtool requests")?;
    for (name, command) in SWITCHES {
        request(&socket, interface, EthtoolValue { command, data: 0 })
            .with_context(|| format!("turning off {name} of {interface}"))?;
    }
    Ok(())
}

fn request(socket: &UdpSocket, interface: &str, mut value: EthtoolValue) -> Result<()> {
    ensure!(interface.len() < libc::IFNAMSIZ, "{interface}: an interface name has at most 15 characters");
    let mut name = [0; libc::IFNAMSIZ];
    for (place, byte) in name.iter_mut().zip(interface.bytes()) {
        *place = byte.cast_signed();
    }
    let data = (&raw mut value).cast();
    let mut request =
        libc::ifreq { ifr_name: name, ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_data: data } };
    // SAFETY: SIOCETHTOOL reads the name and the `ethtool_value` that `ifru_data` points to; both live on this stack.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    Errno::result(result)?;
    Ok(())
}
