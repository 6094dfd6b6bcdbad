//! What an interface's driver says of itself: its name, its MTU, and whether it runs XDP programs.

use std::fs;
use std::path::Path;

use rtnetlink::sys::{Socket, SocketAddr};

use crate::netlink;

/// The netlink protocol of generic netlink (`NETLINK_GENERIC`).
const GENERIC: isize = 16;
/// The family that knows all families (`GENL_ID_CTRL`), its request (`CTRL_CMD_GETFAMILY`) and its attributes.
const CONTROL: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
/// The request of the family `netdev` about one device (Linux 6.3), and its attributes:
/// `include/uapi/linux/netdev.h`.
const DEVICE_GET: u8 = 1;
const DEVICE_INDEX: u16 = 1;
const XDP_FEATURES: u16 = 3;
/// `NETDEV_XDP_ACT_BASIC`: the verdicts that we use.
const BASIC: u64 = 1;
/// `NETDEV_XDP_ACT_RX_SG`: frames in several pieces.
const PIECES: u64 = 1 << 5;

/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// Lengths of `struct nlmsghdr`, of `struct genlmsghdr` and of `struct nlattr`.
const MESSAGE_HEADER: usize = 16;
const GENERIC_HEADER: usize = 4;
const ATTRIBUTE_HEADER: usize = 4;

/// Whether the driver runs XDP programs itself; `None` where the kernel does not tell.
pub(crate) fn runs_xdp(index: u32) -> Option<bool> {
    Some(features(index)? & BASIC != 0)
}

/// Whether it shows them frames that lie in several pieces; `None` where the kernel does not tell.
pub(crate) fn runs_xdp_on_pieces(index: u32) -> Option<bool> {
    Some(features(index)? & PIECES != 0)
}

fn features(index: u32) -> Option<u64> {
    let socket = netlink::socket(GENERIC).ok()?;
    socket.connect(&SocketAddr::new(0, 0)).ok()?;
    let family = ask(&socket, (CONTROL, GET_FAMILY), FAMILY_NAME, b"netdev\0")?;
    let family = u16::from_ne_bytes(attribute(&family, FAMILY_ID)?.try_into().ok()?);
    let device = ask(&socket, (family, DEVICE_GET), DEVICE_INDEX, &index.to_ne_bytes())?;
    Some(u64::from_ne_bytes(attribute(&device, XDP_FEATURES)?.try_into().ok()?))
}

/// The driver's name, where a device is behind the interface.
pub(crate) fn name(interface: &str) -> Option<String> {
    let driver = Path::new("/sys/class/net").join(interface).join("device/driver");
    Some(fs::read_link(driver).ok()?.file_name()?.to_string_lossy().into_owned())
}

/// How long a packet can be.
pub(crate) fn mtu(interface: &str) -> Option<u32> {
    fs::read_to_string(Path::new("/sys/class/net").join(interface).join("mtu")).ok()?.trim().parse().ok()
}

/// Asks one question with one attribute, and returns the answer's message; `None` where it is an error.
fn ask(socket: &Socket, (family, command): (u16, u8), kind: u16, value: &[u8]) -> Option<Vec<u8>> {
    socket.send(&question(family, command, kind, value)?, 0).ok()?;
    let (answer, _) = socket.recv_from_full().ok()?;
    let answered_by = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    (answered_by == family).then_some(answer)
}

fn question(family: u16, command: u8, kind: u16, value: &[u8]) -> Option<Vec<u8>> {
    let attribute = ATTRIBUTE_HEADER + value.len();
    let length = MESSAGE_HEADER + GENERIC_HEADER + attribute.next_multiple_of(4);
    let mut message = Vec::with_capacity(length);
    message.extend(u32::try_from(length).ok()?.to_ne_bytes());
    message.extend(family.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    message.extend([0; 8]); // sequence and port, which nobody needs to match one answer to one question
    message.extend([command, 1, 0, 0]);
    message.extend(u16::try_from(attribute).ok()?.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(length, 0);
    Some(message)
}

/// The value of the first attribute of this kind.
fn attribute(message: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = message.get(MESSAGE_HEADER + GENERIC_HEADER..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
        let value = rest.get(ATTRIBUTE_HEADER..length)?;
        if kind == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_within_their_bounds() {
        let asked = question(1, 2, FAMILY_NAME, b"netdev\0").expect("short");
        assert_eq!(asked.len(), 32);
        assert_eq!(attribute(&asked, FAMILY_NAME), Some(&b"netdev\0"[..]));
        assert_eq!(attribute(&asked, FAMILY_ID), None);
        for length in 0..27 {
            assert_eq!(attribute(&asked[..length], FAMILY_NAME), None, "{length}");
        }
        let mut endless = asked.clone();
        endless[20..22].copy_from_slice(&0u16.to_ne_bytes());
        assert_eq!(attribute(&endless, FAMILY_ID), None);
    }

    #[test]
    fn loopback_has_an_mtu_and_no_driver() {
        assert!(mtu("lo").is_some_and(|mtu| mtu >= 1_280));
        assert_eq!(name("lo"), None);
        assert_ne!(runs_xdp(1), Some(true));
        assert_ne!(runs_xdp_on_pieces(1), Some(true));
    }
}
