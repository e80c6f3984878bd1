//! Augmentation of training images: random crop with padding, random flip, cutout.

use rand::Rng;

use super::{ImageShape, Normalise};

/// Augmentation of a training image. The operations run in this order, as in DARTS:
///
/// 1. crop: adds a black border of `padding` pixels and takes a random window of the original size
///    (`transforms.RandomCrop(size, padding)`);
/// 2. flip: mirrors the image left to right with probability 1/2 (`transforms.RandomHorizontalFlip()`);
/// 3. normalisation;
/// 4. cutout: sets a square of side `cutout` around a random pixel to 0, the mean of each channel. The part of the square
///    outside the image is ignored (DeVries and Taylor 2017, `Cutout` in DARTS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Augment {
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

impl Augment {
    /// No augmentation.
    pub const NONE: Self = Self { padding: 0, flip: false, cutout: 0 };

    /// Number of 32-bit random words that are reserved for each image. Rejection sampling needs more for fewer than one
    /// image in a million; such an image then shares words with the next one.
    pub(super) const WORDS: u128 = 16;

    /// Appends one image `[h, w, c]` after augmentation and normalisation.
    pub(super) fn extend(
        &self,
        image: &[u8],
        shape: ImageShape,
        normalise: &Normalise,
        rng: &mut impl Rng,
        out: &mut Vec<f32>,
    ) {
        if *self == Self::NONE {
            normalise.extend(image, out);
        } else {
            self.apply(self.draw(shape, rng), image, shape, normalise, out);
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

    fn apply(&self, draw: Draw, image: &[u8], shape: ImageShape, normalise: &Normalise, out: &mut Vec<f32>) {
        let ImageShape { height, width, channels } = shape;
        let blank = |centre: usize, at: usize| {
            // The square covers `cutout` pixels from `centre - cutout / 2` on.
            let start = at + self.cutout / 2;
            start >= centre && start - centre < self.cutout
        };
        for y in 0..height {
            // Row and column in the original image; `None` in the border.
            let row = (y + draw.top).checked_sub(self.padding).filter(|&row| row < height);
            for x in 0..width {
                let at = if draw.mirrored { width - 1 - x } else { x };
                let column = (at + draw.left).checked_sub(self.padding).filter(|&column| column < width);
                if blank(draw.row, y) && blank(draw.column, x) {
                    out.extend(std::iter::repeat_n(0.0, channels));
                } else if let (Some(row), Some(column)) = (row, column) {
                    normalise.extend(&image[(row * width + column) * channels..][..channels], out);
                } else {
                    out.extend((0..channels).map(|channel| normalise.value(channel, 0)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Images;
    use super::*;
    use crate::streams::Streams;
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
        let mut out = Vec::new();
        augment.apply(draw, &image(), SHAPE, &keep(), &mut out);
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
        let mut twice = Vec::new();
        augment.apply(Draw { mirrored: true, ..STILL }, &once, SHAPE, &keep(), &mut twice);
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
            let augment = Augment { padding, flip, cutout };
            let mut out = Vec::new();
            augment.extend(&image(), SHAPE, &keep(), &mut Streams::new(seed).rng("test", 0), &mut out);
            prop_assert_eq!(out.len(), SHAPE.values());
            let mut seen: Vec<u8> = out.iter().map(|&value| value as u8).filter(|&value| value > 0).collect();
            prop_assert!(seen.iter().all(|value| image().contains(value)));
            seen.sort_unstable();
            prop_assert!(seen.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }
}
