//! SCTP packets.

use super::Ip;
use super::checksum::crc32c;

const PROTOCOL: u8 = 132;

/// An SCTP packet, without chunks until told otherwise.
#[derive(Debug, Clone)]
pub struct Sctp {
    ip: Ip,
    source: u16,
    destination: u16,
    tag: u32,
    chunks: Vec<u8>,
}

impl Sctp {
    pub(super) fn new(ip: Ip, source: u16, destination: u16) -> Self {
        Self { ip, source, destination, tag: 0, chunks: Vec::new() }
    }

    /// Sets the verification tag.
    pub fn tag(mut self, tag: u32) -> Self {
        self.tag = tag;
        self
    }

    /// Adds a chunk that begins with its type and flags, padded with zeros to whole words.
    ///
    /// # Panics
    ///
    /// Panics when the value is longer than a chunk may be.
    pub fn chunk(mut self, kind: u8, flags: u8, value: &[u8]) -> Self {
        let length = u16::try_from(4 + value.len()).expect("a chunk has at most 65535 bytes");
        self.chunks.extend([kind, flags]);
        self.chunks.extend(length.to_be_bytes());
        self.chunks.extend(value);
        self.chunks.resize(self.chunks.len().next_multiple_of(4), 0);
        self
    }

    /// Returns the whole frame.
    ///
    /// # Panics
    ///
    /// Panics when the packet is longer than IP allows.
    pub fn build(&self) -> Vec<u8> {
        let mut header = self.source.to_be_bytes().to_vec();
        header.extend(self.destination.to_be_bytes());
        header.extend(self.tag.to_be_bytes());
        let checksum = crc32c(&[header.as_slice(), &[0; 4], &self.chunks].concat());
        self.ip.build(PROTOCOL, &[header.as_slice(), &checksum, &self.chunks].concat())
    }
}
