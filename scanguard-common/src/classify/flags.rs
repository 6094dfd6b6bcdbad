//! What a segment's flags alone say.
//!
//! A connection is opened by a SYN, answered by SYN and ACK, carried by ACKs and ended by FIN with ACK or by
//! RST (RFC 9293 §3.5 and §3.6). Flags that do none of this were made by a scanner, and need no look at any
//! state. PSH and URG accompany data and change nothing about it; AE, ECE and CWR belong to congestion
//! notification (RFC 3168, RFC 9768), which is negotiated and signalled in them in every combination.

use super::{Class, Part};
use crate::cause::Cause;

/// The control bits of a TCP header: nine that are assigned, three that are reserved (RFC 9293 §3.1,
/// RFC 9768 §3.1), in the low twelve bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(u16);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: u16 = 0x001;
    /// Synchronise sequence numbers.
    pub const SYN: u16 = 0x002;
    /// Reset the connection.
    pub const RST: u16 = 0x004;
    /// Push function.
    pub const PSH: u16 = 0x008;
    /// The acknowledgement number means something.
    pub const ACK: u16 = 0x010;
    /// The urgent pointer means something.
    pub const URG: u16 = 0x020;
    /// ECN echo (RFC 3168 §6.1).
    pub const ECE: u16 = 0x040;
    /// Congestion window reduced (RFC 3168 §6.1).
    pub const CWR: u16 = 0x080;
    /// Accurate ECN (RFC 9768 §3.1), once the nonce sum.
    pub const AE: u16 = 0x100;
    /// Not assigned: nobody sets them but to probe.
    pub const RESERVED: u16 = 0xe00;

    /// The flags in the thirteenth and fourteenth byte of a TCP header; the data offset beside them is left
    /// out.
    pub fn from_wire(bytes: [u8; 2]) -> TcpFlags {
        TcpFlags(u16::from_be_bytes(bytes) & 0x0fff)
    }

    /// The flags of these twelve bits.
    pub const fn from_bits(bits: u16) -> TcpFlags {
        TcpFlags(bits & 0x0fff)
    }

    /// Whether all of these bits are set.
    pub fn has(self, bits: u16) -> bool {
        self.0 & bits == bits
    }

    /// The twelve bits as a number.
    pub fn bits(self) -> u16 {
        self.0
    }
}

/// Classifies flags: exactly one answer for each of the 4096 values.
pub const fn class(flags: TcpFlags) -> Class {
    const FIN: u16 = TcpFlags::FIN;
    const SYN: u16 = TcpFlags::SYN;
    const RST: u16 = TcpFlags::RST;
    const PSH: u16 = TcpFlags::PSH;
    const ACK: u16 = TcpFlags::ACK;
    const URG: u16 = TcpFlags::URG;

    if flags.0 & TcpFlags::RESERVED != 0 {
        return Class::Impossible(Cause::TcpReserved);
    }
    match flags.0 & (FIN | SYN | RST | PSH | ACK | URG) {
        0 => Class::Impossible(Cause::TcpNull),
        bits if bits == FIN | SYN | RST | PSH | ACK | URG => Class::Impossible(Cause::TcpFullXmas),
        bits if bits & (SYN | FIN) == SYN | FIN => Class::Impossible(Cause::TcpSynFin),
        bits if bits & (SYN | RST) == SYN | RST => Class::Impossible(Cause::TcpSynRst),
        bits if bits & (FIN | RST) == FIN | RST => Class::Impossible(Cause::TcpFinRst),
        bits if bits & RST != 0 => Class::NeedsConnection(Part::Resets),
        bits if bits & (SYN | ACK) == SYN | ACK => Class::NeedsConnection(Part::Accepts),
        bits if bits & SYN != 0 => Class::Opens,
        bits if bits & (FIN | ACK) == FIN | ACK => Class::NeedsConnection(Part::Ends),
        bits if bits & ACK != 0 => Class::NeedsConnection(Part::Carries),
        FIN => Class::NeedsConnection(Part::Cancels),
        bits if bits == FIN | PSH | URG => Class::Impossible(Cause::TcpXmas),
        _ => Class::Impossible(Cause::TcpNoAck),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class_of(bits: u16) -> Class {
        class(TcpFlags(bits))
    }

    #[test]
    fn the_three_steps_of_the_handshake_are_possible() {
        assert_eq!(class_of(TcpFlags::SYN), Class::Opens);
        assert_eq!(class_of(TcpFlags::SYN | TcpFlags::ACK), Class::NeedsConnection(Part::Accepts));
        assert_eq!(class_of(TcpFlags::ACK), Class::NeedsConnection(Part::Carries));
    }

    #[test]
    fn congestion_notification_changes_no_answer() {
        for bits in 0..0x200 {
            let without = bits & !(TcpFlags::AE | TcpFlags::ECE | TcpFlags::CWR);
            assert_eq!(class_of(bits), class_of(without), "{bits:#05x}");
        }
    }

    #[test]
    fn the_data_offset_is_no_flag() {
        assert_eq!(TcpFlags::from_wire([0xf0, 0x02]), TcpFlags(TcpFlags::SYN));
    }
}
