//! Rectangles of images, cut out and resized.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma, LumaA, Pixel, Rgb, Rgba};
use rand::Rng;

use super::ImageShape;

/// A rectangle of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) top: usize,
    pub(super) left: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

/// Smallest and largest area of a random window, as a fraction of the area of the image.
const AREA: [f64; 2] = [0.08, 1.0];
/// Smallest and largest ratio of width to height of a random window.
const RATIO: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];
/// Number of draws after which the largest window in the middle is taken.
const DRAWS: usize = 10;

impl Window {
    /// Number of 32-bit random words that [`random`](Self::random) takes, with room for rejection sampling.
    pub(super) const WORDS: u128 = 64;

    /// The square in the middle of an image with a side of 7/8 of its shorter side.
    ///
    /// PyTorch equivalent: `Resize(256)` and `CenterCrop(224)`, in other sizes too, except that the square begins and
    /// ends at whole pixels of the original.
    pub(super) fn centre(shape: ImageShape) -> Self {
        let side = (shape.height.min(shape.width) * 7).div_ceil(8);
        Self::in_the_middle(shape, side, side)
    }

    fn in_the_middle(shape: ImageShape, height: usize, width: usize) -> Self {
        Self { top: (shape.height - height) / 2, left: (shape.width - width) / 2, height, width }
    }

    /// A random window (Szegedy et al. 2015, section 6): its area is uniform in [`AREA`], the logarithm of its ratio of
    /// width to height is uniform over [`RATIO`], its position is uniform.
    ///
    /// PyTorch equivalent: `transforms.RandomResizedCrop`, before it resizes. A window that exceeds the image is drawn
    /// anew, up to [`DRAWS`] times; then the largest window in the middle is taken that has a ratio in the range.
    pub(super) fn random(shape: ImageShape, rng: &mut impl Rng) -> Self {
        let (rows, columns) = (shape.height as f64, shape.width as f64);
        for _ in 0..DRAWS {
            let area = rows * columns * rng.random_range(AREA[0]..AREA[1]);
            let ratio = rng.random_range(RATIO[0].ln()..RATIO[1].ln()).exp();
            let width = (area * ratio).sqrt().round_ties_even() as usize;
            let height = (area / ratio).sqrt().round_ties_even() as usize;
            if (1..=shape.width).contains(&width) && (1..=shape.height).contains(&height) {
                let top = rng.random_range(0..=shape.height - height);
                let left = rng.random_range(0..=shape.width - width);
                return Self { top, left, height, width };
            }
        }
        let ratio = (columns / rows).clamp(RATIO[0], RATIO[1]);
        let height = ((columns / ratio).round_ties_even() as usize).clamp(1, shape.height);
        let width = ((rows * ratio).round_ties_even() as usize).clamp(1, shape.width);
        Self::in_the_middle(shape, height, width)
    }

    /// The window of the image `pixels` `[h, w, c]`, resized to `height` x `width` by a triangle filter.
    ///
    /// # Panics
    /// If there are more than four channels.
    pub(super) fn resized(self, pixels: &[u8], shape: ImageShape, height: usize, width: usize) -> Vec<u8> {
        match shape.channels {
            1 => self.resized_as::<Luma<u8>>(pixels, shape, height, width),
            2 => self.resized_as::<LumaA<u8>>(pixels, shape, height, width),
            3 => self.resized_as::<Rgb<u8>>(pixels, shape, height, width),
            4 => self.resized_as::<Rgba<u8>>(pixels, shape, height, width),
            channels => panic!("{channels} channels"),
        }
    }

    fn resized_as<P: Pixel<Subpixel = u8> + 'static>(
        self,
        pixels: &[u8],
        shape: ImageShape,
        height: usize,
        width: usize,
    ) -> Vec<u8> {
        let channels = shape.channels;
        let mut inside = Vec::with_capacity(self.height * self.width * channels);
        for row in pixels.chunks_exact(shape.width * channels).skip(self.top).take(self.height) {
            inside.extend_from_slice(&row[self.left * channels..][..self.width * channels]);
        }
        if (height, width) == (self.height, self.width) {
            return inside;
        }
        let inside = ImageBuffer::<P, _>::from_raw(self.width as u32, self.height as u32, inside);
        let Some(inside) = inside else { unreachable!("the buffer has the size of the window") };
        imageops::resize(&inside, width as u32, height as u32, FilterType::Triangle).into_raw()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::Streams;
    use proptest::prelude::*;

    fn shape(height: usize, width: usize, channels: usize) -> ImageShape {
        ImageShape { height, width, channels }
    }

    /// `Resize(256)` and `CenterCrop(224)` keep the middle 7/8 of the shorter side.
    #[test]
    fn the_middle_is_seven_eighths_of_the_shorter_side() {
        let of = |height, width| Window::centre(shape(height, width, 3));
        assert_eq!(of(256, 256), Window { top: 16, left: 16, height: 224, width: 224 });
        assert_eq!(of(256, 512), Window { top: 16, left: 144, height: 224, width: 224 });
        assert_eq!(of(1, 9), Window { top: 0, left: 4, height: 1, width: 1 });
    }

    #[test]
    fn an_image_without_a_fitting_window_is_cut_in_the_middle() {
        let window = Window::random(shape(3, 1000, 1), &mut Streams::new(0).rng("test", 0));
        assert_eq!(window, Window { top: 0, left: 498, height: 3, width: 4 });
    }

    #[test]
    fn windows_are_cut_out_and_resized() {
        // The value of a pixel is ten times its row plus its column, in both channels.
        let pixels: Vec<u8> = (0..6u8).flat_map(|row| (0..8).flat_map(move |column| [10 * row + column; 2])).collect();
        let window = Window { top: 1, left: 2, height: 2, width: 4 };
        let cut = window.resized(&pixels, shape(6, 8, 2), 2, 4);
        assert_eq!(cut, [12, 13, 14, 15, 22, 23, 24, 25].map(|value| [value; 2]).concat());
        // A triangle of half-width 2 around the middle of each pair: weights 1/8, 3/8, 3/8, 1/8, cut off at the border.
        let row = Window { top: 0, left: 0, height: 1, width: 4 }.resized(&[0, 70, 140, 210], shape(1, 4, 1), 1, 2);
        let expected = [(3.0 * 70.0 + 140.0) / 7.0, (70.0 + 3.0 * 140.0 + 3.0 * 210.0) / 7.0];
        assert_eq!(row, expected.map(|value: f64| value.round() as u8));
    }

    /// Means of 4,000 windows against those of the distribution. An image of 2,000 x 1,000 pixels holds every ratio up
    /// to the area 3/8; smaller windows are not drawn anew.
    #[test]
    fn areas_and_ratios_follow_their_distribution() {
        let draw = |shape: ImageShape| -> Vec<Window> {
            let mut rng = Streams::new(3).rng("test", 0);
            (0..4000).map(|_| Window::random(shape, &mut rng)).collect()
        };
        let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
        let small: Vec<Window> = draw(shape(2000, 1000, 3))
            .into_iter()
            .filter(|window| window.height * window.width < 2000 * 1000 * 3 / 8)
            .collect();
        let areas = small.iter().map(|w| (w.height * w.width) as f64 / 2e6).collect();
        assert!((mean(areas) - (0.08 + 0.375) / 2.0).abs() < 0.01);
        let ratios = small.iter().map(|w| (w.width as f64 / w.height as f64).ln()).collect();
        assert!(mean(ratios).abs() < 0.02);
        let tops = small.iter().map(|w| w.top as f64 / (2000 - w.height) as f64).collect();
        assert!((mean(tops) - 0.5).abs() < 0.02);
    }

    proptest! {
        #[test]
        fn random_windows_lie_inside_and_have_the_ratio(height in 1usize..300, width in 1usize..300, seed: u64) {
            let shape = shape(height, width, 3);
            let window = Window::random(shape, &mut Streams::new(seed).rng("test", 0));
            prop_assert!(window.height >= 1 && window.width >= 1);
            prop_assert!(window.top + window.height <= height && window.left + window.width <= width);
            // Rounding moves each side by half a pixel.
            let (rows, columns) = (window.height as f64, window.width as f64);
            prop_assert!((columns + 0.5) / (rows - 0.5) >= 0.75 && (columns - 0.5) / (rows + 0.5) <= 4.0 / 3.0);
        }
    }
}
