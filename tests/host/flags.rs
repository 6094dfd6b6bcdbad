//! Every value that the flags of a TCP header can have has exactly one answer, and it is RFC 9293's.

use scanguard_common::cause::{Action, Cause};
use scanguard_common::classify::Class;
use scanguard_common::classify::flags::{TcpFlags, class};
use scanguard_harness::{Meaning, sendable_flags};

fn class_of(bits: u16) -> Class {
    class(TcpFlags::from_wire(bits.to_be_bytes()))
}

#[test]
fn all_512_values_agree_with_the_oracle() {
    let sendable = sendable_flags();
    for bits in 0..512 {
        let answer = class_of(bits);
        let agrees = match (sendable.get(&bits), answer) {
            (Some(Meaning::Opens), Class::Opens) => true,
            (Some(Meaning::NeedsConnection), Class::NeedsConnection(_)) => true,
            (None, Class::Impossible(_)) => true,
            (Some(_) | None, _) => false,
        };
        assert!(agrees, "flags {bits:#05x}: {answer:?}, but the oracle says {:?}", sendable.get(&bits));
    }
}

#[test]
fn the_three_reserved_bits_always_make_a_probe() {
    for bits in 512..4096 {
        assert_eq!(class_of(bits), Class::Impossible(Cause::TcpReserved), "{bits:#05x}");
    }
}

#[test]
fn every_impossible_set_is_dropped() {
    for bits in 0..4096 {
        if let Class::Impossible(cause) = class_of(bits) {
            assert_eq!(cause.action(), Action::Drop, "{bits:#05x}");
        }
    }
}

#[test]
fn scans_are_called_by_their_names() {
    let named = [
        (0b00_0000, Cause::TcpNull),
        (0b10_1001, Cause::TcpXmas),
        (0b11_1111, Cause::TcpFullXmas),
        (0b00_0011, Cause::TcpSynFin),
        (0b01_0011, Cause::TcpSynFin),
        (0b00_0110, Cause::TcpSynRst),
        (0b01_0110, Cause::TcpSynRst),
        (0b00_0101, Cause::TcpFinRst),
        (0b01_0101, Cause::TcpFinRst),
        (0b00_1000, Cause::TcpNoAck),
        (0b10_0000, Cause::TcpNoAck),
        (0b10_1000, Cause::TcpNoAck),
        (0b00_1001, Cause::TcpNoAck),
        (0b10_0001, Cause::TcpNoAck),
    ];
    for (bits, cause) in named {
        assert_eq!(class_of(bits), Class::Impossible(cause), "{bits:#08b}");
    }
}

/// What Linux 6.18 answers to a segment without a connection, measured over all 512 values: a SYN without
/// ACK, RST and FIN draws a SYN/ACK from an open port, whatever else is set. So exactly these must count as
/// opening, or an open port would answer a probe that we took for something else.
#[test]
fn whatever_linux_answers_like_a_syn_is_classified_as_one() {
    for bits in 0..512u16 {
        let answered_like_a_syn = bits & 0b01_0111 == 0b00_0010;
        assert_eq!(class_of(bits) == Class::Opens, answered_like_a_syn, "{bits:#05x}");
    }
}
