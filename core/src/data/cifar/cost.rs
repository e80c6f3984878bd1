//! A check of the memory and time that a pickle needs, before it is decoded.
//!
//! serde-pickle decodes nested values by recursion, copies a value at each reference to it, and parses numbers of any
//! length. A crafted file of one megabyte could thus exhaust the stack or the memory. The official archives consist of
//! a few containers, strings and small numbers, so generous limits reject crafted files only.

use std::collections::HashMap;

/// Largest number of lists, dictionaries, tuples and objects of a pickle. It also limits their nesting. The official
/// files have fewer than 20.
const MAX_CONTAINERS: usize = 256;
/// Largest number of values and other operations. The largest official file has about 500,000.
const MAX_OPERATIONS: usize = 5_000_000;
/// Largest number of bytes of a number. The official files have labels of one or two bytes.
const MAX_NUMBER: usize = 32;
/// Largest number of bytes that references to earlier values may copy. The official files copy short strings only.
const MAX_COPIED: usize = 1 << 24;

/// Checks a pickle; the error names the exceeded limit. For bytes that are not a pickle the result is `Ok`, because the
/// decoder reports the error.
pub(super) fn check_cost(pickle: &[u8]) -> Result<(), &'static str> {
    let mut count = Count::default();
    let mut rest = pickle;
    while let Some((&opcode, arguments)) = rest.split_first() {
        if opcode == b'.' {
            return Ok(());
        }
        let Some(length) = argument_length(opcode, arguments).filter(|length| *length <= arguments.len()) else {
            return Ok(());
        };
        let position = pickle.len() - rest.len();
        count.add(opcode, &arguments[..length], position)?;
        rest = &arguments[length..];
    }
    Ok(())
}

/// Number of argument bytes after an opcode, as listed by Python's pickletools; `None` if the bytes end before.
fn argument_length(opcode: u8, arguments: &[u8]) -> Option<usize> {
    let counted = |bytes: usize| little_endian(arguments.get(..bytes)?).checked_add(bytes);
    let line = |from: usize| Some(from + 1 + arguments.get(from..)?.iter().position(|&byte| byte == b'\n')?);
    match opcode {
        b'K' | b'q' | b'h' | 0x80 | 0x82 => Some(1),
        b'M' | 0x83 => Some(2),
        b'J' | b'j' | b'r' | 0x84 => Some(4),
        b'G' | 0x95 => Some(8),
        b'U' | b'C' | 0x8a | 0x8c => counted(1),
        b'T' | b'X' | b'B' | 0x8b => counted(4),
        0x8d | 0x8e | 0x96 => counted(8),
        b'I' | b'L' | b'F' | b'S' | b'V' | b'P' | b'p' | b'g' => line(0),
        b'c' | b'i' => line(0).and_then(line),
        _ => Some(0),
    }
}

fn little_endian(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | usize::from(byte))
}

/// Resources that decoding the operations so far needs.
#[derive(Default)]
struct Count {
    containers: usize,
    operations: usize,
    copied: usize,
    /// Length of each remembered string, by its number. `None` for other values, which may grow after they are
    /// remembered.
    remembered: HashMap<usize, Option<usize>>,
    /// Length of the last value if it is a string.
    last: Option<usize>,
}

impl Count {
    fn add(&mut self, opcode: u8, argument: &[u8], position: usize) -> Result<(), &'static str> {
        self.operations += 1;
        if self.operations > MAX_OPERATIONS {
            return Err("too many values");
        }
        match opcode {
            // DUP copies a value. Picklers do not write it, and it can nest a list in itself.
            b'2' => return Err("a copy of a value by the operation DUP"),
            // The decoder sorts the keys of dictionaries, and fails for a NaN among them. The archives have no such
            // numbers.
            b'F' | b'G' => return Err("a floating-point number"),
            b'I' | b'L' | 0x8a | 0x8b if argument.len() > MAX_NUMBER => {
                return Err("a number with too many digits");
            }
            // Opcodes that create lists, dictionaries, tuples, sets, or objects from arguments.
            b']' | b'l' | b'}' | b'd' | b')' | b't' | 0x85..=0x87 | 0x8f | 0x91 | b'i' | b'o' | 0x92 => {
                self.containers += 1;
                if self.containers > MAX_CONTAINERS {
                    return Err("more than 256 lists, dictionaries, tuples or objects");
                }
            }
            b'q' | b'r' | b'p' => drop(self.remembered.insert(number(opcode, argument), self.last)),
            0x94 => drop(self.remembered.insert(self.remembered.len(), self.last)),
            b'h' | b'j' | b'g' => {
                // A value that is no string may hold everything so far.
                let everything = position.saturating_add(self.copied);
                let remembered = self.remembered.get(&number(opcode, argument)).copied();
                let size = remembered.map_or(0, |length| length.unwrap_or(everything));
                self.copied = self.copied.saturating_add(size);
                if self.copied > MAX_COPIED {
                    return Err("too many copies of a value");
                }
            }
            _ => {}
        }
        match opcode {
            // Strings, and the names of globals.
            b'U' | b'C' | b'T' | b'X' | b'B' | 0x8c..=0x8e | 0x96 | b'S' | b'V' | b'c' => {
                self.last = Some(argument.len())
            }
            // The value stays on the stack when it is remembered.
            b'q' | b'r' | b'p' | 0x94 => {}
            _ => self.last = None,
        }
        Ok(())
    }
}

/// The number of a remembered value.
fn number(opcode: u8, argument: &[u8]) -> usize {
    match opcode {
        b'p' | b'g' => std::str::from_utf8(argument).ok().and_then(|text| text.trim().parse().ok()).unwrap_or_default(),
        _ => little_endian(argument),
    }
}
