//! Checks that a JPEG file is complete (ITU-T T.81, section B.2).
//!
//! Decoders replace missing parts by grey. This check follows the segments of a file up to the end of the image, and
//! counts the blocks of each scan.

use super::bits::Huffman;
use super::scan::{Component, Frame, Scan};
use super::{Cancel, Failure};

/// Largest number of scans. Usual files have one to twelve; each costs time, however short it is.
const MAX_SCANS: usize = 256;

const ENDS_EARLY: &str = "the file ends before the end of the image";

/// Returns an error if the file ends before the image, a scan has fewer or more blocks than the image, or scans are
/// missing. Kinds of JPEG other than baseline, extended and progressive with Huffman codes are left to the decoder.
pub(super) fn check(jpeg: &[u8], cancel: &Cancel) -> Result<(), Failure> {
    let mut rest = jpeg.strip_prefix(&[0xff, 0xd8]).ok_or(ENDS_EARLY)?;
    let mut state = State::default();
    loop {
        rest = match *rest {
            // A fill byte before a marker.
            [0xff, 0xff, ..] => &rest[1..],
            [0xff, 0xd9, ..] => return state.end(),
            [0xff, code, high, low, ..] => {
                let length = usize::from(high) << 8 | usize::from(low);
                let segment = rest.get(4..2 + length).ok_or(ENDS_EARLY)?;
                let after = &rest[2 + length..];
                match code {
                    // Arithmetic codes, lossless and hierarchical images.
                    0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => return Ok(()),
                    0xda => state.scan(segment, after, cancel)?,
                    _ => state.segment(code, segment).map(|()| after)?,
                }
            }
            [] | [0xff, ..] => return Err(ENDS_EARLY.into()),
            _ => return Err("the file has data between its segments".into()),
        };
    }
}

/// The content of the segments before a scan.
#[derive(Default)]
struct State {
    frame: Option<Frame>,
    /// Huffman tables: DC, then AC.
    tables: [[Option<Huffman>; 4]; 2],
    restart: usize,
    scans: usize,
}

impl State {
    fn segment(&mut self, code: u8, segment: &[u8]) -> Result<(), Failure> {
        match (code, segment) {
            (0xc4, _) => self.huffman(segment)?,
            (0xdd, &[high, low, ..]) => self.restart = usize::from(high) << 8 | usize::from(low),
            (0xc0..=0xc2, &[_, h1, h0, w1, w0, _, ref components @ ..]) => {
                let side = |high, low| usize::from(high) << 8 | usize::from(low);
                let component = |one: &[u8]| {
                    Component::new(one[0], [one[1] >> 4, one[1] & 15].map(|factor| factor.clamp(1, 4).into()))
                };
                self.frame = Some(Frame {
                    progressive: code == 0xc2,
                    width: side(w1, w0),
                    height: side(h1, h0),
                    components: components.chunks_exact(3).take(4).map(component).collect(),
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn huffman(&mut self, mut segment: &[u8]) -> Result<(), Failure> {
        while let Some((&[place, ref counts @ ..], rest)) = segment.split_first_chunk::<17>() {
            let length = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(length).ok_or("a Huffman table is incomplete")?;
            self.tables[usize::from(place >> 4 & 1)][usize::from(place & 3)] = Some(Huffman::new(counts, symbols)?);
            segment = rest;
        }
        Ok(())
    }

    /// Reads a scan, and returns what follows it.
    fn scan<'a>(&mut self, header: &[u8], data: &'a [u8], cancel: &Cancel) -> Result<&'a [u8], Failure> {
        const WRONG: &str = "the header of a scan is wrong";
        let frame = self.frame.as_mut().ok_or("the image has no header")?;
        let (&count, header) = header.split_first().ok_or(WRONG)?;
        let (components, rest) = header.split_at_checked(2 * usize::from(count)).ok_or(WRONG)?;
        let &[start, end, bits, ..] = rest else { return Err(WRONG.into()) };
        let band = if frame.progressive { [start, end] } else { [0, 63] };
        self.scans += 1;
        if count == 0 || count > 4 || band[0] > band[1] || band[1] > 63 || self.scans > MAX_SCANS {
            return Err(WRONG.into());
        }
        let mut scan = Scan {
            components: Vec::new(),
            band,
            refines: bits >> 4 > 0,
            low: if frame.progressive { bits & 15 } else { 0 },
            restart: self.restart,
        };
        for one in components.chunks_exact(2) {
            let index = frame.components.iter().position(|component| component.id == one[0]).ok_or(WRONG)?;
            let table = |class: usize, number: u8| self.tables[class][usize::from(number & 3)].as_ref();
            scan.components.push((index, table(0, one[1] >> 4), table(1, one[1])));
        }
        scan.read(frame, data, cancel)
    }

    /// Returns an error if bits of a coefficient are missing.
    fn end(&self) -> Result<(), Failure> {
        let components = self.frame.iter().flat_map(|frame| &frame.components);
        match components.flat_map(|one| one.missing_bits).any(|bits| bits > 0) || self.frame.is_none() {
            true => Err("the image lacks scans".into()),
            false => Ok(()),
        }
    }
}
