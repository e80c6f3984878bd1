//! Augmentation of training images: random crops, colour jitter, random flip, cutout.

use std::borrow::Cow;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::window::Window;
use super::{ColourJitter, ImageShape, Normalise};
use crate::streams::Streams;

/// Augmentation of a training image. The operations run in this order, which gives the results of DARTS: there the
/// flip precedes the colour jitter, with which it commutes. The black border is added after the jitter.
///
/// 1. random resized crop: takes a random window of the image and resizes it (`transforms.RandomResizedCrop(size)`);
/// 2. colour jitter: changes the colours at random (`transforms.ColorJitter`);
/// 3. crop: adds a black border of `padding` pixels and takes a random window of the original size
///    (`transforms.RandomCrop(size, padding)`);
/// 4. flip: mirrors the image left to right with probability 1/2 (`transforms.RandomHorizontalFlip()`);
/// 5. normalisation;
/// 6. cutout: sets a square of side `cutout` around a random pixel to 0, the mean of each channel. The part of the
///    square outside the image is ignored (DeVries and Taylor 2017, `Cutout` in DARTS).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augment {
    /// Whether a random window of the image is taken.
    pub resized_crop: bool,
    /// Random changes of the colours.
    pub jitter: ColourJitter,
    /// Width of the border in pixels; 0 disables the crop.
    pub padding: usize,
    /// Whether images are mirrored at random.
    pub flip: bool,
    /// Side of the square of cutout, in pixels; 0 disables cutout.
    pub cutout: usize,
}

/// Random numbers for the augmentation of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Draw {
    /// Corner of the window in the padded image, between 0 and twice the padding.
    top: usize,
    left: usize,
    mirrored: bool,
    /// Centre of the square of cutout.
    row: usize,
    column: usize,
}

/// The random numbers of one image. Every image has a fixed position in each stream, so its augmentation depends
/// neither on other images nor on the number of threads.
#[derive(Clone, Copy, Debug)]
pub(super) struct AugmentRandom {
    pub(super) streams: Streams,
    pub(super) epoch: u64,
    /// Position of the image in the order of the epoch.
    pub(super) position: usize,
}

impl AugmentRandom {
    /// A stream at the position of the image, of which each image has `words` 32-bit words.
    fn stream(&self, name: &str, words: u128) -> ChaCha8Rng {
        let mut rng = self.streams.rng(name, self.epoch);
        rng.set_word_pos(self.position as u128 * words);
        rng
    }
}

impl Augment {
    /// No augmentation.
    pub const NONE: Self = Self { resized_crop: false, jitter: ColourJitter::NONE, padding: 0, flip: false, cutout: 0 };

    /// Number of 32-bit random words that are reserved for border, flip and cutout of each image. Rejection sampling
    /// needs more for fewer than one image in a million; such an image then shares words with the next one.
    const WORDS: u128 = 16;

    /// Augments and normalises an image with the values `source`, `[h, w, c]` in the shape `of_source`, and writes it
    /// to `out` in the shape `shape`. Only a random resized crop accepts another shape of the source.
    pub(super) fn write(
        &self,
        source: &[u8],
        of_source: ImageShape,
        shape: ImageShape,
        normalise: &Normalise,
        random: &AugmentRandom,
        out: &mut [f32],
    ) {
        let mut image = Cow::Borrowed(source);
        if self.resized_crop {
            let window = Window::random(of_source, &mut random.stream("random resized crop", Window::WORDS));
            image = Cow::Owned(window.resized(source, of_source, shape.height, shape.width));
        }
        if self.jitter != ColourJitter::NONE {
            self.jitter.apply(image.to_mut(), shape.channels, &mut random.stream("colour jitter", ColourJitter::WORDS));
        }
        if (self.padding, self.flip, self.cutout) == (0, false, 0) {
            normalise.write(&image, out);
        } else {
            let draw = self.draw(shape, &mut random.stream("augmentation", Self::WORDS));
            self.crop(draw, &image, shape, normalise, out);
        }
    }

    fn draw(&self, shape: ImageShape, rng: &mut impl Rng) -> Draw {
        Draw {
            top: rng.random_range(0..=2 * self.padding),
            left: rng.random_range(0..=2 * self.padding),
            mirrored: rng.random::<bool>() && self.flip,
            row: rng.random_range(0..shape.height),
            column: rng.random_range(0..shape.width),
        }
    }

    /// Writes the drawn crop of an image, mirrored and with the blank square, as normalised values.
    fn crop(&self, draw: Draw, image: &[u8], shape: ImageShape, normalise: &Normalise, out: &mut [f32]) {
        let ImageShape { height, width, channels } = shape;
        let blank = |centre: usize, at: usize| {
            // The square covers `cutout` pixels from `centre - cutout / 2` on.
            let start = at + self.cutout / 2;
            start >= centre && start - centre < self.cutout
        };
        for (y, pixels) in out.chunks_exact_mut(width * channels).enumerate() {
            // Row and column in the original image; `None` in the border.
            let row = (y + draw.top).checked_sub(self.padding).filter(|&row| row < height);
            for (x, pixel) in pixels.chunks_exact_mut(channels).enumerate() {
                let at = if draw.mirrored { width - 1 - x } else { x };
                let column = (at + draw.left).checked_sub(self.padding).filter(|&column| column < width);
                if blank(draw.row, y) && blank(draw.column, x) {
                    pixel.fill(0.0);
                } else if let (Some(row), Some(column)) = (row, column) {
                    normalise.write(&image[(row * width + column) * channels..][..channels], pixel);
                } else {
                    pixel.iter_mut().enumerate().for_each(|(channel, value)| *value = normalise.value(channel, 0));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Images;
    use super::*;
    use proptest::prelude::*;

    const SHAPE: ImageShape = ImageShape { height: 4, width: 5, channels: 2 };

    /// An image of distinct values. None is 0, the value of the border.
    fn image() -> Vec<u8> {
        (1..=SHAPE.values() as u8).collect()
    }

    /// Normalisation that keeps the values: it was fitted to no image.
    fn keep() -> Normalise {
        Normalise::fit(&Images::new(SHAPE, vec![], vec![]), &[])
    }

    fn apply(augment: Augment, draw: Draw) -> Vec<u8> {
        let mut out = vec![f32::NAN; SHAPE.values()];
        augment.crop(draw, &image(), SHAPE, &keep(), &mut out);
        out.into_iter().map(|value| value as u8).collect()
    }

    const STILL: Draw = Draw { top: 0, left: 0, mirrored: false, row: 0, column: 0 };

    #[test]
    fn a_window_in_the_middle_of_the_border_is_the_image() {
        let augment = Augment { padding: 3, ..Augment::NONE };
        assert_eq!(apply(augment, Draw { top: 3, left: 3, ..STILL }), image());
    }

    #[test]
    fn the_first_window_moves_the_image_down_and_right() {
        let out = apply(Augment { padding: 1, ..Augment::NONE }, STILL);
        assert_eq!(out[..10], [0; 10]);
        assert_eq!(out[10..20], [0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn mirroring_twice_is_the_image() {
        let augment = Augment { flip: true, ..Augment::NONE };
        let once = apply(augment, Draw { mirrored: true, ..STILL });
        assert_eq!(once[..4], [9, 10, 7, 8]);
        let mut twice = vec![f32::NAN; SHAPE.values()];
        augment.crop(Draw { mirrored: true, ..STILL }, &once, SHAPE, &keep(), &mut twice);
        assert_eq!(twice, image().into_iter().map(f32::from).collect::<Vec<_>>());
    }

    #[test]
    fn cutout_blanks_the_square_and_nothing_else() {
        let augment = Augment { cutout: 2, ..Augment::NONE };
        let out = apply(augment, Draw { row: 1, column: 2, ..STILL });
        for (position, (changed, old)) in out.iter().zip(image()).enumerate() {
            let (row, column) = (position / 10, position / 2 % 5);
            // DARTS: rows and columns from centre - length / 2 to centre + length / 2, without the end.
            let blank = (0..2).contains(&row) && (1..3).contains(&column);
            assert_eq!(*changed, if blank { 0 } else { old }, "row {row}, column {column}");
        }
    }

    #[test]
    fn a_square_over_the_edge_is_cut_off() {
        let zeros = |draw| apply(Augment { cutout: 2, ..Augment::NONE }, draw).iter().filter(|&&v| v == 0).count();
        assert_eq!(zeros(STILL), SHAPE.channels);
        assert_eq!(zeros(Draw { row: 3, column: 4, ..STILL }), 4 * SHAPE.channels);
    }

    proptest! {
        #[test]
        fn values_come_from_the_image_at_most_once(seed: u64, padding in 0usize..4, flip: bool, cutout in 0usize..6) {
            let augment = Augment { padding, flip, cutout, ..Augment::NONE };
            let random = AugmentRandom { streams: Streams::new(seed), epoch: 0, position: 3 };
            let mut out = vec![f32::NAN; SHAPE.values()];
            augment.write(&image(), SHAPE, SHAPE, &keep(), &random, &mut out);
            let mut seen: Vec<u8> = out.iter().map(|&value| value as u8).filter(|&value| value > 0).collect();
            prop_assert!(seen.iter().all(|value| image().contains(value)));
            seen.sort_unstable();
            prop_assert!(seen.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }
}
