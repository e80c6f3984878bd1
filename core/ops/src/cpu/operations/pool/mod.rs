//! Maximum and average under a window.
//!
//! Forward, an output reads the pixels under its window. Backward, a pixel reads the gradients of the outputs whose
//! windows cover it. Both directions share code, in which "here" is the side that is written and "there" the side that
//! is read.

mod average;
mod gather;

use crate::{
    OpError, PoolKind, PoolSpec,
    cpu::{
        activation::CpuActivation,
        buffer::Buffer,
        image_group::group_len,
        simd::{Isa, Kernel, Lanes, dispatch, each_block},
    },
    shape::{PoolShape, elements, taps},
    tape::Recorder,
};
use average::{Average, AverageBack};
use dfdx::tensor::Cpu;
use gather::{Maximum, MaximumBack};
use rayon::prelude::*;

/// As [`crate::reference::pool2d`].
pub fn pool2d(x: &CpuActivation, spec: PoolSpec, tape: &mut dyn Recorder<Cpu>) -> Result<CpuActivation, OpError> {
    let shape = PoolShape::new(x.dims(), spec)?;
    let pool = Pool::new(&shape);
    let output = (shape.n, shape.out[0], shape.out[1], shape.c);
    let (x_group, y_group) = (group_len(x.dims()), group_len(output));
    let mut y = Buffer::uninitialised(elements(output));
    let groups = y.par_chunks_mut(y_group).zip(x.normalised().par_chunks(x_group));
    let argmax_taps = match spec.kind {
        PoolKind::Average => {
            groups.for_each(|(y, x)| dispatch(Average { pool: &pool, x, y }));
            None
        }
        PoolKind::Max => {
            let mut argmax_taps = Buffer::uninitialised(elements(output));
            let groups = groups.zip(argmax_taps.par_chunks_mut(y_group));
            groups.for_each(|((y, x), argmax_taps)| dispatch(GatherForward(&pool, Maximum { x, y, argmax_taps })));
            Some(argmax_taps)
        }
    };
    let y = CpuActivation::new(output, y);
    if tape.is_recording() {
        let (input, output, len) = (x.gradient(), y.gradient(), elements(x.dims()));
        tape.record(Box::new(move |_| {
            let Some(dy) = output.take() else { return Ok(()) };
            input.accumulate(len, |dx, overwrite| {
                let groups = dx.par_chunks_mut(x_group).zip(dy.par_chunks(y_group));
                match &argmax_taps {
                    None => groups.for_each(|(dx, dy)| dispatch(AverageBack { pool: &pool, dx, dy, overwrite })),
                    Some(argmax_taps) => {
                        groups.zip(argmax_taps.par_chunks(y_group)).for_each(|((dx, dy), argmax_taps)| {
                            dispatch(GatherBackward(&pool, MaximumBack { dx, dy, argmax_taps, overwrite }));
                        })
                    }
                }
            });
            Ok(())
        }));
    }
    Ok(y)
}

/// For each position along an axis, the positions on the other side that it depends on, as `(tap, position)`.
type Neighbours = Vec<Vec<(usize, usize)>>;

/// `len` neighbouring columns that depend on `len` neighbouring columns on the other side through the same tap.
struct ColumnRun {
    here: usize,
    there: usize,
    len: usize,
}

/// All dependencies of the columns, ordered by tap.
fn runs(columns: &Neighbours) -> Vec<ColumnRun> {
    let mut runs: Vec<(usize, ColumnRun)> = vec![];
    let mut all = vec![];
    for (here, neighbours) in columns.iter().enumerate() {
        all.extend(neighbours.iter().map(|&(tap, there)| (tap, here, there)));
    }
    all.sort_unstable();
    for (tap, here, there) in all {
        match runs.last_mut() {
            Some((last, run)) if (*last, run.here + run.len, run.there + run.len) == (tap, here, there) => run.len += 1,
            _ => runs.push((tap, ColumnRun { here, there, len: 1 })),
        }
    }
    runs.into_iter().map(|(_, run)| run).collect()
}

/// The inputs or the outputs of a pool.
struct PoolSide {
    /// The dependencies of rows and of columns.
    neighbours: [Neighbours; 2],
    /// The dependencies of columns as runs.
    runs: Vec<ColumnRun>,
    /// Pixels per row.
    width: usize,
    /// Elements per image.
    image: usize,
}

/// A pool of a certain size.
struct Pool {
    inputs: PoolSide,
    outputs: PoolSide,
    /// For each output, 1 / number of pixels under its window.
    inverse_counts: Vec<f32>,
    kernel_width: usize,
    channels: usize,
}

impl Pool {
    fn new(shape: &PoolShape) -> Self {
        let PoolShape { size, out, c, window, .. } = *shape;
        let under = [0, 1].map(|axis| -> Neighbours {
            (0..out[axis]).map(|i| taps(&window, axis, i, size[axis]).collect()).collect()
        });
        let covering = [0, 1].map(|axis| {
            let mut covering: Neighbours = vec![vec![]; size[axis]];
            for (output, pixels) in under[axis].iter().enumerate() {
                pixels.iter().for_each(|&(tap, pixel)| covering[pixel].push((tap, output)));
            }
            covering
        });
        let counts = under[0].iter().flat_map(|rows| under[1].iter().map(move |columns| rows.len() * columns.len()));
        Self {
            inverse_counts: counts.map(|count| 1.0 / count as f32).collect(),
            inputs: PoolSide {
                runs: runs(&covering[1]),
                neighbours: covering,
                width: size[1],
                image: size[0] * size[1] * c,
            },
            outputs: PoolSide { runs: runs(&under[1]), neighbours: under, width: out[1], image: out[0] * out[1] * c },
            kernel_width: window.kernel[1],
            channels: c,
        }
    }

    /// Calls `gather` for each pixel of side `here`, with some channels at a time.
    #[inline(always)]
    fn gather<I: Isa>(&self, here: &PoolSide, there: &PoolSide, images: usize, gather: &mut impl Gather) {
        for image in 0..images {
            let mut pixel = 0;
            for rows in &here.neighbours[0] {
                for columns in &here.neighbours[1] {
                    each_block!(I, self.channels, |N, first, count| {
                        let at = image * here.image + pixel * self.channels + first;
                        let base = image * there.image + first;
                        gather.gather::<N>(GatherSite {
                            pool: self,
                            at,
                            base,
                            width: there.width,
                            rows,
                            columns,
                            count,
                        });
                    });
                    pixel += 1;
                }
            }
        }
    }
}

/// Some channels of a pixel, and the rows and columns on the other side that they depend on.
struct GatherSite<'a> {
    pool: &'a Pool,
    /// Offset of the channels on this side.
    at: usize,
    /// Offset of the same channels of the image's first pixel on the other side.
    base: usize,
    /// Pixels per row on the other side.
    width: usize,
    rows: &'a [(usize, usize)],
    columns: &'a [(usize, usize)],
    count: usize,
}

impl GatherSite<'_> {
    /// The tap and the pixel of a row and a column on the other side.
    #[inline(always)]
    fn tap_and_pixel(&self, &(a, row): &(usize, usize), &(b, column): &(usize, usize)) -> (usize, usize) {
        (a * self.pool.kernel_width + b, row * self.width + column)
    }

    /// The channels of a pixel on the other side.
    #[inline(always)]
    fn load<const N: usize>(&self, from: &[f32], pixel: usize) -> Lanes<N> {
        Lanes::load_some(from, self.base + pixel * self.pool.channels, self.count)
    }

    /// The first tap in row-major order.
    #[inline(always)]
    fn first_tap(&self) -> usize {
        let tap = |neighbours: &[(usize, usize)]| neighbours.first().map_or(0, |&(tap, _)| tap);
        tap(self.rows) * self.pool.kernel_width + tap(self.columns)
    }
}

/// A computation at each pixel of one side of a pool, from values on the other side.
trait Gather {
    /// Computes some channels of a pixel, in registers of `N` elements.
    fn gather<const N: usize>(&mut self, site: GatherSite<'_>);
    /// Number of elements that are written.
    fn len(&self) -> usize;
}

/// Computes outputs from inputs.
struct GatherForward<'a, G>(&'a Pool, G);

impl<G: Gather> Kernel for GatherForward<'_, G> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(mut self) {
        let images = self.1.len() / self.0.outputs.image;
        self.0.gather::<I>(&self.0.outputs, &self.0.inputs, images, &mut self.1);
    }
}

/// Computes gradients of inputs from gradients of outputs.
struct GatherBackward<'a, G>(&'a Pool, G);

impl<G: Gather> Kernel for GatherBackward<'_, G> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(mut self) {
        let images = self.1.len() / self.0.inputs.image;
        self.0.gather::<I>(&self.0.inputs, &self.0.outputs, images, &mut self.1);
    }
}
