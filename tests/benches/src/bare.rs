//! Programs of a few instructions: the floor to compare with, and those that make frames differ.

mod numbered;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use anyhow::Result;

pub use self::numbered::Numbered;
use crate::kernel::{Kind, Program, program_array};

/// `XDP_DROP` and `XDP_PASS` of `linux/bpf.h`.
pub const XDP_DROP: i32 = 1;
/// See above.
pub const XDP_PASS: i32 = 2;
/// `TC_ACT_UNSPEC` of `linux/pkt_cls.h`: what scanguard's second door returns for what may leave.
pub const TC_UNSPEC: i32 = -1;
/// `TC_ACT_SHOT` of the same: what it returns for what may not.
pub const TC_SHOT: i32 = 2;

/// `struct bpf_insn` of `linux/bpf.h`: the operation, source and destination register in one byte, and two operands.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Instruction {
    pub(crate) code: u8,
    pub(crate) registers: u8,
    pub(crate) offset: i16,
    pub(crate) value: i32,
}

const R0: u8 = 0;
const R1: u8 = 1;
const R2: u8 = 2;
const R3: u8 = 3;
const R4: u8 = 4;
const R5: u8 = 5;
const R6: u8 = 6;
const R7: u8 = 7;
const R10: u8 = 10;

const fn instruction(code: u8, to: u8, from: u8, offset: i16, value: i32) -> Instruction {
    Instruction { code, registers: from << 4 | to, offset, value }
}

const fn set(to: u8, value: i32) -> Instruction {
    instruction(0xb7, to, 0, 0, value)
}

const fn copy(to: u8, from: u8) -> Instruction {
    instruction(0xbf, to, from, 0, 0)
}

const fn add(to: u8, value: i32) -> Instruction {
    instruction(0x07, to, 0, 0, value)
}

const fn load_word(to: u8, from: u8, offset: i16) -> Instruction {
    instruction(0x61, to, from, offset, 0)
}

const fn load_half(to: u8, from: u8, offset: i16) -> Instruction {
    instruction(0x69, to, from, offset, 0)
}

const fn store_word(to: u8, offset: i16, from: u8) -> Instruction {
    instruction(0x63, to, from, offset, 0)
}

/// Skips `over` instructions where the first register is greater.
const fn skip_if_greater(register: u8, than: u8, over: i16) -> Instruction {
    instruction(0x2d, register, than, over, 0)
}

const fn skip_if_not(register: u8, value: i32, over: i16) -> Instruction {
    instruction(0x55, register, 0, over, value)
}

const fn call(helper: i32) -> Instruction {
    instruction(0x85, 0, 0, 0, helper)
}

const EXIT: Instruction = instruction(0x95, 0, 0, 0, 0);

/// The helpers of `linux/bpf.h` that are called.
const MAP_LOOKUP: i32 = 1;
const TAIL_CALL: i32 = 12;
const REDIRECT: i32 = 23;

/// Loads a map's address, which takes the place of two instructions.
fn load_map(to: u8, map: BorrowedFd<'_>) -> [Instruction; 2] {
    const PSEUDO_MAP_FD: u8 = 1;
    [instruction(0x18, to, PSEUDO_MAP_FD, 0, map.as_raw_fd()), instruction(0, 0, 0, 0, 0)]
}

/// Leaves the frame's start in `start`, and jumps `over` instructions where it has less than `length` bytes.
fn frame_of(length: i32, start: u8, over: i16) -> [Instruction; 5] {
    // `data` and `data_end` of `struct xdp_md`.
    [
        load_word(start, R1, 0),
        load_word(R3, R1, 4),
        copy(R4, start),
        add(R4, length),
        skip_if_greater(R4, R3, over),
    ]
}

/// The floor: does nothing, and returns always the same.
///
/// # Errors
///
/// Fails without root's privileges.
pub fn always(kind: Kind, action: i32) -> Result<Program> {
    Program::load(kind, &[set(R0, action), EXIT])
}

/// Drops the frames that have these two bytes at this offset, and passes all others.
///
/// # Errors
///
/// Fails without root's privileges.
pub fn drops_where(offset: i16, bytes: [u8; 2]) -> Result<Program> {
    let mut instructions = frame_of(i32::from(offset) + 2, R2, 4).to_vec();
    instructions.extend([
        load_half(R5, R2, offset),
        skip_if_not(R5, i32::from(u16::from_ne_bytes(bytes)), 2),
        set(R0, XDP_DROP),
        EXIT,
        set(R0, XDP_PASS),
        EXIT,
    ]);
    Program::load(Kind::Xdp, &instructions)
}

/// A program that does something to each frame before it hands it on to the program under measurement.
///
/// Running a program many times on one frame shows it the same source each time. With this in front, each run is a
/// first contact; what the front itself costs is seen by the same front before a bare program.
#[derive(Debug)]
pub struct Fronted {
    front: Program,
    _targets: OwnedFd,
}

/// A list that a front asks for each frame's source.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// A list of prefixes.
    Prefixes(BorrowedFd<'a>),
    /// A table of whole addresses.
    Addresses(BorrowedFd<'a>),
}

impl Fronted {
    /// How far apart the sources of two frames in turn are, as a number in the machine's order: odd but for the lowest
    /// byte, which stays as it is, so that all 2²⁴ others come before one comes again.
    pub const STEP: u32 = 0x9e37_7900;

    /// Puts before `target` what changes the four bytes at `offset` of each frame.
    ///
    /// # Errors
    ///
    /// Fails without root's privileges.
    pub fn before(target: BorrowedFd<'_>, offset: i16) -> Result<Fronted> {
        Fronted::doing(target, offset, Fronted::STEP, &[])
    }

    /// Puts before `target` what looks the IPv4 source at `offset` up in a list, in the form that the engine keeps it
    /// in, and goes on whatever it finds; `step` is what the source is changed by first.
    ///
    /// # Errors
    ///
    /// Fails without root's privileges.
    pub fn asking(asked: Asked<'_>, target: BorrowedFd<'_>, offset: i16, step: u32) -> Result<Fronted> {
        const ADDRESS: i16 = -16;
        const WHOLE_ADDRESS: i32 = 128;
        let mapped = u32::from_ne_bytes([0, 0, 0xff, 0xff]).cast_signed();
        let mut look_up = vec![store_word(R10, ADDRESS + 12, R5), set(R5, 0)];
        look_up.extend([store_word(R10, ADDRESS, R5), store_word(R10, ADDRESS + 4, R5)]);
        look_up.extend([set(R5, mapped), store_word(R10, ADDRESS + 8, R5)]);
        let (map, key) = match asked {
            Asked::Prefixes(map) => {
                look_up.extend([set(R5, WHOLE_ADDRESS), store_word(R10, ADDRESS - 4, R5)]);
                (map, ADDRESS - 4)
            }
            Asked::Addresses(map) => (map, ADDRESS),
        };
        look_up.extend(load_map(R1, map));
        look_up.extend([copy(R2, R10), add(R2, i32::from(key)), call(MAP_LOOKUP)]);
        Fronted::doing(target, offset, step, &look_up)
    }

    /// Changes the source by `step`, does `what` with it in the fifth register, and goes on.
    fn doing(target: BorrowedFd<'_>, offset: i16, step: u32, what: &[Instruction]) -> Result<Fronted> {
        let targets = program_array(target)?;
        let mut work =
            vec![load_word(R5, R2, offset), add(R5, step.cast_signed()), store_word(R2, offset, R5)];
        work.extend(what);
        work.push(copy(R1, R6));
        work.extend(load_map(R2, targets.as_fd()));
        work.extend([set(R3, 0), call(TAIL_CALL)]);
        let mut instructions = vec![copy(R6, R1)];
        instructions.extend(frame_of(i32::from(offset) + 4, R2, work.len().try_into()?));
        instructions.extend(work);
        // Where the jump fails the program goes on, and returns 0: XDP_ABORTED, which no measurement accepts.
        instructions.extend([set(R0, 0), EXIT]);
        Ok(Fronted { front: Program::load(Kind::Xdp, &instructions)?, _targets: targets })
    }
}

impl AsFd for Fronted {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.front.as_fd()
    }
}

/// A program that sends each frame out of an interface.
///
/// # Errors
///
/// Fails without root's privileges.
pub fn sends_to(interface: u32) -> Result<Program> {
    Program::load(Kind::Xdp, &[set(R1, interface.cast_signed()), set(R2, 0), call(REDIRECT), EXIT])
}
