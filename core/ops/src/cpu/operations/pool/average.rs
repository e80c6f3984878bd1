//! Average under a window, and its gradient: sums of rows, then sums of runs of their pixels.

use super::{Pool, PoolSide};
use crate::cpu::{
    buffer::Buffer,
    elementwise::add_assign,
    simd::{Isa, Kernel},
};

/// Computes `y = inverse_count * sum of x under the window`.
pub struct Average<'a> {
    pub pool: &'a Pool,
    pub x: &'a [f32],
    pub y: &'a mut [f32],
}

impl Kernel for Average<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { pool, x, y } = self;
        let mut sum = Buffer::uninitialised(pool.inputs.width * pool.channels);
        for (y, x) in y.chunks_exact_mut(pool.outputs.image).zip(x.chunks_exact(pool.inputs.image)) {
            y.fill(0.0);
            pool.add_runs([&pool.outputs, &pool.inputs], y, x, &mut sum);
            for (y, inverse_count) in y.chunks_exact_mut(pool.channels).zip(&pool.inverse_counts) {
                y.iter_mut().for_each(|y| *y *= inverse_count);
            }
        }
    }
}

/// Computes `dx += sum of inverse_count * dy over the windows that cover x`, without the old `dx` if `overwrite`.
pub struct AverageBack<'a> {
    pub pool: &'a Pool,
    pub dx: &'a mut [f32],
    pub dy: &'a [f32],
    pub overwrite: bool,
}

impl Kernel for AverageBack<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { pool, dx, dy, overwrite } = self;
        let mut parts = Buffer::uninitialised(pool.outputs.image);
        let mut sum = Buffer::uninitialised(pool.outputs.width * pool.channels);
        for (dx, dy) in dx.chunks_exact_mut(pool.inputs.image).zip(dy.chunks_exact(pool.outputs.image)) {
            let pixels = parts.chunks_exact_mut(pool.channels).zip(dy.chunks_exact(pool.channels));
            for ((parts, dy), inverse_count) in pixels.zip(&pool.inverse_counts) {
                parts.iter_mut().zip(dy).for_each(|(part, dy)| *part = dy * inverse_count);
            }
            if overwrite {
                dx.fill(0.0);
            }
            pool.add_runs([&pool.inputs, &pool.outputs], dx, &parts, &mut sum);
        }
    }
}

impl Pool {
    /// Adds to each pixel of an image the pixels on the other side that it depends on. For each row, their rows are
    /// summed first, into `sum`, and then the columns of the sum.
    #[inline(always)]
    fn add_runs(&self, [here, there]: [&PoolSide; 2], to: &mut [f32], from: &[f32], sum: &mut [f32]) {
        let (width, channels) = (there.width * self.channels, self.channels);
        for (to, rows) in to.chunks_exact_mut(here.width * channels).zip(&here.neighbours[0]) {
            let Some((&(_, first), others)) = rows.split_first() else { continue };
            sum.copy_from_slice(&from[first * width..][..width]);
            for &(_, row) in others {
                add_assign(sum, &from[row * width..][..width]);
            }
            for run in &here.runs {
                let len = run.len * channels;
                add_assign(&mut to[run.here * channels..][..len], &sum[run.there * channels..][..len]);
            }
        }
    }
}
