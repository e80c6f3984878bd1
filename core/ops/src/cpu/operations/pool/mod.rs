//! Maximum and average under a window.
//!
//! Both directions gather: an output reads the pixels under its window, and a pixel reads the outputs whose windows
//! cover it.

mod average;
mod gather;

use crate::{
    OpError, PoolKind, PoolSpec,
    cpu::{
        activation::CpuActivation,
        buffer::Buffer,
        image_group::group_len,
        simd::{Isa, Kernel, Lanes, dispatch, each_block},
        tape::Recorder,
    },
    shape::{PoolShape, elements, taps},
};
use average::{Average, AverageBack};
use gather::{Maximum, MaximumBack};
use rayon::prelude::*;

/// As [`crate::reference::pool2d`].
pub fn pool2d(x: &CpuActivation, spec: PoolSpec, tape: &mut dyn Recorder) -> Result<CpuActivation, OpError> {
    let shape = PoolShape::new(x.dims(), spec)?;
    let pool = Pool::new(&shape);
    let output = (shape.n, shape.out[0], shape.out[1], shape.c);
    let (x_group, y_group) = (group_len(x.dims()), group_len(output));
    let mut y = Buffer::uninitialised(elements(output));
    let groups = y.par_chunks_mut(y_group).zip(x.normalised().par_chunks(x_group));
    let winners = match spec.kind {
        PoolKind::Average => {
            groups.for_each(|(y, x)| dispatch(Average { pool: &pool, x, y }));
            None
        }
        PoolKind::Max => {
            let mut winners = Buffer::uninitialised(elements(output));
            let groups = groups.zip(winners.par_chunks_mut(y_group));
            groups.for_each(|((y, x), winners)| dispatch(GatherForward(&pool, Maximum { x, y, winners })));
            Some(winners)
        }
    };
    let y = CpuActivation::new(output, y);
    if tape.is_recording() {
        let (input, output, len) = (x.gradient(), y.gradient(), elements(x.dims()));
        tape.record(Box::new(move |_| {
            let Some(dy) = output.take() else { return Ok(()) };
            input.accumulate(len, |dx, overwrite| {
                let groups = dx.par_chunks_mut(x_group).zip(dy.par_chunks(y_group));
                match &winners {
                    None => groups.for_each(|(dx, dy)| dispatch(AverageBack { pool: &pool, dx, dy, overwrite })),
                    Some(winners) => groups.zip(winners.par_chunks(y_group)).for_each(|((dx, dy), winners)| {
                        dispatch(GatherBackward(&pool, MaximumBack { dx, dy, winners, overwrite }));
                    }),
                }
            });
            Ok(())
        }));
    }
    Ok(y)
}

/// For each position along an axis: `(tap, position on the other side)`.
type Reach = Vec<Vec<(usize, usize)>>;

/// Neighbouring columns that reach neighbouring columns on the other side by the same tap.
struct Run {
    here: usize,
    there: usize,
    len: usize,
}

/// All that columns reach, one tap after the other.
fn runs(columns: &Reach) -> Vec<Run> {
    let mut runs: Vec<(usize, Run)> = vec![];
    let mut all = vec![];
    for (here, covered) in columns.iter().enumerate() {
        all.extend(covered.iter().map(|&(tap, there)| (tap, here, there)));
    }
    all.sort_unstable();
    for (tap, here, there) in all {
        match runs.last_mut() {
            Some((last, run)) if (*last, run.here + run.len, run.there + run.len) == (tap, here, there) => run.len += 1,
            _ => runs.push((tap, Run { here, there, len: 1 })),
        }
    }
    runs.into_iter().map(|(_, run)| run).collect()
}

/// One side of a pool, the inputs or the outputs.
struct Side {
    /// What each row and each column reaches on the other side.
    reach: [Reach; 2],
    /// What the columns reach, as runs.
    runs: Vec<Run>,
    width: usize,
    /// Numbers of an image.
    image: usize,
}

struct Pool {
    inputs: Side,
    outputs: Side,
    /// For each output the share of one pixel under its window.
    shares: Vec<f32>,
    kernel_width: usize,
    channels: usize,
}

impl Pool {
    fn new(shape: &PoolShape) -> Self {
        let PoolShape { size, out, c, window, .. } = *shape;
        let under = [0, 1]
            .map(|axis| -> Reach { (0..out[axis]).map(|i| taps(&window, axis, i, size[axis]).collect()).collect() });
        let covering = [0, 1].map(|axis| {
            let mut covering: Reach = vec![vec![]; size[axis]];
            for (output, pixels) in under[axis].iter().enumerate() {
                pixels.iter().for_each(|&(tap, pixel)| covering[pixel].push((tap, output)));
            }
            covering
        });
        let counts = under[0].iter().flat_map(|rows| under[1].iter().map(move |columns| rows.len() * columns.len()));
        Self {
            shares: counts.map(|count| 1.0 / count as f32).collect(),
            inputs: Side { runs: runs(&covering[1]), reach: covering, width: size[1], image: size[0] * size[1] * c },
            outputs: Side { runs: runs(&under[1]), reach: under, width: out[1], image: out[0] * out[1] * c },
            kernel_width: window.kernel[1],
            channels: c,
        }
    }

    /// Gathers at every place of the images of one side.
    #[inline(always)]
    fn gather<I: Isa>(&self, here: &Side, there: &Side, images: usize, gather: &mut impl Gather) {
        for image in 0..images {
            let mut pixel = 0;
            for rows in &here.reach[0] {
                for columns in &here.reach[1] {
                    each_block!(I, self.channels, |N, first, count| {
                        let at = image * here.image + pixel * self.channels + first;
                        let base = image * there.image + first;
                        gather.gather::<N>(Place { pool: self, at, base, width: there.width, rows, columns, count });
                    });
                    pixel += 1;
                }
            }
        }
    }
}

/// Some channels of a pixel, and what they reach on the other side.
struct Place<'a> {
    pool: &'a Pool,
    at: usize,
    base: usize,
    width: usize,
    rows: &'a [(usize, usize)],
    columns: &'a [(usize, usize)],
    count: usize,
}

impl Place<'_> {
    /// Tap and pixel where a row and a column that are covered meet.
    #[inline(always)]
    fn meet(&self, &(a, row): &(usize, usize), &(b, column): &(usize, usize)) -> (usize, usize) {
        (a * self.pool.kernel_width + b, row * self.width + column)
    }

    /// The channels of a pixel on the other side.
    #[inline(always)]
    fn load<const N: usize>(&self, from: &[f32], pixel: usize) -> Lanes<N> {
        Lanes::load_some(from, self.base + pixel * self.pool.channels, self.count)
    }

    #[inline(always)]
    fn first_tap(&self) -> usize {
        let tap = |reach: &[(usize, usize)]| reach.first().map_or(0, |&(tap, _)| tap);
        tap(self.rows) * self.pool.kernel_width + tap(self.columns)
    }
}

/// What to do at a place.
trait Gather {
    /// Registers have `N` numbers.
    fn gather<const N: usize>(&mut self, place: Place<'_>);
    /// Numbers of the side that is written.
    fn len(&self) -> usize;
}

/// Writes outputs.
struct GatherForward<'a, G>(&'a Pool, G);

impl<G: Gather> Kernel for GatherForward<'_, G> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(mut self) {
        let images = self.1.len() / self.0.outputs.image;
        self.0.gather::<I>(&self.0.outputs, &self.0.inputs, images, &mut self.1);
    }
}

/// Adds to gradients of inputs.
struct GatherBackward<'a, G>(&'a Pool, G);

impl<G: Gather> Kernel for GatherBackward<'_, G> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(mut self) {
        let images = self.1.len() / self.0.inputs.image;
        self.0.gather::<I>(&self.0.inputs, &self.0.outputs, images, &mut self.1);
    }
}
