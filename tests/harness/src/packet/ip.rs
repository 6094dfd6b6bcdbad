//! IPv4 and IPv6, with what may stand between them and the transport header.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::checksum::{internet_checksum, ones_complement_sum};
use super::{Icmp, Link, Sctp, Tcp, Udp};

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;

/// An IP packet without its transport part yet.
#[derive(Debug, Clone)]
pub struct Ip {
    link: Link,
    family: Family,
    hop_limit: u8,
    traffic_class: u8,
    extensions: Vec<Extension>,
    version: Option<u8>,
    protocol: Option<u8>,
    length: Option<u16>,
}

#[derive(Debug, Clone)]
enum Family {
    V4(V4),
    V6 { source: Ipv6Addr, destination: Ipv6Addr },
}

#[derive(Debug, Clone)]
struct V4 {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    identification: u16,
    fragment: u16,
    options: Vec<u8>,
    header_words: Option<u8>,
    checksum: Option<u16>,
}

/// A header between IP and the transport: the number of its protocol, and its bytes.
#[derive(Debug, Clone)]
pub struct Extension {
    protocol: u8,
    /// The first byte, which names the next header, is filled in when the packet is built.
    bytes: Vec<u8>,
}

impl Extension {
    /// Hop-by-hop options: nothing but padding.
    pub fn hop_by_hop() -> Self {
        Self { protocol: 0, bytes: padding_options() }
    }

    /// Destination options: nothing but padding.
    pub fn destination() -> Self {
        Self { protocol: 60, bytes: padding_options() }
    }

    /// A routing header of the experimental type 253 with no segments left, which every host must step over.
    pub fn routing() -> Self {
        Self { protocol: 43, bytes: vec![0, 0, 253, 0, 0, 0, 0, 0] }
    }

    /// A fragment header; the offset is in units of eight bytes.
    pub fn fragment(offset: u16, more: bool, identification: u32) -> Self {
        let mut bytes = vec![0, 0];
        bytes.extend((offset << 3 | u16::from(more)).to_be_bytes());
        bytes.extend(identification.to_be_bytes());
        Self { protocol: 44, bytes }
    }

    /// An authentication header with a check value of twelve bytes.
    pub fn authentication() -> Self {
        let mut bytes = vec![0, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
        bytes.extend([0xa5; 12]);
        Self { protocol: 51, bytes }
    }

    /// Is as long as it claims, in the unit of this header; what is missing is filled with padding options.
    /// A fragment header has always eight bytes.
    pub fn filled(mut self, claimed: u8) -> Self {
        let length = match self.protocol {
            44 => 8,
            51 => 8 + 4 * usize::from(claimed),
            _ => 8 + 8 * usize::from(claimed),
        };
        self.bytes.resize(length, 0);
        self.length(claimed)
    }

    /// Claims another length, in the unit of this header; its bytes stay as they are.
    pub fn length(mut self, claimed: u8) -> Self {
        if let Some(length) = self.bytes.get_mut(1) {
            *length = claimed;
        }
        self
    }
}

impl Ip {
    pub(super) fn v4(source: Ipv4Addr, destination: Ipv4Addr) -> Self {
        Self::new(Family::V4(V4 {
            source,
            destination,
            identification: 0,
            fragment: DONT_FRAGMENT,
            options: Vec::new(),
            header_words: None,
            checksum: None,
        }))
    }

    pub(super) fn v6(source: Ipv6Addr, destination: Ipv6Addr) -> Self {
        Self::new(Family::V6 { source, destination })
    }

    fn new(family: Family) -> Self {
        Self {
            link: Link::default(),
            family,
            hop_limit: 64,
            traffic_class: 0,
            extensions: Vec::new(),
            version: None,
            protocol: None,
            length: None,
        }
    }

    /// Replaces the Ethernet header.
    pub fn link(mut self, link: Link) -> Self {
        self.link = link;
        self
    }

    /// Adds an 802.1Q tag inside those already there.
    pub fn vlan(mut self, number: u16) -> Self {
        self.link = self.link.vlan(number);
        self
    }

    /// Adds an 802.1ad service tag inside those already there.
    pub fn service_vlan(mut self, number: u16) -> Self {
        self.link = self.link.service_vlan(number);
        self
    }

    /// Sets the time to live, or the hop limit.
    pub fn ttl(mut self, hops: u8) -> Self {
        self.hop_limit = hops;
        self
    }

    /// Sets the type of service, or the traffic class.
    pub fn traffic_class(mut self, class: u8) -> Self {
        self.traffic_class = class;
        self
    }

    /// Adds a header between this one and the transport, after those already there.
    pub fn extension(mut self, extension: Extension) -> Self {
        self.extensions.push(extension);
        self
    }

    /// Makes it a fragment: in the IPv4 header, or with an IPv6 fragment header. The offset is in units of eight bytes.
    pub fn fragment(mut self, offset: u16, more: bool) -> Self {
        match &mut self.family {
            Family::V4(header) => {
                header.fragment = offset & 0x1fff | if more { MORE_FRAGMENTS } else { 0 };
                self
            }
            Family::V6 { .. } => self.extension(Extension::fragment(offset, more, 0x7777)),
        }
    }

    /// Sets the IPv4 identification.
    ///
    /// # Panics
    ///
    /// Panics for IPv6, as every method named after an IPv4 field does.
    pub fn identification(mut self, number: u16) -> Self {
        self.only_v4().identification = number;
        self
    }

    /// Sets the IPv4 options, padded with zeros to whole words.
    ///
    /// # Panics
    ///
    /// Panics for IPv6.
    pub fn options(mut self, bytes: &[u8]) -> Self {
        let options = &mut self.only_v4().options;
        *options = bytes.to_vec();
        options.resize(bytes.len().next_multiple_of(4), 0);
        self
    }

    /// Claims another IPv4 header length, in words of four bytes; only the low four bits count.
    ///
    /// # Panics
    ///
    /// Panics for IPv6.
    pub fn header_words(mut self, claimed: u8) -> Self {
        self.only_v4().header_words = Some(claimed & 0x0f);
        self
    }

    /// Claims another IPv4 header checksum.
    ///
    /// # Panics
    ///
    /// Panics for IPv6.
    pub fn checksum(mut self, claimed: u16) -> Self {
        self.only_v4().checksum = Some(claimed);
        self
    }

    /// Claims another version; only the low four bits count.
    pub fn version(mut self, claimed: u8) -> Self {
        self.version = Some(claimed & 0x0f);
        self
    }

    /// Claims that the last of the headers here is followed by another protocol than it is.
    pub fn protocol(mut self, claimed: u8) -> Self {
        self.protocol = Some(claimed);
        self
    }

    /// Claims another total length (IPv4) or payload length (IPv6).
    pub fn length(mut self, claimed: u16) -> Self {
        self.length = Some(claimed);
        self
    }

    /// Carries a TCP segment.
    pub fn tcp(self, source: u16, destination: u16) -> Tcp {
        Tcp::new(self, source, destination)
    }

    /// Carries a UDP datagram.
    pub fn udp(self, source: u16, destination: u16) -> Udp {
        Udp::new(self, source, destination)
    }

    /// Carries an ICMP message.
    pub fn icmp(self, kind: u8, code: u8) -> Icmp {
        Icmp::v4(self, kind, code)
    }

    /// Carries an ICMPv6 message.
    pub fn icmpv6(self, kind: u8, code: u8) -> Icmp {
        Icmp::v6(self, kind, code)
    }

    /// Carries an SCTP packet.
    pub fn sctp(self, source: u16, destination: u16) -> Sctp {
        Sctp::new(self, source, destination)
    }

    /// Returns the frame in which `payload` follows as the given protocol.
    ///
    /// # Panics
    ///
    /// Panics when the packet is longer than its length field can say.
    pub fn build(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let (first, body) = self.chain(self.protocol.unwrap_or(protocol), payload);
        let (ether_type, header) = match &self.family {
            Family::V4(header) => (0x0800, self.header_v4(header, first, body.len())),
            Family::V6 { source, destination } => {
                (0x86dd, self.header_v6(*source, *destination, first, body.len()))
            }
        };
        self.link.wrap(ether_type, &[header, body].concat())
    }

    /// The sum that a transport checksum starts from.
    pub(super) fn pseudo_header_sum(&self, protocol: u8, length: usize) -> u16 {
        let mut bytes = match &self.family {
            Family::V4(V4 { source, destination, .. }) => [source.octets(), destination.octets()].concat(),
            Family::V6 { source, destination } => [source.octets(), destination.octets()].concat(),
        };
        bytes.extend([0, protocol]);
        bytes.extend(short(length).to_be_bytes());
        ones_complement_sum(&bytes)
    }

    /// Puts the extension headers before the payload; returns the protocol of the first with all of them.
    fn chain(&self, protocol: u8, payload: &[u8]) -> (u8, Vec<u8>) {
        self.extensions.iter().rev().fold((protocol, payload.to_vec()), |(next, body), extension| {
            let header = std::iter::once(next).chain(extension.bytes.iter().copied().skip(1));
            (extension.protocol, header.chain(body).collect())
        })
    }

    fn header_v4(&self, v4: &V4, protocol: u8, body: usize) -> Vec<u8> {
        let length = 20 + v4.options.len();
        let words =
            v4.header_words.unwrap_or_else(|| u8::try_from(length / 4).expect("options are a few words"));
        let mut header = vec![self.version.unwrap_or(4) << 4 | words & 0x0f, self.traffic_class];
        header.extend(self.length.unwrap_or_else(|| short(length + body)).to_be_bytes());
        header.extend(v4.identification.to_be_bytes());
        header.extend(v4.fragment.to_be_bytes());
        header.extend([self.hop_limit, protocol]);
        let rest = [v4.source.octets().as_slice(), &v4.destination.octets(), &v4.options].concat();
        let right = internet_checksum(0, &[header.as_slice(), &rest].concat());
        header.extend(v4.checksum.unwrap_or(right).to_be_bytes());
        header.extend(rest);
        header
    }

    fn header_v6(&self, source: Ipv6Addr, destination: Ipv6Addr, next: u8, body: usize) -> Vec<u8> {
        let version = u32::from(self.version.unwrap_or(6)) << 28;
        let mut header = (version | u32::from(self.traffic_class) << 20).to_be_bytes().to_vec();
        header.extend(self.length.unwrap_or_else(|| short(body)).to_be_bytes());
        header.extend([next, self.hop_limit]);
        header.extend(source.octets());
        header.extend(destination.octets());
        header
    }

    fn only_v4(&mut self) -> &mut V4 {
        match &mut self.family {
            Family::V4(header) => header,
            Family::V6 { .. } => panic!("IPv6 has no such field"),
        }
    }
}

/// A header of eight bytes that holds one padding option (RFC 8200, section 4.2).
fn padding_options() -> Vec<u8> {
    vec![0, 0, 1, 4, 0, 0, 0, 0]
}

fn short(length: usize) -> u16 {
    u16::try_from(length).expect("a packet has at most 65535 bytes")
}
