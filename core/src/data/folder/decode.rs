//! Strict decoding of one image file.
//!
//! The pixels are those of torchvision's default loader: the orientation in EXIF data is not applied, and transparency is
//! dropped without a background. A file that is cut is an error, never grey pixels.

use std::error::Error;
use std::io::Cursor;
use std::path::Path;
use std::sync::Mutex;

use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat, ImageReader, Limits};

use super::{Cancel, DataError, jpeg};
use crate::read_file;

/// Largest size of a file, in bytes.
const MAX_FILE: u64 = 1 << 28;
/// Largest number of pixels of an image. It is the number at which the library Pillow warns of a decompression bomb.
const MAX_PIXELS: usize = 89_478_485;
/// Number of pixels above which images are decoded one at a time, so that memory does not grow with the threads.
const LARGE: usize = 1 << 22;

/// Held while a large image is decoded.
static ONE_LARGE: Mutex<()> = Mutex::new(());

pub(super) type Failure = Box<dyn Error + Send + Sync>;

/// Decodes one image into `place`, `[size, size, 3]`. The content defines the format, the name of the file does not.
///
/// # Errors
/// The file cannot be read, is damaged, or has more than [`MAX_PIXELS`] pixels.
pub(super) fn decode(path: &Path, size: u32, place: &mut [u8], cancel: &Cancel) -> Result<(), DataError> {
    let bytes = read_file::bytes(path, MAX_FILE).map_err(|source| DataError::Read { path: path.into(), source })?;
    let failed = |source: Failure| DataError::Decode { path: path.into(), source };
    let (width, height) = dimensions(&bytes).map_err(failed)?;
    let pixels = width.saturating_mul(height);
    if pixels > MAX_PIXELS {
        return Err(DataError::Content {
            path: path.into(),
            expected: format!("an image of at most {MAX_PIXELS} pixels"),
            found: format!("{width} x {height}"),
            fix: "scale it down, or remove it",
        });
    }
    let _one = (pixels > LARGE).then(|| ONE_LARGE.lock());
    let image = pixels_of(&bytes, cancel).map_err(failed)?;
    let image = if (width, height) == (size as usize, size as usize) {
        image.into_rgb8()
    } else {
        image.resize_exact(size, size, FilterType::Triangle).into_rgb8()
    };
    place.copy_from_slice(&image);
    Ok(())
}

/// Width and height, from the header of the file.
fn dimensions(bytes: &[u8]) -> Result<(usize, usize), Failure> {
    let (width, height) = reader(bytes)?.into_dimensions()?;
    Ok((width as usize, height as usize))
}

fn pixels_of(bytes: &[u8], cancel: &Cancel) -> Result<DynamicImage, Failure> {
    match image::guess_format(bytes)? {
        ImageFormat::Jpeg => jpeg::decode(bytes, cancel),
        _ => Ok(reader(bytes)?.decode()?),
    }
}

fn reader(bytes: &[u8]) -> Result<ImageReader<Cursor<&[u8]>>, Failure> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), image::guess_format(bytes)?);
    let mut limits = Limits::no_limits();
    // Eight bytes per pixel suffice for 16-bit colours with transparency.
    limits.max_alloc = Some(8 * MAX_PIXELS as u64);
    reader.limits(limits);
    Ok(reader)
}
