//! A bound on how deep the values of a pickle are nested, before they are decoded.
//!
//! serde-pickle follows nested values by recursion, so that a crafted file of a megabyte could exhaust the stack and
//! end the process. An archive makes a handful of lists and tuples, which bounds their nesting too.

/// The most lists, dictionaries, tuples and objects that a pickle may make; the official files make fewer than 20.
const MAX_CONTAINERS: usize = 256;

/// Whether the pickle makes few enough containers. Stops at the end, or at what is not a pickle: decoding reports it.
pub(super) fn is_shallow(pickle: &[u8]) -> bool {
    let mut rest = pickle;
    let mut containers = 0;
    while let Some((&opcode, arguments)) = rest.split_first() {
        let number = |bytes: usize| {
            let digits = arguments.get(..bytes)?;
            Some(digits.iter().rev().fold(0usize, |value, &digit| value << 8 | usize::from(digit)))
        };
        let line = |from: usize| Some(from + 1 + arguments.get(from..)?.iter().position(|&byte| byte == b'\n')?);
        // the bytes of arguments that follow the opcode; Python's pickletools lists them
        let length = match opcode {
            b'.' => return true,
            b'2' => return false, // copies a value, which no pickler writes; a list can be doubled into itself by it
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
        // lists, dictionaries, tuples, sets, and objects from their arguments
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
