//! Ethernet II and VLAN tags (IEEE 802.3 §3.2, 802.1Q §9.6).

use crate::cause::Cause;
use crate::frame::Frame;

/// A 48-bit link-layer address, in the order of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// Whether this is a multicast or the broadcast address: the I/G bit (IEEE 802 §8.2).
    pub fn is_group(self) -> bool {
        let MacAddress([first, ..]) = self;
        first & 1 != 0
    }
}

/// For which station a frame is. Not part of `Link`, because it is asked only where a drop is near.
pub fn destination<F: Frame + ?Sized>(frame: &F) -> Option<MacAddress> {
    frame.read(0).map(MacAddress)
}

/// What follows a link-layer header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtherType(u16);

impl EtherType {
    /// IPv4 (RFC 894).
    pub const IPV4: EtherType = EtherType(0x0800);
    /// ARP (RFC 826).
    pub const ARP: EtherType = EtherType(0x0806);
    /// IPv6 (RFC 2464).
    pub const IPV6: EtherType = EtherType(0x86dd);
    /// A customer VLAN tag (IEEE 802.1Q).
    pub const C_TAG: EtherType = EtherType(0x8100);
    /// A service VLAN tag (IEEE 802.1ad).
    pub const S_TAG: EtherType = EtherType(0x88a8);

    /// The type in these two bytes of a frame.
    pub(crate) fn from_wire(bytes: [u8; 2]) -> EtherType {
        EtherType(u16::from_be_bytes(bytes))
    }

    fn is_tag(self) -> bool {
        self == EtherType::C_TAG || self == EtherType::S_TAG
    }
}

/// The link-layer header of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// What follows, behind all tags.
    pub(super) ether_type: EtherType,
    /// Where that begins: bytes from the start of the frame.
    pub(super) end: usize,
}

const ETHERNET_LENGTH: usize = 14;
const TAG_LENGTH: usize = 4;

/// Parses the Ethernet header and at most two VLAN tags.
pub(super) fn parse<F: Frame + ?Sized>(frame: &F) -> Result<Link, Cause> {
    let mut ether_type = EtherType::from_wire(frame.read(12).ok_or(Cause::TruncatedLink)?);
    let mut end = ETHERNET_LENGTH;
    if ether_type.is_tag() {
        ether_type = inside_tag(frame, end)?;
        end += TAG_LENGTH;
        if ether_type.is_tag() {
            ether_type = inside_tag(frame, end)?;
            end += TAG_LENGTH;
            if ether_type.is_tag() {
                return Err(Cause::TooManyTags);
            }
        }
    }
    Ok(Link { ether_type, end })
}

/// The type inside the tag whose control information begins at `offset`.
fn inside_tag<F: Frame + ?Sized>(frame: &F, offset: usize) -> Result<EtherType, Cause> {
    Ok(EtherType::from_wire(frame.read(offset + 2).ok_or(Cause::TruncatedLink)?))
}
