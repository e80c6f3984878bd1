//! A check of the nesting of a pickle before it is decoded.
//!
//! serde-pickle decodes nested values by recursion, so a crafted file of one megabyte could exhaust the stack and abort the
//! process. The official archives create few containers, and a limit on their number also limits their nesting.

/// Largest number of lists, dictionaries, tuples and objects of a pickle. The official files have fewer than 20.
const MAX_CONTAINERS: usize = 256;

/// Whether the pickle creates at most [`MAX_CONTAINERS`] containers. For bytes that are not a pickle the result is `true`;
/// the decoder reports the error.
pub(super) fn is_shallow(pickle: &[u8]) -> bool {
    let mut rest = pickle;
    let mut containers = 0;
    while let Some((&opcode, arguments)) = rest.split_first() {
        let number = |bytes: usize| {
            let digits = arguments.get(..bytes)?;
            Some(digits.iter().rev().fold(0usize, |value, &digit| value << 8 | usize::from(digit)))
        };
        let line = |from: usize| Some(from + 1 + arguments.get(from..)?.iter().position(|&byte| byte == b'\n')?);
        // Number of argument bytes after the opcode, as listed by Python's pickletools.
        let length = match opcode {
            b'.' => return true,
            // DUP copies a value. Picklers do not write it, and it can nest a list in itself.
            b'2' => return false,
            b'K' | b'q' | b'h' | 0x80 | 0x82 => Some(1),
            b'M' | 0x83 => Some(2),
            b'J' | b'j' | b'r' | 0x84 => Some(4),
            b'G' | 0x95 => Some(8),
            b'U' | b'C' | 0x8a | 0x8c => number(1).and_then(|length| length.checked_add(1)),
            b'T' | b'X' | b'B' | 0x8b => number(4).and_then(|length| length.checked_add(4)),
            0x8d | 0x8e | 0x96 => number(8).and_then(|length| length.checked_add(8)),
            b'I' | b'L' | b'F' | b'S' | b'V' | b'P' | b'p' | b'g' => line(0),
            b'c' | b'i' => line(0).and_then(line),
            _ => Some(0),
        };
        // Opcodes that create lists, dictionaries, tuples, sets, or objects from arguments.
        if matches!(opcode, b']' | b'l' | b'}' | b'd' | b')' | b't' | 0x85..=0x87 | 0x8f | 0x91 | b'i' | b'o' | 0x92) {
            containers += 1;
        }
        if containers > MAX_CONTAINERS {
            return false;
        }
        match length.and_then(|length| arguments.get(length..)) {
            Some(next) => rest = next,
            None => return true,
        }
    }
    true
}
