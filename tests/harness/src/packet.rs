//! Packets, right by default and wrong on request.
//!
//! A frame is written from the outside in, and every field left alone has the value a careful sender would give it:
//!
//! ```
//! use scanguard_harness::{Frame, GUARDED_V4, OUTSIDE_V4};
//!
//! let syn = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).tcp(40_000, 80).flags("S").build();
//! let lie = Frame::ipv4(OUTSIDE_V4, GUARDED_V4).length(21).vlan(7).tcp(40_000, 80).flags("FPU").data_offset(15).build();
//! assert_eq!(syn.len() + 4, lie.len());
//! ```

mod checksum;
mod icmp;
mod ip;
mod link;
mod sctp;
mod tcp;
mod udp;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use icmp::Icmp;
pub use ip::{Extension, Ip};
pub use link::Link;
pub use sctp::Sctp;
pub use tcp::Tcp;
pub use udp::Udp;

/// Where every frame begins.
#[derive(Debug)]
pub struct Frame;

impl Frame {
    /// Begins an IPv4 packet from the outside host's interface to the guarded one's.
    pub fn ipv4(source: Ipv4Addr, destination: Ipv4Addr) -> Ip {
        Ip::v4(source, destination)
    }

    /// Begins an IPv6 packet from the outside host's interface to the guarded one's.
    pub fn ipv6(source: Ipv6Addr, destination: Ipv6Addr) -> Ip {
        Ip::v6(source, destination)
    }

    /// Begins a packet of the family that both addresses belong to.
    ///
    /// # Panics
    ///
    /// Panics when they belong to different families.
    pub fn between(source: IpAddr, destination: IpAddr) -> Ip {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Ip::v4(source, destination),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Ip::v6(source, destination),
            _ => panic!("{source} and {destination} are of different families"),
        }
    }

    /// Begins a frame that is not IP.
    pub fn ethernet(ether_type: u16) -> Link {
        Link::default().ether_type(ether_type)
    }
}
