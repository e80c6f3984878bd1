//! Kernels of convolutions in which every output is a sum over all input channels of its group.
//!
//! A block of outputs stays in registers while its sums are accumulated: six pixels times sixteen outputs, or eight
//! times eight where a convolution has no more outputs. Where registers hold sixteen elements: eight pixels times 32
//! outputs, or sixteen times sixteen. A block has at least eight sums, because an addition takes four cycles and a
//! processor starts two in each.

#![expect(clippy::needless_range_loop, reason = "loops with constant bounds become registers, iterators do not")]

use super::{
    correlation::Correlation,
    packed::{F32x8, PackedMatrix, Panel, PanelLayout},
    simd::{Isa, Kernel, LANES, Lanes, Row},
    store::Store,
};

/// Elements of the output's gradient per strip of pixels that one panel of weights reads, so that the strip stays in
/// the first-level cache. The inputs need not stay there, because each input serves all outputs of the panel.
const STRIP_LEN: usize = 4 * 1024;

/// Computes all outputs of a correlation and stores them.
pub struct Correlate<'a, S> {
    pub plan: &'a Correlation,
    pub weights: &'a PackedMatrix,
    pub frame: &'a [f32],
    pub store: S,
}

impl<S: Store> Kernel for Correlate<'_, S> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { plan, weights, frame, mut store } = self;
        let distance = plan.distance().unwrap_or(0);
        let scratch = &mut [[0.0; LANES]; SCRATCH_REGISTERS];
        for panel in weights.layout.panels() {
            let (rows, bias) = (weights.rows(&panel), &weights.bias[panel.first / LANES..]);
            let work = PanelWork { plan, panel, rows, bias, frame, distance };
            match panel.vectors {
                1 => work.all::<I, 1, 8, true>(scratch, &mut store),
                2 if I::WIDE && plan.columns.is_multiple_of(16) && has_constant(distance) => {
                    work.all::<I, 2, 16, true>(scratch, &mut store);
                }
                2 if I::WIDE => work.all::<I, 2, 8, false>(scratch, &mut store),
                2 => work.all::<I, 2, 6, true>(scratch, &mut store),
                _ if I::WIDE => work.all::<I, 4, 8, true>(scratch, &mut store),
                _ => unreachable!("only wide registers have panels of four"),
            }
        }
    }
}

/// One panel of a correlation.
struct PanelWork<'a> {
    plan: &'a Correlation,
    panel: Panel,
    rows: &'a [F32x8],
    bias: &'a [F32x8],
    frame: &'a [f32],
    /// Distance of the inputs of neighbouring outputs, in elements.
    distance: usize,
}

impl PanelWork<'_> {
    /// Computes all outputs in blocks of `P`, then four, then one. `SPACED` as in [`accumulate`].
    #[inline(always)]
    fn all<I: Isa, const V: usize, const P: usize, const SPACED: bool>(
        &self,
        scratch: &mut Scratch,
        store: &mut impl Store,
    ) {
        let (sources, last_sources) = self.plan.sources.as_chunks::<P>();
        let (targets, last_targets) = self.plan.targets.as_chunks::<P>();
        self.blocks::<I, V, P, SPACED>(sources, targets, scratch, store);
        let (sources, last_sources) = last_sources.as_chunks::<4>();
        let (targets, last_targets) = last_targets.as_chunks::<4>();
        self.blocks::<I, V, 4, false>(sources, targets, scratch, store);
        self.blocks::<I, V, 1, false>(last_sources.as_chunks().0, last_targets.as_chunks().0, scratch, store);
    }

    /// Computes as many blocks as `scratch` holds, stores them, and so on.
    #[inline(always)]
    fn blocks<I: Isa, const V: usize, const P: usize, const SPACED: bool>(
        &self,
        sources: &[[usize; P]],
        targets: &[[usize; P]],
        scratch: &mut Scratch,
        store: &mut impl Store,
    ) {
        let sums = scratch.as_chunks_mut::<V>().0.as_chunks_mut::<P>().0;
        for (sources, targets) in sources.chunks(sums.len()).zip(targets.chunks(sums.len())) {
            I::call(BlockSums::<V, P, SPACED> { work: self, sources, sums });
            for (sums, targets) in sums.iter().zip(targets) {
                if I::WIDE && V.is_multiple_of(2) {
                    store_block::<{ 2 * LANES }, V, P>(&self.panel, targets, sums, store);
                } else {
                    store_block::<LANES, V, P>(&self.panel, targets, sums, store);
                }
            }
        }
    }
}

/// Registers of sums that one call of [`BlockSums`] computes: enough to make the cost of the call negligible.
const SCRATCH_REGISTERS: usize = 128;

/// Memory for the sums of some blocks.
type Scratch = [F32x8; SCRATCH_REGISTERS];

/// Computes the sums of blocks of `P` outputs. It is a kernel of its own because it does not depend on the store.
struct BlockSums<'a, const V: usize, const P: usize, const SPACED: bool> {
    work: &'a PanelWork<'a>,
    sources: &'a [[usize; P]],
    sums: &'a mut [[[F32x8; V]; P]],
}

impl<const V: usize, const P: usize, const SPACED: bool> Kernel for BlockSums<'_, V, P, SPACED> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { work: PanelWork { plan, rows, bias, frame, distance, .. }, sources, sums } = self;
        let Some(bias) = bias.first_chunk::<V>() else { unreachable!("whole registers") };
        let rows = rows.as_chunks::<V>().0;
        for (sources, sums) in sources.iter().zip(sums) {
            let inputs = BlockInputs {
                run_offsets: &plan.run_offsets,
                run_len: plan.run_len,
                frame,
                sources,
                distance: *distance,
            };
            *sums = accumulate::<I, V, P, SPACED>(bias, rows, inputs);
        }
    }
}

/// The values that the sums of a block of `P` outputs read.
#[derive(Clone, Copy)]
pub struct BlockInputs<'a, const P: usize> {
    /// Offsets of the runs from a source.
    pub run_offsets: &'a [usize],
    /// Length of each run.
    pub run_len: usize,
    /// The padded image.
    pub frame: &'a [f32],
    /// Offset of each output's first input in the frame.
    pub sources: &'a [usize; P],
    /// Smallest distance of two sources.
    pub distance: usize,
}

/// Calls `$work` with `$distance` as a constant if it is one of the usual distances of neighbouring pixels.
macro_rules! with_constant_distance {
    ($distance:expr, |$d:ident| $work:expr) => {
        with_constant_distance!($distance, |$d| $work, [3, 8, 16, 32, 64, 128])
    };
    ($distance:expr, |$d:ident| $work:expr, [$($constant:literal),+]) => {
        match $distance {
            $($constant => {
                const $d: usize = $constant;
                Some($work)
            })+
            _ => None,
        }
    };
}

/// Whether [`accumulate`] is compiled for this distance.
pub fn has_constant(distance: usize) -> bool {
    with_constant_distance!(distance, |D| D).is_some()
}

/// Sums of `P` outputs: `bias + sum frame[source + offset(run) + k] rows[run, k]` over the runs, `run_len` elements
/// each.
///
/// With `SPACED`, sources at equal distances share one address register, if the distance is one of the usual: a
/// processor has fewer address registers than sums.
#[inline(always)]
pub fn accumulate<I: Isa, const V: usize, const P: usize, const SPACED: bool>(
    bias: &[F32x8; V],
    rows: &[[F32x8; V]],
    inputs: BlockInputs<'_, P>,
) -> [[F32x8; V]; P] {
    let BlockInputs { run_offsets, run_len, frame, sources, distance } = inputs;
    // Processors without fused multiply-add are too rare to compile these loops for them. The general loop adds the
    // same products in the same order.
    if SPACED && I::FUSED && sources[P - 1] - sources[0] == (P - 1) * distance {
        let sums = with_constant_distance!(distance, |D| accumulate_spaced::<I, V, P, D>(bias, rows, inputs));
        if let Some(sums) = sums {
            return sums;
        }
    }
    let mut totals = [Row(*bias); P];
    for (&offset, weights) in run_offsets.iter().zip(rows.chunks_exact(run_len)) {
        let mut inputs = [&frame[..0]; P];
        for p in 0..P {
            inputs[p] = &frame[sources[p] + offset..][..weights.len()];
        }
        for k in 0..weights.len() {
            for p in 0..P {
                totals[p] = totals[p].plus_scaled::<I>(inputs[p][k], &weights[k]);
            }
        }
    }
    to_arrays(totals)
}

/// [`accumulate`] for sources that are exactly `D` elements apart.
#[inline(always)]
fn accumulate_spaced<I: Isa, const V: usize, const P: usize, const D: usize>(
    bias: &[F32x8; V],
    rows: &[[F32x8; V]],
    inputs: BlockInputs<'_, P>,
) -> [[F32x8; V]; P] {
    let BlockInputs { run_offsets, run_len, frame, sources, .. } = inputs;
    let mut totals = [Row(*bias); P];
    for (&offset, weights) in run_offsets.iter().zip(rows.chunks_exact(run_len)) {
        let inputs = &frame[sources[0] + offset..][..(P - 1) * D + weights.len()];
        for (inputs, weights) in inputs.windows((P - 1) * D + 1).zip(weights) {
            for p in 0..P {
                totals[p] = totals[p].plus_scaled::<I>(inputs[p * D], weights);
            }
        }
    }
    to_arrays(totals)
}

/// Copies complete sums to memory. If later code took the registers apart instead, the compiler would store the sums in
/// each iteration.
#[inline(always)]
fn to_arrays<const V: usize, const P: usize>(totals: [Row<V>; P]) -> [[F32x8; V]; P] {
    let mut copy = [[[0.0; LANES]; V]; P];
    for p in 0..P {
        copy[p] = totals[p].0;
    }
    copy
}

/// Stores the sums of a block in registers of `N` elements.
#[inline(always)]
fn store_block<const N: usize, const V: usize, const P: usize>(
    panel: &Panel,
    targets: &[usize; P],
    sums: &[[F32x8; V]; P],
    store: &mut impl Store,
) {
    for p in 0..P {
        let registers = sums[p].as_flattened().as_chunks::<N>().0;
        for v in 0..V * LANES / N {
            // A constant count compiles to loads and stores of whole registers.
            let (channel, left) = (panel.first + v * N, panel.count - v * N);
            if left >= N {
                store.store(targets[p], channel, Lanes(registers[v]), N);
            } else {
                store.store(targets[p], channel, Lanes(registers[v]), left);
            }
        }
    }
}

/// Adds the gradient of the weights to `total`: `total[k, o] += sum over pixels of frame[source + k] dz[pixel, o]`.
pub struct WeightGradient<'a> {
    pub plan: &'a Correlation,
    pub layout: PanelLayout,
    pub frame: &'a [f32],
    pub dz: &'a [f32],
    pub dz_pixels: &'a [usize],
    pub total: &'a mut [F32x8],
}

impl Kernel for WeightGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { plan, layout, frame, dz, dz_pixels, total } = self;
        for panel in layout.panels() {
            let total = &mut total[panel.start..][..layout.rows * panel.vectors];
            let pixels = STRIP_LEN / (panel.vectors * LANES);
            for (sources, dz_pixels) in plan.sources.chunks(pixels).zip(dz_pixels.chunks(pixels)) {
                let strip = sources.iter().zip(dz_pixels).map(|(&source, &pixel)| (&frame[source..], &dz[pixel..]));
                match panel.vectors {
                    1 => add_gradient::<I, 1, 8>(strip, &plan.run_offsets, plan.run_len, panel.first, total),
                    2 if I::WIDE => {
                        add_gradient::<I, 2, 16>(strip, &plan.run_offsets, plan.run_len, panel.first, total)
                    }
                    2 => add_gradient::<I, 2, 6>(strip, &plan.run_offsets, plan.run_len, panel.first, total),
                    _ if I::WIDE => add_gradient::<I, 4, 8>(strip, &plan.run_offsets, plan.run_len, panel.first, total),
                    _ => unreachable!("only wide registers have panels of four"),
                }
            }
        }
    }
}

/// Adds the contribution of some pixels to the gradient of the weights, for `V` registers of outputs from output
/// `first` on, in blocks of `K` rows. Each pixel is a pair: the frame from its source on, and the output's gradient
/// from it on.
#[inline(always)]
pub fn add_gradient<'a, I: Isa, const V: usize, const K: usize>(
    pixels: impl Iterator<Item = (&'a [f32], &'a [f32])> + Clone,
    run_offsets: &[usize],
    run_len: usize,
    first: usize,
    total: &mut [F32x8],
) {
    let total = total.as_chunks_mut::<V>().0;
    for (&offset, total) in run_offsets.iter().zip(total.chunks_exact_mut(run_len)) {
        let mut at = offset;
        let (blocks, rest) = total.as_chunks_mut::<K>();
        for rows in blocks {
            add_products::<I, V, K>(pixels.clone(), at, first, rows);
            at += K;
        }
        let (fours, rest) = rest.as_chunks_mut::<4>();
        for rows in fours {
            add_products::<I, V, 4>(pixels.clone(), at, first, rows);
            at += 4;
        }
        let (twos, rest) = rest.as_chunks_mut::<2>();
        for rows in twos {
            add_products::<I, V, 2>(pixels.clone(), at, first, rows);
            at += 2;
        }
        for row in rest.as_chunks_mut::<1>().0 {
            add_products::<I, V, 1>(pixels.clone(), at, first, row);
        }
    }
}

/// [`add_gradient`] for one block of `K` rows, whose inputs start at offset `at` from the source.
#[inline(always)]
fn add_products<'a, I: Isa, const V: usize, const K: usize>(
    pixels: impl Iterator<Item = (&'a [f32], &'a [f32])>,
    at: usize,
    first: usize,
    rows: &mut [[F32x8; V]; K],
) {
    let mut totals = [Row::ZERO; K];
    for k in 0..K {
        totals[k] = Row(rows[k]);
    }
    for (inputs, gradients) in pixels {
        let inputs = &inputs[at..at + K];
        let Some(gradients) = gradients[first..].as_chunks().0.first_chunk() else { unreachable!("whole registers") };
        for k in 0..K {
            totals[k] = totals[k].plus_scaled::<I>(inputs[k], gradients);
        }
    }
    for k in 0..K {
        rows[k] = totals[k].0;
    }
}
