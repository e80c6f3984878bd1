//! One idx file: its header, and its values.
//!
//! A file consists of two zero bytes, the byte 8 (for unsigned bytes as values), the number of dimensions, the
//! dimensions as big-endian `u32`, and the values. <https://yann.lecun.com/exdb/mnist/>

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::{Cancel, DataError, FIX};
use crate::read_file;

/// Number of values beyond which a compressed file is read twice: first to count them without memory, then to keep
/// them.
const MIN_VALUES_TO_COUNT_FIRST: u64 = 1 << 27;
/// Number of bytes between two checks for a request to stop.
const CHUNK: u64 = 1 << 20;

/// Content of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// Pixels `[n, h, w]`.
    Images,
    /// Labels `[n]`.
    Labels,
}

impl Kind {
    fn sides(self) -> u8 {
        if self == Self::Images { 3 } else { 1 }
    }
}

/// An idx file whose header is read.
pub(super) struct IdxFile {
    path: PathBuf,
    pub(super) dimensions: Vec<u64>,
}

impl IdxFile {
    /// Reads the header. An uncompressed file must have the length that follows from it.
    pub(super) fn open(path: &Path, kind: Kind) -> Result<Self, DataError> {
        let sides = kind.sides();
        let mut header = Vec::new();
        let length = 4 + 4 * u64::from(sides);
        let (mut reader, file_length) = reader(path)?;
        reader.by_ref().take(length).read_to_end(&mut header).map_err(|source| failed(path, source))?;
        if (header.len() as u64) < length {
            return Err(wrong_size(path, length, header.len() as u64));
        }
        let (magic, rest) = header.split_at(4);
        if magic != [0, 0, 8, sides] {
            return Err(DataError::Content {
                path: path.into(),
                expected: format!("the first bytes of an idx file, [0, 0, 8, {sides}]"),
                found: format!("{magic:?}"),
                fix: FIX,
            });
        }
        let side = |bytes: &[u8]| u64::from(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        let file = Self { path: path.into(), dimensions: rest.chunks_exact(4).map(side).collect() };
        match file_length {
            Some(found) if found != file.length() => Err(wrong_size(path, file.length(), found)),
            _ => Ok(file),
        }
    }

    fn header_length(&self) -> u64 {
        4 + 4 * self.dimensions.len() as u64
    }

    /// Number of values. Three `u32` can exceed `u64`, the size of a file cannot.
    fn count(&self) -> u64 {
        self.dimensions.iter().fold(1u64, |product, &side| product.saturating_mul(side))
    }

    /// Number of values of one image.
    fn image_bytes(&self) -> usize {
        self.dimensions[1..].iter().product::<u64>() as usize
    }

    /// Length of the uncompressed file, in bytes.
    fn length(&self) -> u64 {
        self.header_length().saturating_add(self.count())
    }

    /// Reads the values.
    pub(super) fn values(&self, cancel: &Cancel) -> Result<Vec<u8>, DataError> {
        if is_compressed(&self.path) && self.count() > MIN_VALUES_TO_COUNT_FIRST {
            self.read(&mut io::sink(), cancel)?;
        }
        let mut values = Vec::new();
        let memory = |_| DataError::Memory { images: self.dimensions[0] as usize, bytes: self.image_bytes() };
        values.try_reserve_exact(usize::try_from(self.count()).unwrap_or(usize::MAX)).map_err(memory)?;
        self.read(&mut values, cancel)?;
        Ok(values)
    }

    /// Copies the values to `out`, and checks their number.
    fn read(&self, out: &mut dyn io::Write, cancel: &Cancel) -> Result<(), DataError> {
        let io = |source| failed(&self.path, source);
        let (mut reader, _) = reader(&self.path)?;
        io::copy(&mut reader.by_ref().take(self.header_length()), &mut io::sink()).map_err(io)?;
        let (count, mut found) = (self.count(), 0);
        while found <= count {
            cancel.check()?;
            // One byte too many shows that the file is too long.
            let wanted = CHUNK.min((count - found).saturating_add(1));
            let copied = io::copy(&mut reader.by_ref().take(wanted), out).map_err(io)?;
            found += copied;
            if copied < wanted {
                break;
            }
        }
        match found {
            _ if found == count => Ok(()),
            _ if found < count => Err(wrong_size(&self.path, self.length(), self.header_length() + found)),
            // The rest was not read, so the size is unknown.
            _ => Err(DataError::Content {
                path: self.path.clone(),
                expected: format!("{} bytes", self.length()),
                found: "more".into(),
                fix: FIX,
            }),
        }
    }
}

/// The uncompressed content of a file, and its length where it is known.
fn reader(path: &Path) -> Result<(Box<dyn Read>, Option<u64>), DataError> {
    let open = || {
        let file = read_file::open(path)?;
        let length = file.metadata()?.len();
        io::Result::Ok((BufReader::new(file), length))
    };
    let (file, length): (BufReader<File>, u64) = open().map_err(|source| failed(path, source))?;
    Ok(match is_compressed(path) {
        true => (Box::new(MultiGzDecoder::new(file)), None),
        false => (Box::new(file), Some(length)),
    })
}

fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

fn failed(path: &Path, source: io::Error) -> DataError {
    DataError::Read { path: path.into(), source }
}

fn wrong_size(path: &Path, expected: u64, found: u64) -> DataError {
    DataError::Size { path: path.into(), expected, found, fix: FIX }
}
