//! Random numbers: one seed, split into independent named streams.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The random streams of one seed. A stream has a name and an index, for instance the number of an epoch.
///
/// Each part of a run draws from a stream of its own, so that no part shifts the numbers of another. With or without
/// probe architectures, and for any number of threads, one seed gives the same weights and the same order of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The start of the stream `name` with this index: ChaCha with 8 rounds. The key consists of seed and index; the
    /// stream number is the 64-bit FNV-1a hash of the name.
    pub fn rng(&self, name: &str, index: u64) -> ChaCha8Rng {
        let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&index.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(name.bytes().fold(0xcbf2_9ce4_8422_2325, fnv));
        rng
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn streams_differ_by_seed_name_and_index_and_repeat() {
        let draw = |seed, name, index| Streams::new(seed).rng(name, index).random::<u64>();
        let first = draw(0, "weights", 0);
        assert_eq!(first, draw(0, "weights", 0));
        for other in [draw(1, "weights", 0), draw(0, "data", 0), draw(0, "weights", 1)] {
            assert_ne!(first, other);
        }
    }
}
