//! TCP segments.

use super::Ip;
use super::checksum::internet_checksum;

const PROTOCOL: u8 = 6;

/// A TCP segment: no flags, an ordinary window, no options, no payload, until told otherwise.
#[derive(Debug, Clone)]
pub struct Tcp {
    ip: Ip,
    source: u16,
    destination: u16,
    seq: u32,
    ack: u32,
    flags: u16,
    window: u16,
    urgent: u16,
    options: Vec<u8>,
    payload: Vec<u8>,
    reserved: u8,
    data_offset: Option<u8>,
    checksum: Option<u16>,
}

impl Tcp {
    pub(super) fn new(ip: Ip, source: u16, destination: u16) -> Self {
        Self {
            ip,
            source,
            destination,
            // Another one for other ports, as stacks choose it (RFC 6528), and none that a scanner is known for.
            seq: (u32::from(source) << 16 | u32::from(destination)).wrapping_mul(0x9e37_79b1) ^ 0x5eed_1234,
            ack: 0,
            flags: 0,
            window: 64_240,
            urgent: 0,
            options: Vec::new(),
            payload: Vec::new(),
            reserved: 0,
            data_offset: None,
            checksum: None,
        }
    }

    /// Sets exactly these flags: F(IN), S(YN), R(ST), P(SH), A(CK), U(RG), E(CE), C(WR), N for the ninth, AE.
    ///
    /// # Panics
    ///
    /// Panics at any other letter.
    pub fn flags(self, letters: &str) -> Self {
        let bits = letters.chars().map(|letter| {
            let position =
                "FSRPAUECN".find(letter).unwrap_or_else(|| panic!("no TCP flag is called {letter:?}"));
            1_u16 << position
        });
        let bits = bits.fold(0, std::ops::BitOr::bitor);
        self.flag_bits(bits)
    }

    /// Sets the nine flags as a number from 0 to 511: FIN is 1, CWR 128, AE 256.
    pub fn flag_bits(mut self, bits: u16) -> Self {
        self.flags = bits & 0x1ff;
        self
    }

    /// Sets the three bits that are still reserved, as a number from 0 to 7.
    pub fn reserved(mut self, bits: u8) -> Self {
        self.reserved = bits & 0x07;
        self
    }

    /// Sets the sequence number.
    pub fn seq(mut self, number: u32) -> Self {
        self.seq = number;
        self
    }

    /// Sets the acknowledgement number, but not the flag.
    pub fn ack(mut self, number: u32) -> Self {
        self.ack = number;
        self
    }

    /// Sets the window.
    pub fn window(mut self, bytes: u16) -> Self {
        self.window = bytes;
        self
    }

    /// Sets the urgent pointer, but not the flag.
    pub fn urgent(mut self, pointer: u16) -> Self {
        self.urgent = pointer;
        self
    }

    /// Sets the options, padded with zeros to whole words.
    pub fn options(mut self, bytes: &[u8]) -> Self {
        self.options = bytes.to_vec();
        self.options.resize(bytes.len().next_multiple_of(4), 0);
        self
    }

    /// Sets the options that today's Linux writes into a SYN.
    pub fn linux_options(self) -> Self {
        const MSS_SACK_TIMESTAMPS_SCALE: [u8; 20] =
            [2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0x5e, 0xed, 0x12, 0x34, 0, 0, 0, 0, 1, 3, 3, 7];
        self.options(&MSS_SACK_TIMESTAMPS_SCALE)
    }

    /// Sets the payload.
    pub fn payload(mut self, bytes: &[u8]) -> Self {
        self.payload = bytes.to_vec();
        self
    }

    /// Claims another header length, in words of four bytes; only the low four bits count.
    pub fn data_offset(mut self, claimed: u8) -> Self {
        self.data_offset = Some(claimed & 0x0f);
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
    /// Panics when there are more than 40 bytes of options or the packet is longer than IP allows.
    pub fn build(&self) -> Vec<u8> {
        let mut segment = self.source.to_be_bytes().to_vec();
        segment.extend(self.destination.to_be_bytes());
        segment.extend(self.seq.to_be_bytes());
        segment.extend(self.ack.to_be_bytes());
        let [accurate_ecn, flags] = self.flags.to_be_bytes();
        segment.extend([self.words() << 4 | self.reserved << 1 | accurate_ecn, flags]);
        segment.extend(self.window.to_be_bytes());
        let rest = [self.urgent.to_be_bytes().as_slice(), &self.options, &self.payload].concat();
        let whole = [segment.as_slice(), &[0, 0], &rest].concat();
        let right = internet_checksum(self.ip.pseudo_header_sum(PROTOCOL, whole.len()), &whole);
        segment.extend(self.checksum.unwrap_or(right).to_be_bytes());
        segment.extend(rest);
        self.ip.build(PROTOCOL, &segment)
    }

    fn words(&self) -> u8 {
        let words = u8::try_from(5 + self.options.len() / 4).ok().filter(|&words| words <= 15);
        self.data_offset.unwrap_or_else(|| words.expect("TCP has room for 40 bytes of options"))
    }
}
