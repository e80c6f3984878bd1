//! Maximum, average and mean over space.

use super::{
    buffer::{Buffer, allocate, consume, into_tensor},
    contiguous,
    norm::group,
    simd::{Kernel, dispatch},
};
use crate::{
    OpError, PoolKind, PoolSpec, Tensor4,
    shape::{PoolShape, not_empty, taps},
};
use dfdx::{
    shapes::HasShape,
    tensor::{Cpu, Tape},
};
use rayon::prelude::*;

/// As [`crate::reference::pool2d`].
pub fn pool2d<T: Tape<f32, Cpu>>(x: &Tensor4<Cpu>, spec: PoolSpec, tape: &mut T) -> Result<Tensor4<Cpu>, OpError> {
    let op = "pool2d";
    let shape = PoolShape::new(*x.shape(), spec)?;
    let x = contiguous(op, x, tape)?;
    let device = x.device().clone();
    let pool = Pool::new(&shape);
    let (input, output) = (*x.shape(), (shape.n, shape.out[0], shape.out[1], shape.c));
    let (x_group, y_group) = (group(input), group(output));
    let values = Buffer::read(&x);
    let mut y = allocate(op, &device, output)?;
    let groups = y.par_chunks_mut(y_group).zip(values.par_chunks(x_group));
    let winners = match spec.kind {
        PoolKind::Average => {
            groups.for_each(|(y, x)| dispatch(Average { pool: &pool, x, y }));
            None
        }
        PoolKind::Max => {
            let mut winners = Buffer::stale(y.len());
            let groups = y.par_chunks_mut(y_group).zip(values.par_chunks(x_group)).zip(winners.par_chunks_mut(y_group));
            groups.for_each(|((y, x), winners)| dispatch(Maximum { pool: &pool, x, y, winners }));
            Some(winners)
        }
    };
    let y = into_tensor(op, &device, y, output)?;
    if T::OWNS_TAPE {
        let (input, output) = (x.ghost(), y.ghost());
        tape.add_backward_op(move |grads| {
            let dy = consume(&device, grads.get_or_alloc_mut(&output)?)?;
            let dx = grads.get_or_alloc_mut(&input)?;
            let groups = dx.par_chunks_mut(x_group).zip(dy.par_chunks(y_group));
            match &winners {
                None => groups.for_each(|(dx, dy)| dispatch(AverageBack { pool: &pool, dx, dy })),
                Some(winners) => {
                    let groups = groups.zip(winners.par_chunks(y_group));
                    groups.for_each(|((dx, dy), winners)| dispatch(MaximumBack { pool: &pool, dx, dy, winners }));
                }
            }
            Ok(())
        });
    }
    Ok(y)
}

/// As [`crate::reference::global_avg_pool`].
pub fn global_avg_pool<T: Tape<f32, Cpu>>(x: &Tensor4<Cpu>, tape: &mut T) -> Result<Tensor4<Cpu>, OpError> {
    let op = "global_avg_pool";
    let (n, h, w, c) = not_empty(op, *x.shape())?;
    let x = contiguous(op, x, tape)?;
    let device = x.device().clone();
    let mut means = allocate(op, &device, (n, 1, 1, c))?;
    let values = Buffer::read(&x);
    let share = 1.0 / (h * w) as f32;
    means.par_chunks_mut(c).zip(values.par_chunks(h * w * c)).for_each(|(mean, image)| {
        image.chunks_exact(c).for_each(|pixel| mean.iter_mut().zip(pixel).for_each(|(mean, x)| *mean += x));
        mean.iter_mut().for_each(|mean| *mean *= share);
    });
    let y = into_tensor(op, &device, means, (n, 1, 1, c))?;
    if T::OWNS_TAPE {
        let (input, output) = (x.ghost(), y.ghost());
        tape.add_backward_op(move |grads| {
            let dy = consume(&device, grads.get_or_alloc_mut(&output)?)?;
            let dx = grads.get_or_alloc_mut(&input)?;
            dx.par_chunks_mut(h * w * c).zip(dy.par_chunks(c)).for_each(|(image, dy)| {
                for pixel in image.chunks_exact_mut(c) {
                    pixel.iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy * share);
                }
            });
            Ok(())
        });
    }
    Ok(y)
}

/// The taps of each output that lie inside the image, along both axes, and the sizes of images.
struct Pool {
    rows: Vec<Vec<(usize, usize)>>,
    columns: Vec<Vec<(usize, usize)>>,
    kernel_width: usize,
    width: usize,
    channels: usize,
    image: usize,
    output: usize,
}

impl Pool {
    fn new(shape: &PoolShape) -> Self {
        let PoolShape { size, out, c, window, .. } = *shape;
        let axis = |axis: usize| (0..out[axis]).map(|i| taps(&window, axis, i, size[axis]).collect()).collect();
        Self {
            rows: axis(0),
            columns: axis(1),
            kernel_width: window.kernel[1],
            width: size[1],
            channels: c,
            image: size[0] * size[1] * c,
            output: out[0] * out[1] * c,
        }
    }

    /// Calls `visit` for every output of an image, with the offset of its first channel and the number of pixels
    /// under its window.
    #[inline(always)]
    fn for_each_output(&self, mut visit: impl FnMut(usize, &[(usize, usize)], &[(usize, usize)])) {
        let mut at = 0;
        for rows in &self.rows {
            for columns in &self.columns {
                visit(at, rows, columns);
                at += self.channels;
            }
        }
    }

    /// Calls `visit(tap, offset of the pixel)` for every pixel under a window, in row-major order.
    #[inline(always)]
    fn for_each_pixel(&self, rows: &[(usize, usize)], columns: &[(usize, usize)], mut visit: impl FnMut(usize, usize)) {
        for (a, row) in rows {
            for (b, column) in columns {
                visit(a * self.kernel_width + b, (row * self.width + column) * self.channels);
            }
        }
    }
}

struct Average<'a> {
    pool: &'a Pool,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Average<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { pool, x, y } = self;
        let c = pool.channels;
        for (x, y) in x.chunks_exact(pool.image).zip(y.chunks_exact_mut(pool.output)) {
            pool.for_each_output(|at, rows, columns| {
                let y = &mut y[at..at + c];
                y.fill(0.0);
                pool.for_each_pixel(rows, columns, |_, pixel| {
                    y.iter_mut().zip(&x[pixel..pixel + c]).for_each(|(y, x)| *y += x);
                });
                let share = 1.0 / (rows.len() * columns.len()) as f32;
                y.iter_mut().for_each(|y| *y *= share);
            });
        }
    }
}

struct AverageBack<'a> {
    pool: &'a Pool,
    dx: &'a mut [f32],
    dy: &'a [f32],
}

impl Kernel for AverageBack<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { pool, dx, dy } = self;
        let c = pool.channels;
        for (dx, dy) in dx.chunks_exact_mut(pool.image).zip(dy.chunks_exact(pool.output)) {
            pool.for_each_output(|at, rows, columns| {
                let share = 1.0 / (rows.len() * columns.len()) as f32;
                pool.for_each_pixel(rows, columns, |_, pixel| {
                    dx[pixel..pixel + c].iter_mut().zip(&dy[at..at + c]).for_each(|(dx, dy)| *dx += dy * share);
                });
            });
        }
    }
}

/// Also notes the tap of each maximum, as a float so that it fits into the same registers.
struct Maximum<'a> {
    pool: &'a Pool,
    x: &'a [f32],
    y: &'a mut [f32],
    winners: &'a mut [f32],
}

impl Kernel for Maximum<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { pool, x, y, winners } = self;
        let c = pool.channels;
        let outputs = y.chunks_exact_mut(pool.output).zip(winners.chunks_exact_mut(pool.output));
        for (x, (y, winners)) in x.chunks_exact(pool.image).zip(outputs) {
            pool.for_each_output(|at, rows, columns| {
                let (y, winners) = (&mut y[at..at + c], &mut winners[at..at + c]);
                let mut first = true;
                pool.for_each_pixel(rows, columns, |tap, pixel| {
                    let tap = tap as f32;
                    for ((y, winner), &x) in y.iter_mut().zip(winners.iter_mut()).zip(&x[pixel..pixel + c]) {
                        let wins = first || x > *y || x.is_nan();
                        *y = if wins { x } else { *y };
                        *winner = if wins { tap } else { *winner };
                    }
                    first = false;
                });
            });
        }
    }
}

struct MaximumBack<'a> {
    pool: &'a Pool,
    dx: &'a mut [f32],
    dy: &'a [f32],
    winners: &'a [f32],
}

impl Kernel for MaximumBack<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { pool, dx, dy, winners } = self;
        let c = pool.channels;
        let outputs = dy.chunks_exact(pool.output).zip(winners.chunks_exact(pool.output));
        for (dx, (dy, winners)) in dx.chunks_exact_mut(pool.image).zip(outputs) {
            pool.for_each_output(|at, rows, columns| {
                let (dy, winners) = (&dy[at..at + c], &winners[at..at + c]);
                pool.for_each_pixel(rows, columns, |tap, pixel| {
                    let tap = tap as f32;
                    for ((dx, dy), &winner) in dx[pixel..pixel + c].iter_mut().zip(dy).zip(winners) {
                        *dx += if winner == tap { *dy } else { 0.0 };
                    }
                });
            });
        }
    }
}
