//! The fingerprint of a data set: a hash of its content, which distinguishes results on other data.

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::{Dataset, Images};
use crate::sha256::hex;

/// Number of bytes that one task hashes. It is part of the definition of the fingerprint.
const BLOCK: usize = 1 << 20;

/// A SHA-256.
pub(super) type Digest32 = [u8; 32];

impl Dataset {
    /// SHA-256 of the content after decoding, in hexadecimal digits: shape, class names, labels and pixels of all
    /// parts.
    ///
    /// The name of the data set, the paths of its files and their compression have no influence. Two runs with equal
    /// fingerprints had the same images, in the same order.
    ///
    /// Definition: SHA-256 of the following bytes, where numbers are little-endian `u64`. Height, width, channels, the
    /// number of classes, and the length and the UTF-8 bytes of each class name. Then for the images of `train` and, if
    /// there is one, of `test`: the number of images, the SHA-256 of the labels (little-endian `u16`), and the SHA-256
    /// of each block of 1 MiB of the pixels `[n, h, w, c]`. With `data.resize = "crop"`, whose pixels show a part of
    /// each image, one more digest follows for each of `train` and `test`. Each whole image has the SHA-256 of its
    /// width, its height and its RGB values; the digest is the SHA-256 of these in the order of the images. Last, the
    /// number of images of `valid`.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let shape = self.shape();
        for number in [shape.height, shape.width, shape.channels, self.classes.len()] {
            add_number(&mut hash, number);
        }
        for class in &self.classes {
            add_number(&mut hash, class.len());
            hash.update(class);
        }
        add_images(&mut hash, &self.train);
        self.test.iter().for_each(|test| add_images(&mut hash, test));
        add_number(&mut hash, self.valid);
        hex(&hash.finalize())
    }
}

fn add_number(hash: &mut Sha256, number: usize) {
    hash.update((number as u64).to_le_bytes());
}

fn add_images(hash: &mut Sha256, images: &Images) {
    add_number(hash, images.len());
    let labels: Vec<u8> = images.labels().iter().flat_map(|label| label.to_le_bytes()).collect();
    hash.update(Sha256::digest(labels));
    images.block_digests().iter().for_each(|digest| hash.update(digest));
    images.uncropped_digest().iter().for_each(|digest| hash.update(digest));
}

/// The digests of the blocks of `pixels`.
pub(super) fn block_digests(pixels: &[u8]) -> Vec<Digest32> {
    pixels.par_chunks(BLOCK).map(|block| Sha256::digest(block).into()).collect()
}

/// The digests of the blocks of pixels that arrive in pieces of any length.
#[derive(Default)]
pub(super) struct BlockDigests {
    /// Digest of the pixels behind the last complete block.
    current: Sha256,
    /// Number of these pixels.
    filled: usize,
    complete: Vec<Digest32>,
}

impl BlockDigests {
    /// Appends pixels.
    pub(super) fn update(&mut self, mut pixels: &[u8]) {
        while !pixels.is_empty() {
            let (piece, rest) = pixels.split_at(pixels.len().min(BLOCK - self.filled));
            self.current.update(piece);
            self.filled += piece.len();
            if self.filled == BLOCK {
                self.complete.push(self.current.finalize_reset().into());
                self.filled = 0;
            }
            pixels = rest;
        }
    }

    /// The digests of all blocks; the last block may be shorter.
    pub(super) fn finish(mut self) -> Vec<Digest32> {
        if self.filled > 0 {
            self.complete.push(self.current.finalize().into());
        }
        self.complete
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Augment, ImageShape};
    use super::*;

    fn dataset() -> Dataset {
        let shape = ImageShape { height: 1, width: 2, channels: 1 };
        Dataset {
            name: "folder",
            classes: vec!["a".into(), "b".into()],
            train: Images::new(shape, vec![0, 1, 2, 3], vec![0, 1]),
            valid: 0,
            test: None,
            augment: Augment::NONE,
            notes: Vec::new(),
        }
    }

    /// ```python
    /// from hashlib import sha256
    /// n = lambda *values: b"".join(value.to_bytes(8, "little") for value in values)
    /// text = n(1, 2, 1, 2) + n(1) + b"a" + n(1) + b"b"
    /// text += n(2) + sha256(b"\0\0\1\0").digest() + sha256(b"\0\1\2\3").digest() + n(0)
    /// print(sha256(text).hexdigest())
    /// ```
    #[test]
    fn the_definition_holds() {
        let expected = "ba9f3afd309f0d83fc6d0576a1587fbc42c5e21ddba3a422523a9f4e398a5749";
        assert_eq!(dataset().fingerprint(), expected);
    }

    #[test]
    fn pieces_of_any_length_give_the_digests_of_all_pixels() {
        let pixels: Vec<u8> = (0..2 * BLOCK + 5).map(|i| (i / 7) as u8).collect();
        for length in [1000, BLOCK, BLOCK + 1, pixels.len()] {
            for end in [0, BLOCK, pixels.len()] {
                let mut digests = BlockDigests::default();
                pixels[..end].chunks(length).for_each(|piece| digests.update(piece));
                assert_eq!(digests.finish(), block_digests(&pixels[..end]), "{length} {end}");
            }
        }
    }

    #[test]
    fn every_part_has_influence_and_the_origin_has_none() {
        let original = dataset().fingerprint();
        let changed = |change: &dyn Fn(&mut Dataset)| {
            let mut dataset = dataset();
            change(&mut dataset);
            dataset.fingerprint()
        };
        let shape = dataset().shape();
        let images = |pixels: &[u8], labels: &[u16]| Images::new(shape, pixels.to_vec(), labels.to_vec());
        let changes: [&dyn Fn(&mut Dataset); 9] = [
            &|data| data.train = images(&[0, 1, 2, 4], &[0, 1]),
            &|data| data.train = images(&[2, 3, 0, 1], &[1, 0]),
            &|data| data.train = images(&[0, 1, 2, 3], &[0, 0]),
            &|data| data.train = images(&[0, 1], &[0]),
            &|data| data.test = Some(images(&[], &[])),
            &|data| data.train = images(&[0, 1, 2, 3], &[0, 1]).with_uncropped_digest(Some([0; 32])),
            &|data| data.train = images(&[0, 1, 2, 3], &[0, 1]).with_uncropped_digest(Some([1; 32])),
            &|data| data.valid = 1,
            &|data| data.classes[1] = "c".into(),
        ];
        let mut all: Vec<String> = changes.iter().map(|change| changed(change)).collect();
        all.push(original.clone());
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 10);
        assert_eq!(
            changed(&|data| (data.name, data.augment) = ("idx", Augment { flip: true, ..Augment::NONE })),
            original
        );
    }
}
