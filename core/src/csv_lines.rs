//! Line numbers of CSV records.

use csv::Position;

/// Line numbers of the records of a CSV text.
///
/// The line numbers of the CSV reader are those of the end of the previous record. They are too small after blank lines
/// and `\r\n`.
pub struct CsvLines<'a> {
    bytes: &'a [u8],
    counted: usize,
    line: u64,
}

impl<'a> CsvLines<'a> {
    /// The lines of a text.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, counted: 0, line: 1 }
    }

    /// The line of the first byte of a record, from 1. Positions must not decrease from call to call.
    pub fn at(&mut self, position: Option<&Position>) -> u64 {
        let start = position.map_or(self.counted, |position| position.byte() as usize);
        while let Some(&byte) = self.bytes.get(self.counted)
            && (self.counted < start || matches!(byte, b'\r' | b'\n'))
        {
            self.counted += 1;
            let ends = byte == b'\n' || byte == b'\r' && self.bytes.get(self.counted) != Some(&b'\n');
            self.line += u64::from(ends);
        }
        self.line
    }
}
