//! Randomness: one seed, split into named, counted streams.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Hands out independent random streams by name and index, so that no part of a run moves the numbers of another:
/// with or without probes, and for any number of threads, the same seed gives the same weights and the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// All streams of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream `name`, number `index` (an epoch, say): ChaCha with 8 rounds, keyed by the seed and the index, on the
    /// stream number that FNV-1a makes of the name.
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
