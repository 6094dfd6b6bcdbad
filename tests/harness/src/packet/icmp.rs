//! ICMP and ICMPv6 messages.

use super::Ip;
use super::checksum::internet_checksum;

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// An ICMP or ICMPv6 message, with four zeros after its checksum and no payload until told otherwise.
#[derive(Debug, Clone)]
pub struct Icmp {
    ip: Ip,
    protocol: u8,
    kind: u8,
    code: u8,
    rest_of_header: [u8; 4],
    payload: Vec<u8>,
    checksum: Option<u16>,
}

impl Icmp {
    pub(super) fn v4(ip: Ip, kind: u8, code: u8) -> Self {
        Self::new(ip, ICMP, kind, code)
    }

    pub(super) fn v6(ip: Ip, kind: u8, code: u8) -> Self {
        Self::new(ip, ICMPV6, kind, code)
    }

    fn new(ip: Ip, protocol: u8, kind: u8, code: u8) -> Self {
        Self { ip, protocol, kind, code, rest_of_header: [0; 4], payload: Vec::new(), checksum: None }
    }

    /// Sets the four bytes after the checksum; their meaning depends on the type.
    pub fn rest_of_header(mut self, bytes: [u8; 4]) -> Self {
        self.rest_of_header = bytes;
        self
    }

    /// Sets what follows the header, for an error the packet it is about.
    pub fn payload(mut self, bytes: &[u8]) -> Self {
        self.payload = bytes.to_vec();
        self
    }

    /// Claims another checksum.
    pub fn checksum(mut self, claimed: u16) -> Self {
        self.checksum = Some(claimed);
        self
    }

    /// Returns the whole frame.
    ///
    /// # Panics
    ///
    /// Panics when the packet is longer than IP allows.
    pub fn build(&self) -> Vec<u8> {
        let rest = [self.rest_of_header.as_slice(), &self.payload].concat();
        let whole = [[self.kind, self.code, 0, 0].as_slice(), &rest].concat();
        // ICMPv6 checks the addresses too, ICMP does not.
        let start = if self.protocol == ICMPV6 { self.ip.pseudo_header_sum(ICMPV6, whole.len()) } else { 0 };
        let checksum = self.checksum.unwrap_or_else(|| internet_checksum(start, &whole));
        let mut message = vec![self.kind, self.code];
        message.extend(checksum.to_be_bytes());
        message.extend(rest);
        self.ip.build(self.protocol, &message)
    }
}
