//! Groups of images: the unit of parallel work and of summation over a batch.

use crate::shape::Dims;

/// Images per group. A constant, so that sums over a batch do not depend on the number of threads.
pub const IMAGES_PER_GROUP: usize = 8;

/// Number of groups in a batch; the last group may be smaller.
pub fn group_count((n, ..): Dims) -> usize {
    n.div_ceil(IMAGES_PER_GROUP)
}

/// Number of elements in a whole group of images of these dimensions.
pub fn group_len((_, h, w, c): Dims) -> usize {
    IMAGES_PER_GROUP * h * w * c
}
