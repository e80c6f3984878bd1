//! Element-wise arithmetic that several kernels share.

use rayon::prelude::*;

/// Elements that one parallel task adds.
const CHUNK_LEN: usize = 64 * 1024;

/// `total += more`, on this thread.
#[inline(always)]
pub fn add_assign(total: &mut [f32], more: &[f32]) {
    total.iter_mut().zip(more).for_each(|(total, more)| *total += more);
}

/// `total += more`, on all threads.
pub fn parallel_add_assign(total: &mut [f32], more: &[f32]) {
    total.par_chunks_mut(CHUNK_LEN).zip(more.par_chunks(CHUNK_LEN)).for_each(|(total, more)| add_assign(total, more));
}

/// `max(x, 0)`, where a NaN stays a NaN.
#[inline(always)]
pub fn rectified(x: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { x }
}
