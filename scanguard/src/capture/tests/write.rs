//! Capture files and packets, written byte by byte.

/// A file in one order of bytes.
#[derive(Clone, Copy)]
pub(super) struct Order {
    pub(super) big: bool,
}

pub(super) const ORDERS: [Order; 2] = [Order { big: false }, Order { big: true }];

impl Order {
    pub(super) fn two(self, number: u16) -> [u8; 2] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    pub(super) fn four(self, number: u32) -> [u8; 4] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    pub(super) fn eight(self, number: i64) -> [u8; 8] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    pub(super) fn pcap(self, magic: u32, link: u32) -> Vec<u8> {
        let versions = [self.two(2), self.two(4)].concat();
        [&self.four(magic)[..], &versions, &[0; 8], &self.four(65_535), &self.four(link)].concat()
    }

    pub(super) fn record(self, seconds: u32, fraction: u32, data: &[u8], wire: usize) -> Vec<u8> {
        let lengths = [self.four(length(data)), self.four(u32::try_from(wire).expect("short"))].concat();
        [&self.four(seconds)[..], &self.four(fraction), &lengths, data].concat()
    }

    /// A pcapng block, padded.
    pub(super) fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padded = body.len().next_multiple_of(4);
        let total = self.four(u32::try_from(padded + 12).expect("short"));
        let padding = vec![0; padded - body.len()];
        [&self.four(kind)[..], &total, body, &padding, &total].concat()
    }

    pub(super) fn section(self) -> Vec<u8> {
        let versions = [self.two(1), self.two(0)].concat();
        self.block(0x0a0d_0d0a, &[&self.four(0x1a2b_3c4d)[..], &versions, &self.eight(-1)].concat())
    }

    pub(super) fn interface(self, link: u16, snapshot: u32, options: &[u8]) -> Vec<u8> {
        self.block(1, &[&self.two(link)[..], &[0; 2], &self.four(snapshot), options].concat())
    }

    pub(super) fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let length = self.two(u16::try_from(value.len()).expect("short"));
        let padding = vec![0; value.len().next_multiple_of(4) - value.len()];
        [&self.two(code)[..], &length, value, &padding].concat()
    }

    pub(super) fn enhanced(
        self,
        interface: u32,
        units: u64,
        data: &[u8],
        wire: u32,
        options: &[u8],
    ) -> Vec<u8> {
        let [high, low] = [(units >> 32) as u32, (units & 0xffff_ffff) as u32].map(|half| self.four(half));
        let lengths = [self.four(length(data)), self.four(wire)].concat();
        let padding = vec![0; data.len().next_multiple_of(4) - data.len()];
        self.block(6, &[&self.four(interface)[..], &high, &low, &lengths, data, &padding, options].concat())
    }

    pub(super) fn simple(self, data: &[u8], wire: u32) -> Vec<u8> {
        self.block(3, &[&self.four(wire)[..], data].concat())
    }
}

fn length(data: &[u8]) -> u32 {
    u32::try_from(data.len()).expect("short")
}

pub(super) const MICROSECONDS: u32 = 0xa1b2_c3d4;
pub(super) const NANOSECONDS: u32 = 0xa1b2_3c4d;
pub(super) const ETHERNET: u32 = 1;

/// A SYN from 192.0.2.1:40000 to 192.0.2.2:80, from its IP header on.
pub(super) fn ipv4() -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    bytes.extend(tcp());
    bytes
}

/// The same over IPv6.
pub(super) fn ipv6() -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0, 0, 20, 6, 64];
    for host in [1, 2] {
        bytes.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host]);
    }
    bytes.extend(tcp());
    bytes
}

fn tcp() -> Vec<u8> {
    [&40_000u16.to_be_bytes()[..], &[0, 80, 0, 0, 0, 7, 0, 0, 0, 0, 0x50, 2, 4, 0, 0, 0, 0, 0]].concat()
}

pub(super) fn ethernet(ether_type: [u8; 2], payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8][..], &ether_type, payload].concat()
}
