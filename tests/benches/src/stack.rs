//! How much of the BPF stack a program needs, by its translated instructions.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::bare::Instruction;

/// The bytes of stack that the deepest chain of calls takes, as Linux 5.10 counts them, which refuses more than 512: each
/// function's part is rounded up to a multiple of 32 (`check_max_stack_depth` of its `kernel/bpf/verifier.c`).
///
/// # Errors
///
/// Fails where a call leads out of the program.
pub fn deepest(program: &[Instruction]) -> Result<u64> {
    let mut functions = BTreeMap::from([(0, Function::default())]);
    for (at, instruction) in program.iter().enumerate() {
        if let Some(target) = instruction.callee(at) {
            functions.insert(target?, Function::default());
        }
    }
    for (at, instruction) in program.iter().enumerate() {
        let (_, function) = functions.range_mut(..=at).next_back().context("the first function")?;
        function.take(instruction);
        if let Some(target) = instruction.callee(at) {
            function.calls.push(target?);
        }
    }
    depth(&functions, 0)
}

fn depth(functions: &BTreeMap<usize, Function>, at: usize) -> Result<u64> {
    const ROUNDED_TO: u64 = 32;
    let function = functions.get(&at).context("a call into the middle of nowhere")?;
    let mut deepest = 0;
    for call in &function.calls {
        deepest = deepest.max(depth(functions, *call)?);
    }
    Ok(deepest + function.bytes.max(1).next_multiple_of(ROUNDED_TO))
}

/// What is known of one function.
#[derive(Default)]
struct Function {
    /// How far below its frame pointer it goes.
    bytes: u64,
    /// By how much registers differ from the frame pointer that are known to point into the frame, beside itself.
    registers: BTreeMap<u8, i64>,
    /// Where the functions begin that it calls.
    calls: Vec<usize>,
}

/// The register that points to the end of a function's frame.
const FRAME: u8 = 10;

impl Function {
    /// Takes in one more of its instructions (RFC 9669 §3).
    fn take(&mut self, instruction: &Instruction) {
        const LOAD: u8 = 1;
        const STORES: [u8; 2] = [2, 3];
        const MOVE: u8 = 0xbf;
        const ADD: u8 = 0x07;
        let (class, [destination, source]) = (instruction.code & 7, instruction.registers());
        let address = if class == LOAD { source } else { destination };
        if class == LOAD || STORES.contains(&class) {
            self.reach(self.place(address).map(|place| place + i64::from(instruction.offset)));
        }
        if STORES.contains(&class) {
            return;
        }
        let place = match instruction.code {
            MOVE => self.place(source),
            ADD => self.place(destination).map(|place| place + i64::from(instruction.value)),
            _ => None,
        };
        self.reach(place);
        match place {
            Some(place) => self.registers.insert(destination, place),
            None => self.registers.remove(&destination),
        };
    }

    /// Where a register points to, from the frame pointer.
    fn place(&self, register: u8) -> Option<i64> {
        if register == FRAME { Some(0) } else { self.registers.get(&register).copied() }
    }

    fn reach(&mut self, place: Option<i64>) {
        let below = place.and_then(|place| u64::try_from(-place).ok());
        self.bytes = self.bytes.max(below.unwrap_or_default());
    }
}

impl Instruction {
    /// Destination and source.
    fn registers(&self) -> [u8; 2] {
        [self.registers & 0xf, self.registers >> 4]
    }

    /// Where the function begins that this instruction calls, if it calls one of the program's own. Once translated, the
    /// distance is where a jump has it.
    fn callee(&self, at: usize) -> Option<Result<usize>> {
        const CALL: u8 = 0x85;
        const OWN: u8 = 1;
        let [_, kind] = self.registers();
        let target =
            || at.checked_add_signed(isize::from(self.offset) + 1).context("a call before the program");
        (self.code == CALL && kind == OWN).then(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXIT: Instruction = Instruction { code: 0x95, registers: 0, offset: 0, value: 0 };

    fn call(distance: i16) -> Instruction {
        Instruction { code: 0x85, registers: 0x10, offset: distance, value: 0 }
    }

    fn store(offset: i16) -> Instruction {
        Instruction { code: 0x7b, registers: 0x1a, offset, value: 0 }
    }

    #[test]
    fn the_deepest_chain_counts_and_each_function_is_rounded_up() {
        let copy = Instruction { code: 0xbf, registers: 0xa2, offset: 0, value: 0 };
        let add = Instruction { code: 0x07, registers: 2, offset: 0, value: -40 };
        let load = Instruction { code: 0x79, registers: 0x20, offset: -100, value: 0 };
        assert_eq!(deepest(&[store(-8), EXIT]).expect("a program"), 32);
        assert_eq!(deepest(&[store(-33), EXIT]).expect("a program"), 64);
        // Two functions of 64 and 160 bytes, of which one is called at a time.
        let program = [store(-8), call(2), call(4), EXIT, copy, add, EXIT, copy, add, load, EXIT];
        assert_eq!(deepest(&program).expect("a program"), 32 + 160);
        let program = [store(-8), call(1), EXIT, store(-8), call(1), EXIT, copy, add, EXIT];
        assert_eq!(deepest(&program).expect("a program"), 32 + 32 + 64);
        assert!(deepest(&[call(-3), EXIT]).is_err());
    }
}
