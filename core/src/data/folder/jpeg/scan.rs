//! Counts the blocks of one scan (ITU-T T.81, sections F.2.2 and G.2).
//!
//! Coefficients are skipped, except for what the data of later scans depend on: which ones are zero.

use super::bits::{Bits, Huffman};
use super::{Cancel, Failure};

/// Number of blocks, or of interleaved units, between two checks for a request to stop.
const UNITS_PER_CANCEL_CHECK: usize = 1 << 12;

/// The header of an image, and the state of its coefficients after the scans so far.
pub(super) struct Frame {
    pub(super) progressive: bool,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) components: Vec<Component>,
}

/// One component: brightness or a colour.
pub(super) struct Component {
    pub(super) id: u8,
    /// Horizontal and vertical sampling factor, 1 to 4.
    pub(super) sampling: [usize; 2],
    /// Number of missing low bits of each coefficient; [`Component::MISSING`] before the first scan.
    pub(super) missing_bits: [u8; 64],
    /// A bit for each coefficient of each block that is not zero, of progressive images.
    nonzero: Vec<u64>,
}

impl Component {
    const MISSING: u8 = u8::MAX;

    pub(super) fn new(id: u8, sampling: [usize; 2]) -> Self {
        Self { id, sampling, missing_bits: [Self::MISSING; 64], nonzero: Vec::new() }
    }
}

/// The parameters of a scan.
pub(super) struct Scan<'a> {
    /// Index, DC table and AC table of each component.
    pub(super) components: Vec<(usize, Option<&'a Huffman>, Option<&'a Huffman>)>,
    /// First and last coefficient.
    pub(super) band: [u8; 2],
    /// Whether the scan adds a bit to known coefficients.
    pub(super) refines: bool,
    /// Number of low bits that are left to later scans.
    pub(super) low: u8,
    /// Number of units between two restart markers, or 0.
    pub(super) restart: usize,
}

impl Scan<'_> {
    /// Reads the scan. Returns what follows its data.
    pub(super) fn read<'a>(&self, frame: &mut Frame, data: &'a [u8], cancel: &Cancel) -> Result<&'a [u8], Failure> {
        let most = |axis: usize| frame.components.iter().map(|one| one.sampling[axis]).max().unwrap_or(1);
        let (most, sides) = ([most(0), most(1)], [frame.width, frame.height]);
        // Units of all components, each of `sampling` blocks.
        let units = [0, 1].map(|axis| sides[axis].div_ceil(8 * most[axis]));
        let alone = self.components.len() == 1;
        let count = match self.components[..] {
            // A component that stands alone has no blocks outside of the image.
            [(index, ..)] => {
                let sampling = frame.components[index].sampling;
                [0, 1].map(|axis| (sides[axis] * sampling[axis]).div_ceil(most[axis]).div_ceil(8)).iter().product()
            }
            _ => units[0] * units[1],
        };
        for &(index, ..) in &self.components {
            let component = &mut frame.components[index];
            component.missing_bits[usize::from(self.band[0])..=usize::from(self.band[1])].fill(self.low);
            if frame.progressive && component.nonzero.is_empty() {
                component.nonzero = vec![0; units[0] * units[1] * component.sampling[0] * component.sampling[1]];
            }
        }
        let mut bits = Bits::new(data);
        let mut run = 0;
        for unit in 0..count {
            if unit % UNITS_PER_CANCEL_CHECK == 0 {
                cancel.check()?;
            }
            if self.restart > 0 && unit > 0 && unit % self.restart == 0 {
                let number = (unit / self.restart - 1) % 8;
                bits = Bits::new(after_restart(bits.end()?, number as u8)?);
                run = 0;
            }
            for &(index, first, others) in &self.components {
                let component = &mut frame.components[index];
                let blocks = if alone { 1 } else { component.sampling[0] * component.sampling[1] };
                for block in unit * blocks..(unit + 1) * blocks {
                    let mut reader = Block { scan: self, bits: &mut bits, run: &mut run };
                    match (frame.progressive, self.band[0]) {
                        (false, _) => reader.sequential(table(first)?, table(others)?)?,
                        (true, 0) => reader.first(first)?,
                        (true, _) => reader.band(table(others)?, &mut component.nonzero[block])?,
                    }
                }
            }
        }
        bits.end()
    }
}

fn table(table: Option<&Huffman>) -> Result<&Huffman, Failure> {
    table.ok_or_else(|| "a Huffman table is missing".into())
}

/// Skips the restart marker of this number, which must come next.
fn after_restart(data: &[u8], number: u8) -> Result<&[u8], Failure> {
    let fill = data.iter().take_while(|&&byte| byte == 0xff).count();
    match data[fill..].split_first() {
        Some((&code, rest)) if fill > 0 && code == 0xd0 + number => Ok(rest),
        _ => Err("the image data lack a restart marker".into()),
    }
}

/// The reader of one block.
struct Block<'a, 'b> {
    scan: &'a Scan<'a>,
    bits: &'a mut Bits<'b>,
    /// Number of further blocks without new coefficients.
    run: &'a mut u32,
}

impl Block<'_, '_> {
    /// All coefficients of a block of a sequential image.
    fn sequential(&mut self, first: &Huffman, others: &Huffman) -> Result<(), Failure> {
        let size = self.bits.symbol(first)?;
        self.value(size)?;
        let mut at = 1;
        while at < 64 {
            let symbol = self.bits.symbol(others)?;
            at += usize::from(symbol >> 4);
            match symbol & 15 {
                0 if symbol != 0xf0 => break,
                size => self.value(size)?,
            }
            at += 1;
        }
        within(at, 64)
    }

    /// The first coefficient of a block of a progressive image.
    fn first(&mut self, table: Option<&Huffman>) -> Result<(), Failure> {
        if self.scan.refines {
            return self.bits.number(1).map(|_| ());
        }
        let size = self.bits.symbol(self::table(table)?)?;
        self.value(size)
    }

    /// The coefficients of a band of a progressive image.
    fn band(&mut self, table: &Huffman, nonzero: &mut u64) -> Result<(), Failure> {
        let [mut at, end] = self.scan.band.map(usize::from);
        while *self.run == 0 && at <= end {
            let symbol = self.bits.symbol(table)?;
            let (mut zeros, size) = (symbol >> 4, symbol & 15);
            if size == 0 && zeros < 15 {
                *self.run = (1 << zeros) + self.bits.number(zeros.into())?;
                break;
            }
            within(size.into(), if self.scan.refines { 1 } else { 16 })?;
            self.value(size)?;
            // Zeros that stay zero. The known coefficients between them get one bit each.
            while at <= end {
                if self.scan.refines && *nonzero >> at & 1 == 1 {
                    self.bits.number(1)?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                at += 1;
            }
            within(at + usize::from(zeros), end)?;
            *nonzero |= u64::from(size > 0) << at;
            at += 1;
        }
        if *self.run > 0 {
            *self.run -= 1;
            if self.scan.refines && at <= end {
                let known = *nonzero >> at << at & (u64::MAX >> (63 - end));
                (0..known.count_ones()).try_for_each(|_| self.bits.number(1).map(|_| ()))?;
            }
        }
        Ok(())
    }

    /// Skips the bits of a coefficient.
    fn value(&mut self, size: u8) -> Result<(), Failure> {
        within(size.into(), 16)?;
        self.bits.number(size.into()).map(|_| ())
    }
}

fn within(number: usize, most: usize) -> Result<(), Failure> {
    if number <= most { Ok(()) } else { Err("the image data have a coefficient outside of its block".into()) }
}
