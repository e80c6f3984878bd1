//! Resizing of an image, to a square or to a size that fits in memory.

use image::imageops::FilterType;
use image::{DynamicImage, RgbImage};

use super::{Cancel, DataError};

/// Number of pixels above which an image is reduced before it is resized.
const MAX_PIXELS: u64 = 1 << 24;
/// Side above which an image is reduced before it is resized. Resizing holds whole rows of the original in memory.
const MAX_SIDE: u32 = 1 << 14;
/// Smallest side of a reduced image, in sides of the result.
const MIN_REDUCED_SIDE: u32 = 8;
/// Largest factor of one reduction. The sum of more pixels of 16 bits may exceed 32 bits.
const MAX_FACTOR: u32 = 16;

/// Resizes an image to `[size, size, 3]` by a triangle filter.
pub(super) fn square(mut image: DynamicImage, size: u32, cancel: &Cancel) -> Result<RgbImage, DataError> {
    if (image.width(), image.height()) == (size, size) {
        return Ok(image.into_rgb8());
    }
    image = bounded(image, size, cancel)?;
    Ok(image.resize_exact(size, size, FilterType::Triangle).into_rgb8())
}

/// The image, or its reduction if it is so large that resizing would take much memory.
pub(super) fn bounded(image: DynamicImage, size: u32, cancel: &Cancel) -> Result<DynamicImage, DataError> {
    let large = u64::from(image.width()) * u64::from(image.height()) > MAX_PIXELS
        || image.width().max(image.height()) > MAX_SIDE;
    if large { reduce(image, size, cancel) } else { Ok(image) }
}

/// Averages boxes of pixels, until each side is less than twice [`MIN_REDUCED_SIDE`] sides of the result.
fn reduce(mut image: DynamicImage, size: u32, cancel: &Cancel) -> Result<DynamicImage, DataError> {
    let reduced = |side: u32| side / (side / (MIN_REDUCED_SIDE * size)).clamp(1, MAX_FACTOR);
    loop {
        let (width, height) = (reduced(image.width()), reduced(image.height()));
        if (width, height) == (image.width(), image.height()) {
            return Ok(image);
        }
        let mut rows = RgbImage::new(width, height);
        let start = |row: u32| (u64::from(row) * u64::from(image.height()) / u64::from(height)) as u32;
        for (row, place) in (0..).zip(rows.chunks_exact_mut(3 * width as usize)) {
            cancel.check()?;
            let band = image.crop_imm(0, start(row), image.width(), start(row + 1) - start(row));
            place.copy_from_slice(&band.thumbnail_exact(width, 1).into_rgb8());
        }
        image = rows.into();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use image::{Rgb, Rgba};

    use super::*;

    #[test]
    fn reduced_images_are_resized_to_the_same_pixels() {
        let wave = |value: u32| (127.5 + 120.0 * (value as f32 / 100.0).sin()) as u8;
        let image = RgbImage::from_fn(1000, 900, |x, y| Rgb([wave(x), wave(y), wave(x + y)]));
        let image = DynamicImage::from(image);
        let reduced = reduce(image.clone(), 8, &Cancel(&AtomicBool::new(false))).unwrap();
        assert_eq!((reduced.width(), reduced.height()), (66, 64));
        let [expected, found] =
            [image, reduced].map(|image| image.resize_exact(8, 8, FilterType::Triangle).into_rgb8());
        let worst = found.iter().zip(expected.iter()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(2), "{worst:?}");
    }

    #[test]
    fn long_images_take_little_memory_and_keep_the_largest_values() {
        let line = |width, height| image::ImageBuffer::from_pixel(width, height, Rgba([u16::MAX; 4])).into();
        for (width, height) in [(3_000_000, 1), (1, 3_000_000)] {
            let found = square(line(width, height), 64, &Cancel(&AtomicBool::new(false))).unwrap();
            assert!(found.iter().all(|&value| value == 255));
        }
    }
}
