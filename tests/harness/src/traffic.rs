//! Frames of every kind, good, bad and absurd, from a seed.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::{Extension, Frame, GUARDED_V4, GUARDED_V6, Ip, Link, OUTSIDE_V4, OUTSIDE_V6, Random, Tcp};

/// The shortest frame that there is: an Ethernet header and nothing in it.
const SHORTEST: usize = 14;

/// Writes frames that hit every branch of the engine often, rather than ones that are likely on a wire.
#[derive(Debug)]
pub struct Traffic {
    random: Random,
    /// Ports that mean something: open ones, those of connections.
    ports: Vec<u16>,
}

impl Traffic {
    /// Writes frames to and from these ports more often than others.
    pub fn seeded(seed: u64, ports: impl IntoIterator<Item = u16>) -> Traffic {
        Traffic { random: Random::seeded(seed), ports: ports.into_iter().collect() }
    }

    /// Writes one more frame of at least 14 bytes.
    pub fn frame(&mut self) -> Vec<u8> {
        let mut frame = if self.random.once_in(20) { self.not_ip() } else { self.packet() };
        if self.random.once_in(10) {
            let length = SHORTEST + self.random.below(frame.len().saturating_sub(SHORTEST) + 1);
            frame.truncate(length);
        }
        if self.random.once_in(10) {
            let byte = self.random.byte();
            let position = self.random.below(frame.len());
            if let Some(place) = frame.get_mut(position) {
                *place = byte;
            }
        }
        if self.random.once_in(10) {
            let padding = self.random.below(20);
            frame.extend(self.random.bytes(padding));
        }
        frame
    }

    fn not_ip(&mut self) -> Vec<u8> {
        let types = [0x0806, 0x88cc, 0x0800, 0x86dd, 0x8100, 0x88a8];
        let length = self.random.below(60);
        let payload = self.random.bytes(length);
        Frame::ethernet(*self.random.pick(&types)).build(&payload)
    }

    fn packet(&mut self) -> Vec<u8> {
        let mut ip = if self.random.once_in(2) { self.ipv4() } else { self.ipv6() };
        ip = ip.link(self.link());
        if self.random.once_in(30) {
            ip = ip.version(self.random.byte() & 0x0f);
        }
        if self.random.once_in(20) {
            ip = ip.length(self.length());
        }
        let (source, destination) = (self.port(), self.port());
        match self.random.below(10) {
            0 => ip.udp(source, destination).payload(b"?").build(),
            1 => {
                let kinds = [8, 13, 15, 17, 128, 139, self.random.byte()];
                let (kind, code) = (*self.random.pick(&kinds), self.random.byte() & 1);
                if self.random.once_in(2) { ip.icmp(kind, code) } else { ip.icmpv6(kind, code) }.build()
            }
            2 if self.random.once_in(2) => ip.sctp(source, destination).build(),
            2 => ip.build(self.random.byte(), &[0; 24]),
            _ => self.segment(ip.tcp(source, destination)),
        }
    }

    fn segment(&mut self, mut tcp: Tcp) -> Vec<u8> {
        let usual = [0x02, 0x12, 0x10, 0x18, 0x11, 0x01, 0x04, 0x14, 0x29, 0x00];
        let bits =
            if self.random.once_in(2) { *self.random.pick(&usual) } else { self.random.short() & 0x1ff };
        tcp = tcp.flag_bits(bits);
        if self.random.once_in(30) {
            tcp = tcp.reserved(self.random.byte() & 7);
        }
        let sequence = if self.random.once_in(3) { 0 } else { u32::from(self.random.short()) + 1 };
        tcp = tcp.seq(sequence).ack(u32::from(self.random.short())).window(self.random.short());
        if self.random.once_in(4) {
            let length = self.random.below(11) * 4;
            tcp = tcp.options(&self.random.bytes(length));
        }
        if self.random.once_in(4) {
            let length = self.random.below(40);
            tcp = tcp.payload(&self.random.bytes(length));
        }
        if self.random.once_in(20) {
            tcp = tcp.data_offset(self.random.byte() & 0x0f);
        }
        tcp.build()
    }

    fn ipv4(&mut self) -> Ip {
        let sources = if self.random.once_in(20) {
            [GUARDED_V4, Ipv4Addr::LOCALHOST, Ipv4Addr::new(224 | self.random.byte(), 1, 2, 3)]
        } else {
            [OUTSIDE_V4, Ipv4Addr::new(10, 77, 0, self.random.byte()), self.somewhere_v4()]
        };
        let destinations = [
            GUARDED_V4,
            GUARDED_V4,
            GUARDED_V4,
            Ipv4Addr::new(10, 77, 0, 9),
            self.somewhere_v4(),
            Ipv4Addr::new(239, 1, 2, 3),
            Ipv4Addr::BROADCAST,
        ];
        let mut ip = Frame::ipv4(*self.random.pick(&sources), *self.random.pick(&destinations));
        if self.random.once_in(10) {
            let length = self.random.below(11) * 4;
            ip = ip.options(&self.random.bytes(length));
        }
        if self.random.once_in(20) {
            ip = ip.header_words(self.random.byte() & 0x0f);
        }
        if self.random.once_in(15) {
            let offsets = [0, 0, 1, 2, 3, self.random.short() & 0x1fff];
            let offset = *self.random.pick(&offsets);
            ip = ip.fragment(offset, self.random.once_in(2));
        }
        ip
    }

    fn ipv6(&mut self) -> Ip {
        let sources = if self.random.once_in(20) {
            [GUARDED_V6, OUTSIDE_V4.to_ipv6_mapped()] // not ::1, from which the kernel finds no route to anywhere
        } else {
            [OUTSIDE_V6, self.somewhere_v6()]
        };
        let destinations = [
            GUARDED_V6,
            GUARDED_V6,
            GUARDED_V6,
            Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 9),
            self.somewhere_v6(),
            Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
        ];
        let mut ip = Frame::ipv6(*self.random.pick(&sources), *self.random.pick(&destinations));
        if self.random.once_in(3) {
            for _ in 0..self.random.below(19) {
                ip = ip.extension(self.extension());
            }
        }
        ip
    }

    fn extension(&mut self) -> Extension {
        let extension = match self.random.below(12) {
            0 => {
                let offsets = [1, 2, 3, self.random.short() & 0x1fff];
                Extension::fragment(*self.random.pick(&offsets), self.random.once_in(2), 7)
            }
            1 | 2 => Extension::fragment(0, self.random.once_in(2), 7),
            3 | 4 => Extension::authentication(),
            5 | 6 => Extension::routing(),
            7 | 8 => Extension::destination(),
            _ => Extension::hop_by_hop(),
        };
        if self.random.once_in(30) { extension.length(self.random.byte()) } else { extension }
    }

    fn link(&mut self) -> Link {
        let mut link = match self.random.below(20) {
            0 => Link::default().to_mac([0xff; 6]),
            1 => Link::default().to_mac([0x01, 0, 0x5e, 1, 2, 3]),
            2 => Link::default().to_mac([0x02, 0x77, 0, 0, 0, 9]),
            _ => Link::default(),
        };
        if self.random.once_in(4) {
            for _ in 0..self.random.below(4) {
                let number = self.random.short() & 0x0fff;
                link = if self.random.once_in(2) { link.vlan(number) } else { link.service_vlan(number) };
            }
        }
        link
    }

    fn port(&mut self) -> u16 {
        if self.ports.is_empty() || self.random.once_in(4) {
            if self.random.once_in(10) { 0 } else { self.random.short() }
        } else {
            *self.random.pick(&self.ports)
        }
    }

    fn length(&mut self) -> u16 {
        let edges = [0, 1, 19, 20, 21, 39, 40, 41, 60, u16::MAX];
        if self.random.once_in(2) { *self.random.pick(&edges) } else { self.random.short() & 0xff }
    }

    /// A documentation address (RFC 5737), so no route but the default one leads there.
    fn somewhere_v4(&mut self) -> Ipv4Addr {
        Ipv4Addr::new(198, 51, 100, self.random.byte())
    }

    /// A documentation address (RFC 3849).
    fn somewhere_v6(&mut self) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(self.random.byte()))
    }
}
