//! Random changes of the colours of training images.

use rand::Rng;
use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DataError, ImageShape};

/// `[data.colour_jitter]`: random changes of brightness, contrast, saturation and hue, in random order. PyTorch
/// equivalent: `transforms.ColorJitter(brightness, contrast, saturation, hue)`. All are 0 by default. DARTS trains on
/// ImageNet with 0.4, 0.4, 0.4 and 0.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ColourJitter {
    /// Values are multiplied by a factor from `1 - brightness` to `1 + brightness`; 0 to 1.
    pub brightness: f64,
    /// Distances from the mean grey of the image are multiplied by a factor from `1 - contrast` to `1 + contrast`; 0 to
    /// 1.
    pub contrast: f64,
    /// Distances from the grey of the pixel are multiplied by a factor from `1 - saturation` to `1 + saturation`; 0 to
    /// 1. RGB images only.
    pub saturation: f64,
    /// The hue is turned by an angle from `-hue` to `hue`, in full turns; 0 to 0.5. RGB images only.
    pub hue: f64,
}

/// One change with its factor or, for the hue, its angle in full turns.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Brightness(f32),
    Contrast(f32),
    Saturation(f32),
    Hue(f32),
}

impl ColourJitter {
    /// No change.
    pub const NONE: Self = Self { brightness: 0.0, contrast: 0.0, saturation: 0.0, hue: 0.0 };

    /// Number of 32-bit random words that are reserved for each image: four factors and three draws for the order, with
    /// room for rejection sampling.
    pub(super) const WORDS: u128 = 32;

    /// Returns an error for an option out of range, or one that these images do not have.
    pub(super) fn check(&self, shape: ImageShape) -> Result<(), DataError> {
        let options = [
            ("data.colour_jitter.brightness", self.brightness, 1.0, false),
            ("data.colour_jitter.contrast", self.contrast, 1.0, false),
            ("data.colour_jitter.saturation", self.saturation, 1.0, true),
            ("data.colour_jitter.hue", self.hue, 0.5, true),
        ];
        for (key, value, largest, needs_rgb) in options {
            if !(0.0..=largest).contains(&value) {
                return Err(DataError::option(key, value, format!("0 to {largest}")));
            }
            if needs_rgb && value > 0.0 && shape.channels != 3 {
                return Err(DataError::option(key, value, format!("0 for images of {} channel(s)", shape.channels)));
            }
        }
        Ok(())
    }

    /// Changes the values `[h, w, c]` of an image.
    pub(super) fn apply(&self, image: &mut [u8], channels: usize, rng: &mut impl Rng) {
        let changes = self.draw(rng);
        let mut values: Vec<f32> = image.iter().map(|&value| f32::from(value)).collect();
        changes.iter().for_each(|change| change.apply(&mut values, channels));
        image.iter_mut().zip(values).for_each(|(channel, value)| *channel = value.round_ties_even() as u8);
    }

    fn draw(&self, rng: &mut impl Rng) -> [Change; 4] {
        // Every image draws the same numbers, whichever changes are on.
        let mut around = |centre: f64, range: f64| (centre + range * (2.0 * rng.random::<f64>() - 1.0)) as f32;
        let mut changes = [
            Change::Brightness(around(1.0, self.brightness)),
            Change::Contrast(around(1.0, self.contrast)),
            Change::Saturation(around(1.0, self.saturation)),
            Change::Hue(around(0.0, self.hue)),
        ];
        changes.shuffle(rng);
        changes
    }
}

impl Change {
    /// Changes values from 0 to 255 and clips them to that range.
    fn apply(self, values: &mut [f32], channels: usize) {
        match self {
            Self::Brightness(1.0) | Self::Contrast(1.0) | Self::Saturation(1.0) | Self::Hue(0.0) => {}
            Self::Brightness(factor) => blend(values, |_| 0.0, channels, factor),
            Self::Contrast(factor) => {
                let sum: f64 = values.chunks_exact(channels).map(|pixel| f64::from(grey(pixel))).sum();
                let mean = (sum * channels as f64 / values.len() as f64) as f32;
                blend(values, |_| mean, channels, factor);
            }
            Self::Saturation(factor) => blend(values, grey, channels, factor),
            Self::Hue(turn) => values.chunks_exact_mut(channels).for_each(|pixel| turn_hue(pixel, turn)),
        }
    }
}

/// Multiplies the distance of each value from `centre(pixel)` by `factor`.
fn blend(values: &mut [f32], centre: impl Fn(&[f32]) -> f32, channels: usize, factor: f32) {
    for pixel in values.chunks_exact_mut(channels) {
        let centre = centre(pixel);
        pixel.iter_mut().for_each(|value| *value = (centre + factor * (*value - centre)).clamp(0.0, 255.0));
    }
}

/// Brightness of a pixel: that of ITU-R BT.601 for RGB, else the mean of the channels.
fn grey(pixel: &[f32]) -> f32 {
    match pixel {
        [r, g, b] => 0.299 * r + 0.587 * g + 0.114 * b,
        _ => pixel.iter().sum::<f32>() / pixel.len() as f32,
    }
}

/// Turns the hue of an RGB pixel in the colour space HSV, by `turn` full turns.
fn turn_hue(pixel: &mut [f32], turn: f32) {
    let [r, g, b] = *pixel else { return };
    let (high, low) = (r.max(g).max(b), r.min(g).min(b));
    let chroma = high - low;
    if chroma == 0.0 {
        return;
    }
    let sector = match high {
        _ if high == r => (g - b) / chroma,
        _ if high == g => 2.0 + (b - r) / chroma,
        _ => 4.0 + (r - g) / chroma,
    };
    let sector = (sector + 6.0 * turn).rem_euclid(6.0);
    // The value of a channel falls from the largest one within two sectors around its own.
    let channel = |own: f32| {
        let distance = (sector - own).abs();
        high - chroma * (distance.min(6.0 - distance) - 1.0).clamp(0.0, 1.0)
    };
    pixel.copy_from_slice(&[channel(0.0), channel(2.0), channel(4.0)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::Streams;
    use proptest::prelude::*;

    /// Six pixels: random colours, a grey, black and white.
    const PIXELS: [[u8; 3]; 6] =
        [[200, 30, 90], [12, 180, 77], [5, 60, 250], [128, 128, 128], [0, 0, 0], [255, 255, 255]];

    fn applied(change: Change) -> Vec<i32> {
        let mut values: Vec<f32> = PIXELS.as_flattened().iter().map(|&value| f32::from(value)).collect();
        change.apply(&mut values, 3);
        values.into_iter().map(|value| value.round_ties_even() as i32).collect()
    }

    /// Values of Pillow, which computes in 8 bits and truncates:
    ///
    /// ```python
    /// from PIL import Image, ImageEnhance
    /// pixels = [(200, 30, 90), (12, 180, 77), (5, 60, 250), (128,) * 3, (0,) * 3, (255,) * 3]
    /// image = Image.new("RGB", (6, 1))
    /// image.putdata(pixels)
    /// for kind, factor in [("Brightness", 0.6), ("Brightness", 1.4), ("Contrast", 0.6), ("Contrast", 1.4), ("Color", 0.6),
    ///                      ("Color", 1.4)]:
    ///     print(list(getattr(ImageEnhance, kind)(image).enhance(factor).tobytes()))
    /// ```
    #[test]
    fn changes_are_those_of_pillow() {
        let pillow: [(Change, [i32; 18]); 6] = [
            (Change::Brightness(0.6), [120, 18, 54, 7, 108, 46, 3, 36, 150, 76, 76, 76, 0, 0, 0, 153, 153, 153]),
            (Change::Brightness(1.4), [255, 42, 126, 16, 252, 107, 7, 84, 255, 179, 179, 179, 0, 0, 0, 255, 255, 255]),
            (Change::Contrast(0.6), [163, 61, 97, 50, 151, 89, 46, 79, 193, 120, 120, 120, 43, 43, 43, 196, 196, 196]),
            (Change::Contrast(1.4), [236, 0, 82, 0, 208, 64, 0, 40, 255, 135, 135, 135, 0, 0, 0, 255, 255, 255]),
            (Change::Saturation(0.6), [155, 53, 89, 54, 155, 93, 29, 62, 176, 128, 128, 128, 0, 0, 0, 255, 255, 255]),
            (Change::Saturation(1.4), [244, 6, 90, 0, 204, 60, 0, 58, 255, 128, 128, 128, 0, 0, 0, 255, 255, 255]),
        ];
        for (change, expected) in pillow {
            for (found, expected) in applied(change).iter().zip(expected) {
                assert!((found - expected).abs() <= 2, "{change:?}: {found}, expected {expected}");
            }
        }
    }

    /// ```python
    /// import colorsys
    /// for turn in [0.2, -0.1]:
    ///     for r, g, b in pixels:
    ///         h, s, v = colorsys.rgb_to_hsv(r / 255, g / 255, b / 255)
    ///         print([round(255 * x) for x in colorsys.hsv_to_rgb((h + turn) % 1, s, v)])
    /// ```
    #[test]
    fn hues_are_those_of_colorsys() {
        let expected: [(f32, [i32; 18]); 2] = [
            (0.2, [200, 174, 30, 12, 81, 180, 244, 5, 250, 128, 128, 128, 0, 0, 0, 255, 255, 255]),
            (-0.1, [200, 30, 192, 48, 180, 12, 5, 207, 250, 128, 128, 128, 0, 0, 0, 255, 255, 255]),
        ];
        for (turn, expected) in expected {
            assert_eq!(applied(Change::Hue(turn)), expected, "{turn}");
        }
    }

    #[test]
    fn factors_are_in_their_ranges_and_orders_differ() {
        let jitter = ColourJitter { brightness: 0.4, contrast: 0.3, saturation: 0.2, hue: 0.1 };
        let mut rng = Streams::new(0).rng("test", 0);
        let draws: Vec<[Change; 4]> = (0..500).map(|_| jitter.draw(&mut rng)).collect();
        let mut first = [0; 4];
        let mut range = [(f32::INFINITY, f32::NEG_INFINITY); 4];
        for draw in &draws {
            for (order, change) in draw.iter().enumerate() {
                let (kind, value) = match *change {
                    Change::Brightness(factor) => (0, factor),
                    Change::Contrast(factor) => (1, factor),
                    Change::Saturation(factor) => (2, factor),
                    Change::Hue(turn) => (3, turn),
                };
                first[kind] += usize::from(order == 0);
                range[kind] = (range[kind].0.min(value), range[kind].1.max(value));
            }
        }
        assert!(first.iter().all(|count| (90..160).contains(count)), "{first:?}");
        for ((low, high), (least, most)) in range.into_iter().zip([(0.6, 1.4), (0.7, 1.3), (0.8, 1.2), (-0.1, 0.1)]) {
            assert!(low >= least && low < least + 0.02 && high <= most && high > most - 0.02, "{low} {high}");
        }
    }

    #[test]
    fn options_out_of_range_are_refused() {
        let check = |channels, jitter: ColourJitter| {
            let result = jitter.check(ImageShape { height: 8, width: 8, channels });
            result.map_err(|error| error.to_string())
        };
        let jitter = ColourJitter { brightness: 0.4, contrast: 0.4, ..ColourJitter::NONE };
        assert_eq!(check(1, jitter), Ok(()));
        let error = check(1, ColourJitter { hue: 0.2, ..jitter }).unwrap_err();
        assert_eq!(error, "data.colour_jitter.hue: expected 0 for images of 1 channel(s), found 0.2");
        assert_eq!(check(3, ColourJitter { hue: 0.2, ..jitter }), Ok(()));
        let error = check(3, ColourJitter { contrast: 1.5, ..jitter }).unwrap_err();
        assert_eq!(error, "data.colour_jitter.contrast: expected 0 to 1, found 1.5");
        assert!(check(3, ColourJitter { saturation: f64::NAN, ..jitter }).is_err());
    }

    proptest! {
        #[test]
        fn a_turn_of_the_hue_keeps_brightest_and_darkest_channel_and_turns_back(pixel: [u8; 3], turn in -0.5f32..0.5) {
            let mut turned = pixel.map(f32::from);
            turn_hue(&mut turned, turn);
            let ends = |pixel: [f32; 3]| (pixel.into_iter().fold(0.0, f32::max), pixel.into_iter().fold(255.0, f32::min));
            let ((high, low), (was_high, was_low)) = (ends(turned), ends(pixel.map(f32::from)));
            prop_assert!((high - was_high).abs() < 1e-3 && (low - was_low).abs() < 1e-3);
            turn_hue(&mut turned, -turn);
            for (back, value) in turned.into_iter().zip(pixel) {
                prop_assert!((back - f32::from(value)).abs() < 0.1, "{turned:?} {pixel:?}");
            }
        }
    }
}
