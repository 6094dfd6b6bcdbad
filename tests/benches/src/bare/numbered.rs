//! Frames of which no two are alike.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};

use super::{
    EXIT, Instruction, MAP_LOOKUP, R0, R1, R2, R3, R6, R7, R10, REDIRECT, add, call, copy, frame_of,
    instruction, load_map, load_word, set, skip_if_not, store_word,
};
use crate::kernel::{Kind, Program, counter};

/// Where these stand in a frame of TCP over IPv4 without tags and options.
const IP_CHECKSUM: i16 = 14 + 10;
const SOURCE: i16 = 14 + 12;
const PORT: i16 = 14 + 20 + 2;
const TCP_CHECKSUM: i16 = 14 + 20 + 16;
/// Its length.
const LENGTH: i32 = 14 + 20 + 20;

/// A program that sends each frame out of an interface, and writes a number of its own into it before.
///
/// It counts without locks: only one processor at a time may run it.
#[derive(Debug)]
pub struct Numbered {
    program: Program,
    _count: OwnedFd,
}

impl Numbered {
    /// How many sources there are before one comes again.
    pub const SOURCES: u32 = 1 << 26;

    /// Each frame comes from another source in 12.0.0.0/6, in no order that a table could profit from, and its checksums
    /// are right. `unaddressed` is the frame that it is made of, from 0.0.0.0.
    ///
    /// # Errors
    ///
    /// Fails without root's privileges, and where this is no TCP over IPv4.
    pub fn sources(interface: u32, unaddressed: &[u8]) -> Result<Numbered> {
        /// Odd, so that all of 26 bits come before one comes again.
        const STEP: i32 = 0x029e_3779;
        let checksum = |at: i16| -> Result<u16> {
            let bytes = unaddressed.get(usize::try_from(at)?..).and_then(<[u8]>::first_chunk);
            Ok(u16::from_ne_bytes(*bytes.context("the frame is too short")?))
        };
        let mut change = vec![
            multiply(R1, STEP),
            and(R1, 0x03ff_ffff),
            or(R1, 12 << 24),
            to_network_order(R1, 32),
            store_word(R7, SOURCE, R1),
            // Both halves of it, of which both checksums are sums.
            copy(R2, R1),
            shift_right(R2, 16),
            and(R1, 0xffff),
            add_register(R1, R2),
        ];
        for at in [IP_CHECKSUM, TCP_CHECKSUM] {
            change.extend([copy(R2, R1), add(R2, i32::from(!checksum(at)?))]);
            // What is carried out of 16 bits is added to them, and once more (RFC 1071 §2).
            for _ in 0..2 {
                change.extend([copy(R3, R2), shift_right(R3, 16), and(R2, 0xffff), add_register(R2, R3)]);
            }
            change.extend([invert_half(R2), store_half(R7, at, R2)]);
        }
        Numbered::load(interface, &change)
    }

    /// Each frame is for another port: from `first` on, every `step`th. Its checksum becomes wrong.
    ///
    /// # Errors
    ///
    /// Fails without root's privileges.
    pub fn ports(interface: u32, first: u16, step: u16) -> Result<Numbered> {
        let change = [
            multiply(R1, step.into()),
            add(R1, first.into()),
            to_network_order(R1, 16),
            store_half(R7, PORT, R1),
        ];
        Numbered::load(interface, &change)
    }

    /// The program that counts in R1, finds the frame in R7, and makes this change to it.
    fn load(interface: u32, change: &[Instruction]) -> Result<Numbered> {
        const KEY: i16 = -4;
        let count = counter()?;
        let mut instructions = vec![set(R2, 0), store_word(R10, KEY, R2), copy(R6, R1)];
        instructions.extend(load_map(R1, count.as_fd()));
        instructions.extend([
            copy(R2, R10),
            add(R2, i32::from(KEY)),
            call(MAP_LOOKUP),
            skip_if_not(R0, 0, 1),
        ]);
        instructions.push(EXIT); // where there is no counter: 0, which is XDP_ABORTED
        let body = [load_word(R1, R0, 0), copy(R2, R1), add(R2, 1), store_word(R0, 0, R2)];
        let send = [set(R1, interface.cast_signed()), set(R2, 0), call(REDIRECT), EXIT];
        let over = i16::try_from(body.len() + change.len() + send.len())?;
        instructions.extend([copy(R1, R6)]);
        instructions.extend(frame_of(LENGTH, R7, over));
        instructions.extend(body);
        instructions.extend_from_slice(change);
        instructions.extend(send);
        instructions.extend([set(R0, 0), EXIT]); // where the frame is too short
        Ok(Numbered { program: Program::load(Kind::Xdp, &instructions)?, _count: count })
    }
}

impl AsFd for Numbered {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }
}

const fn multiply(to: u8, value: i32) -> Instruction {
    instruction(0x27, to, 0, 0, value)
}

const fn and(to: u8, value: i32) -> Instruction {
    instruction(0x57, to, 0, 0, value)
}

const fn or(to: u8, value: i32) -> Instruction {
    instruction(0x47, to, 0, 0, value)
}

const fn shift_right(to: u8, bits: i32) -> Instruction {
    instruction(0x77, to, 0, 0, bits)
}

const fn add_register(to: u8, from: u8) -> Instruction {
    instruction(0x0f, to, from, 0, 0)
}

/// Inverts the lower 16 bits.
const fn invert_half(to: u8) -> Instruction {
    instruction(0xa7, to, 0, 0, 0xffff)
}

const fn to_network_order(to: u8, bits: i32) -> Instruction {
    instruction(0xdc, to, 0, 0, bits)
}

const fn store_half(to: u8, offset: i16, from: u8) -> Instruction {
    instruction(0x6b, to, from, offset, 0)
}
