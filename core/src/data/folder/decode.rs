//! Strict decoding of one image file.
//!
//! The pixels are those of torchvision's default loader: the orientation in EXIF data is not applied, and transparency is
//! dropped without a background. A file that is cut or damaged is an error, never grey pixels.

use std::error::Error;
use std::io::Cursor;
use std::path::Path;
use std::sync::Mutex;

use image::imageops::FilterType;
use image::{DynamicImage, ImageBuffer, ImageFormat, ImageReader, Limits};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::{DataError, jpeg_marker};
use crate::read_file;

/// Largest size of a file, in bytes.
const MAX_FILE: u64 = 1 << 28;
/// Largest number of pixels of an image. It is the number at which the library Pillow warns of a decompression bomb.
const MAX_PIXELS: usize = 89_478_485;
/// Number of pixels above which images are decoded one at a time, so that memory does not grow with the threads.
const LARGE: usize = 1 << 22;

/// Held while a large image is decoded.
static ONE_LARGE: Mutex<()> = Mutex::new(());

type Failure = Box<dyn Error + Send + Sync>;

/// Decodes one image into `place`, `[size, size, 3]`. The content defines the format, the name of the file does not.
///
/// # Errors
/// The file cannot be read, is damaged, or has more than [`MAX_PIXELS`] pixels.
pub(super) fn decode(path: &Path, size: u32, place: &mut [u8]) -> Result<(), DataError> {
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
    let image = pixels_of(&bytes).map_err(failed)?;
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

fn pixels_of(bytes: &[u8]) -> Result<DynamicImage, Failure> {
    match image::guess_format(bytes)? {
        ImageFormat::Jpeg => jpeg(bytes),
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

/// Decodes a JPEG file. The decoder of the crate `image` replaces missing or damaged parts by grey; this one refuses them.
fn jpeg(bytes: &[u8]) -> Result<DynamicImage, Failure> {
    // The strict mode below accepts a file that lacks only its last bytes.
    if !jpeg_marker::has_end(bytes) {
        return Err("the file ends before the end of the image".into());
    }
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(MAX_PIXELS)
        .set_max_height(MAX_PIXELS)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let pixels = decoder.decode()?;
    let (width, height) = decoder.dimensions().ok_or("no dimensions")?;
    let image = ImageBuffer::from_raw(width as u32, height as u32, pixels).ok_or("fewer pixels than its dimensions")?;
    Ok(DynamicImage::ImageRgb8(image))
}
