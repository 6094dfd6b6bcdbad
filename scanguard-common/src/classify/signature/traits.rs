//! What signatures look at and nothing else does.

use crate::frame::Frame;
use crate::parse::Packet;
use crate::parse::network::{Family, IpProtocol};

/// The fields by which tools give themselves away. What the packet does not have is zero.
///
/// Apart from [`Packet`], because they are read for a few packets only: the first of a connection, and those that
/// belong to none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// IPv4's identification.
    pub identification: u16,
    /// Time to live, or hop limit, on arrival.
    pub hop_limit: u8,
    /// Whether this is IPv4 that routers may cut into fragments: DF is not set.
    pub fragmentable: bool,
    /// The length of a TCP header in words of four bytes, 5 to 15.
    pub header_words: u8,
    /// TCP's urgent pointer, whether or not URG is set.
    pub urgent: u16,
    /// The length of a UDP datagram by its own account, its header included.
    pub datagram_length: u16,
}

impl Traits {
    /// Reads them from the frame that `packet` was parsed from.
    pub fn read<F: Frame + ?Sized>(frame: &F, packet: &Packet) -> Traits {
        let at = packet.headers.transport();
        let network = Traits::of_network(frame, packet);
        match packet.transport.protocol {
            IpProtocol::TCP => {
                let [offset, _, _, _, _, _, u0, u1] = frame.read(at + 12).unwrap_or_default();
                Traits { header_words: offset >> 4, urgent: u16::from_be_bytes([u0, u1]), ..network }
            }
            IpProtocol::UDP => {
                let length = frame.read(at + 4).unwrap_or_default();
                Traits { datagram_length: u16::from_be_bytes(length), ..network }
            }
            _ => network,
        }
    }

    fn of_network<F: Frame + ?Sized>(frame: &F, packet: &Packet) -> Traits {
        const DONT_FRAGMENT: u8 = 0x40;
        let at = packet.headers.network();
        match packet.family {
            Family::V4 => {
                let [i0, i1, flags, _, hop_limit] = frame.read(at + 4).unwrap_or_default();
                Traits {
                    identification: u16::from_be_bytes([i0, i1]),
                    hop_limit,
                    fragmentable: flags & DONT_FRAGMENT == 0,
                    ..Traits::default()
                }
            }
            Family::V6 => {
                let [hop_limit] = frame.read(at + 7).unwrap_or_default();
                Traits { hop_limit, ..Traits::default() }
            }
        }
    }
}
