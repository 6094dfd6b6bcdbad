//! UDP datagrams.

use super::Ip;
use super::checksum::internet_checksum;

const PROTOCOL: u8 = 17;

/// A UDP datagram, empty until told otherwise.
#[derive(Debug, Clone)]
pub struct Udp {
    ip: Ip,
    source: u16,
    destination: u16,
    payload: Vec<u8>,
    length: Option<u16>,
    checksum: Option<u16>,
}

impl Udp {
    pub(super) fn new(ip: Ip, source: u16, destination: u16) -> Self {
        Self { ip, source, destination, payload: Vec::new(), length: None, checksum: None }
    }

    /// Sets the payload.
    pub fn payload(mut self, bytes: &[u8]) -> Self {
        self.payload = bytes.to_vec();
        self
    }

    /// Claims another length.
    pub fn length(mut self, claimed: u16) -> Self {
        self.length = Some(claimed);
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
        let whole = 8 + self.payload.len();
        let length =
            self.length.unwrap_or_else(|| u16::try_from(whole).expect("a datagram has at most 65535 bytes"));
        let mut datagram = self.source.to_be_bytes().to_vec();
        datagram.extend(self.destination.to_be_bytes());
        datagram.extend(length.to_be_bytes());
        let right = self.right_checksum(&datagram);
        datagram.extend(self.checksum.unwrap_or(right).to_be_bytes());
        datagram.extend(&self.payload);
        self.ip.build(PROTOCOL, &datagram)
    }

    fn right_checksum(&self, header: &[u8]) -> u16 {
        let whole = [header, &[0, 0], &self.payload].concat();
        // Zero says that there is no checksum; a sum of zero is sent as its other form.
        match internet_checksum(self.ip.pseudo_header_sum(PROTOCOL, whole.len()), &whole) {
            0 => u16::MAX,
            checksum => checksum,
        }
    }
}
