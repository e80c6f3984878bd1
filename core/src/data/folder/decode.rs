//! Strict decoding of one image file.
//!
//! The pixels are those of torchvision's default loader, except for grey images of 16 bits: they are scaled to 8 bits,
//! where Pillow clips them. The orientation in EXIF data is not applied, and transparency is dropped without a
//! background. A file that is cut is an error, never grey pixels.

use std::error::Error;
use std::io::{BufRead, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::{io, thread, time};

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::{Cancel, DataError, jpeg};
use crate::read_file;

/// Largest size of a file, in bytes.
const MAX_FILE: u64 = 1 << 28;
/// Largest number of pixels of an image. It is the number at which the library Pillow warns of a decompression bomb.
const MAX_PIXELS: u64 = 89_478_485;
/// Largest size of a decoded image, in bytes: [`MAX_PIXELS`] with three colours of 8 bits.
const MAX_BYTES: u64 = 3 * MAX_PIXELS;
/// Number of bytes beyond the size of a file and its pixels that a decoder may allocate.
const DECODER_OVERHEAD_BYTES: u64 = 1 << 24;
/// Number of pixels above which images are decoded one at a time, so that memory does not grow with the threads.
const LARGE_IMAGE_PIXELS: u64 = 1 << 22;

/// Held while a large image is decoded.
static ONE_LARGE: Mutex<()> = Mutex::new(());

pub(super) type Failure = Box<dyn Error + Send + Sync>;

/// Reads the bytes of an image file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    read_file::bytes(path, MAX_FILE).map_err(|source| DataError::Read { path: path.into(), source })
}

/// Decodes the image in `bytes`, the content of the file `path`, and calls `then` with it. The content defines the
/// format, the name of the file does not. No other large image is decoded until `then` has returned.
///
/// # Errors
/// The file is damaged, has no pixels, or is larger than [`MAX_PIXELS`] or [`MAX_BYTES`]; a request to stop; the errors
/// of `then`.
pub(super) fn decode<T>(
    path: &Path,
    bytes: &[u8],
    cancel: &Cancel,
    then: impl FnOnce(DynamicImage) -> Result<T, DataError>,
) -> Result<T, DataError> {
    // A request to stop fails the decoder.
    let failed = |source| cancel.check().err().unwrap_or_else(|| DataError::Decode { path: path.into(), source });
    let decoder = decoder(bytes, cancel).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    let wrong = |expected, fix| DataError::Content {
        path: path.into(),
        expected,
        found: format!("{width} x {height} with {} byte(s) per pixel", decoder.color_type().bytes_per_pixel()),
        fix,
    };
    let too_large = |limit| wrong(format!("an image of at most {limit}"), "scale it down, or remove it");
    if pixels == 0 {
        return Err(wrong("an image of at least one pixel".into(), "remove it"));
    }
    if pixels > MAX_PIXELS {
        return Err(too_large(format!("{MAX_PIXELS} pixels")));
    }
    if decoder.total_bytes() > MAX_BYTES {
        return Err(too_large(format!("{MAX_BYTES} bytes of pixels")));
    }
    let _one = (pixels > LARGE_IMAGE_PIXELS).then(|| alone(cancel)).transpose()?;
    let image = pixels_of(decoder, bytes, cancel).map_err(failed)?;
    cancel.check()?;
    then(image)
}

/// Waits until no other large image is decoded.
fn alone(cancel: &Cancel) -> Result<MutexGuard<'static, ()>, DataError> {
    loop {
        match ONE_LARGE.try_lock() {
            Ok(guard) => return Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => thread::sleep(time::Duration::from_millis(5)),
        }
        cancel.check()?;
    }
}

/// Reads the header of a file.
fn decoder<'a>(bytes: &'a [u8], cancel: &'a Cancel) -> Result<impl ImageDecoder + 'a, Failure> {
    let pieces = Pieces { bytes: Cursor::new(bytes), cancel };
    let mut reader = ImageReader::with_format(pieces, image::guess_format(bytes)?);
    // The limit of what a PNG file has beside its pixels.
    reader.limits(limits(bytes.len() as u64));
    Ok(reader.into_decoder()?)
}

fn limits(bytes: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(bytes + DECODER_OVERHEAD_BYTES);
    limits
}

fn pixels_of(mut decoder: impl ImageDecoder, bytes: &[u8], cancel: &Cancel) -> Result<DynamicImage, Failure> {
    if image::guess_format(bytes)? == ImageFormat::Jpeg {
        return jpeg::decode(bytes, cancel);
    }
    // A TIFF file with four colours takes more bytes than the image with three.
    decoder.set_limits(limits(2 * decoder.total_bytes() + bytes.len() as u64))?;
    Ok(DynamicImage::from_decoder(decoder)?)
}

/// The bytes of a file, read in pieces. A request to stop makes the next read fail.
struct Pieces<'a> {
    bytes: Cursor<&'a [u8]>,
    cancel: &'a Cancel<'a>,
}

impl Pieces<'_> {
    fn check(&self) -> io::Result<()> {
        self.cancel.check().map_err(io::Error::other)
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.bytes.read(out)
    }
}

impl BufRead for Pieces<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        const PIECE: usize = 1 << 14;
        self.check()?;
        let rest = self.bytes.fill_buf()?;
        Ok(&rest[..rest.len().min(PIECE)])
    }

    fn consume(&mut self, count: usize) {
        self.bytes.consume(count);
    }
}

impl Seek for Pieces<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn a_request_to_stop_ends_decoding_and_waiting() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/seeds/image");
        let requested = AtomicBool::new(true);
        for kind in ["png", "jpeg", "progressive", "tiff", "webp", "bmp", "ppm"] {
            let path = seeds.join(kind);
            let bytes = read(&path).unwrap();
            let error = decode(&path, &bytes, &Cancel(&requested), |_| Ok(())).unwrap_err();
            assert!(matches!(error, DataError::Cancelled), "{kind}: {error}");
        }
        let _other = ONE_LARGE.lock().unwrap();
        assert!(matches!(alone(&Cancel(&requested)), Err(DataError::Cancelled)));
    }
}
