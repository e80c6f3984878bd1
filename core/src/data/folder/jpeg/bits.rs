//! Bits and Huffman codes of entropy-coded data (ITU-T T.81, sections F.2.2 and C.2).

use super::Failure;

/// Number of bits that one look-up of a code reads.
const FAST: u32 = 9;

/// The bits of the data between two markers. The zero byte after a data byte of 0xff is left out.
pub(super) struct Bits<'a> {
    rest: &'a [u8],
    /// The next bits, from the most significant bit on. Behind them are zeros.
    buffer: u64,
    /// Number of bits in the buffer.
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { rest: data, buffer: 0, count: 0 }
    }

    fn fill(&mut self) {
        while self.count <= 56 {
            let (byte, length) = match *self.rest {
                [0xff, 0, ..] => (0xff, 2),
                [] | [0xff, ..] => return,
                [byte, ..] => (byte, 1),
            };
            self.rest = &self.rest[length..];
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next 16 bits, with zeros behind the end of the data.
    fn peek(&mut self) -> u32 {
        if self.count < 16 {
            self.fill();
        }
        (self.buffer >> 48) as u32
    }

    /// Reads a number of up to 16 bits.
    pub(super) fn number(&mut self, bits: u32) -> Result<u32, Failure> {
        let number = self.peek() >> (16 - bits);
        if bits > self.count {
            return Err("the image data end too early".into());
        }
        self.buffer <<= bits;
        self.count -= bits;
        Ok(number)
    }

    /// Reads the symbol of the next code.
    pub(super) fn symbol(&mut self, table: &Huffman) -> Result<u8, Failure> {
        let next = self.peek();
        let [length, symbol] = table.fast[(next >> (16 - FAST)) as usize];
        let (length, symbol) = if length > 0 { (u32::from(length), symbol) } else { table.long(next)? };
        self.number(length).map(|_| symbol)
    }

    /// Returns what follows the data, which must be a marker. Only the padding of the last byte may be left.
    pub(super) fn end(mut self) -> Result<&'a [u8], Failure> {
        self.fill();
        if self.count >= 8 {
            return Err("the image data have bytes after the last block".into());
        }
        Ok(self.rest)
    }
}

/// A table of Huffman codes.
pub(super) struct Huffman {
    /// Length and symbol of the code at the start of [`FAST`] bits; the length is 0 for longer codes.
    fast: [[u8; 2]; 1 << FAST],
    /// For each length from 1 to 16: the code after the last one, and the position of a code's symbol minus the code.
    lengths: [(u32, i32); 16],
    symbols: Vec<u8>,
}

impl Huffman {
    /// Builds a table from its number of codes of each length, and its symbols in the order of their codes.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self, Failure> {
        let mut table = Self { fast: [[0; 2]; 1 << FAST], lengths: [(0, 0); 16], symbols: symbols.to_vec() };
        let (mut code, mut position) = (0, 0);
        for (length, &count) in (1..).zip(counts) {
            let end = code + u32::from(count);
            if end > 1 << length {
                return Err("a Huffman table has too many codes".into());
            }
            table.lengths[length as usize - 1] = (end, position as i32 - code as i32);
            for code in code..end {
                if length <= FAST {
                    let first = (code << (FAST - length)) as usize;
                    table.fast[first..][..1 << (FAST - length)].fill([length as u8, symbols[position]]);
                }
                position += 1;
            }
            code = end << 1;
        }
        Ok(table)
    }

    /// Length and symbol of the code at the start of 16 bits.
    fn long(&self, bits: u32) -> Result<(u32, u8), Failure> {
        for (length, (end, offset)) in (1..).zip(self.lengths) {
            let code = bits >> (16 - length);
            if code < end {
                return Ok((length, self.symbols[(code as i32 + offset) as usize]));
            }
        }
        Err("the image data have an unknown Huffman code".into())
    }
}
