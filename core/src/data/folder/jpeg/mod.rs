//! Strict decoding of JPEG files.

mod bits;
mod check;
mod scan;

use image::{DynamicImage, ImageBuffer};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::{Cancel, decode::Failure};

/// Decodes a JPEG file. The decoder of the crate `image` replaces missing parts by grey. This one checks that they are
/// there, and refuses data that the strict mode of its decoder refuses.
pub(super) fn decode(bytes: &[u8], cancel: &Cancel) -> Result<DynamicImage, Failure> {
    check::check(bytes, cancel)?;
    cancel.check()?;
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let pixels = decoder.decode()?;
    let (width, height) = decoder.dimensions().ok_or("no dimensions")?;
    let image = ImageBuffer::from_raw(width as u32, height as u32, pixels).ok_or("fewer pixels than its dimensions")?;
    Ok(DynamicImage::ImageRgb8(image))
}

#[cfg(test)]
mod tests;
