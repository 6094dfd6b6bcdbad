//! Ethernet and its VLAN tags.

use crate::{GUARDED_MAC, OUTSIDE_MAC};

/// An Ethernet header with any number of VLAN tags.
#[derive(Debug, Clone)]
pub struct Link {
    source: [u8; 6],
    destination: [u8; 6],
    /// From the outermost: tag protocol and VLAN number.
    tags: Vec<(u16, u16)>,
    ether_type: Option<u16>,
}

impl Default for Link {
    fn default() -> Self {
        Self { source: OUTSIDE_MAC, destination: GUARDED_MAC, tags: Vec::new(), ether_type: None }
    }
}

impl Link {
    /// Sends to another Ethernet address than the guarded host's.
    pub fn to_mac(mut self, destination: [u8; 6]) -> Self {
        self.destination = destination;
        self
    }

    /// Adds an 802.1Q tag inside those already there.
    pub fn vlan(self, number: u16) -> Self {
        self.tag(0x8100, number)
    }

    /// Adds an 802.1ad service tag inside those already there.
    pub fn service_vlan(self, number: u16) -> Self {
        self.tag(0x88a8, number)
    }

    /// Names a protocol, whatever follows.
    pub fn ether_type(mut self, ether_type: u16) -> Self {
        self.ether_type = Some(ether_type);
        self
    }

    /// Returns the frame that carries `payload`.
    pub fn build(&self, payload: &[u8]) -> Vec<u8> {
        self.wrap(0, payload)
    }

    /// Puts the header, with the type of what it carries, before `payload`.
    pub(super) fn wrap(&self, ether_type: u16, payload: &[u8]) -> Vec<u8> {
        let mut frame = [self.destination, self.source].concat();
        for (protocol, number) in &self.tags {
            frame.extend(protocol.to_be_bytes());
            frame.extend(number.to_be_bytes());
        }
        frame.extend(self.ether_type.unwrap_or(ether_type).to_be_bytes());
        frame.extend(payload);
        frame
    }

    fn tag(mut self, protocol: u16, number: u16) -> Self {
        self.tags.push((protocol, number));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Link;

    #[test]
    fn tags_stand_between_the_addresses_and_the_type_from_the_outermost() {
        let frame = Link::default().service_vlan(5).vlan(7).ether_type(0x88b5).build(b"!");
        let expected = [
            [0x02, 0x77, 0x00, 0x00, 0x00, 0x01].as_slice(), // to the guarded host
            &[0x02, 0x77, 0x00, 0x00, 0x00, 0x02],           // from the outside host
            &[0x88, 0xa8, 0x00, 0x05],
            &[0x81, 0x00, 0x00, 0x07],
            &[0x88, 0xb5],
            b"!",
        ];
        assert_eq!(frame, expected.concat());
    }
}
