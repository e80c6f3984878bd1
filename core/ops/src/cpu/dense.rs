//! Every output a sum over all input channels: six pixels times sixteen outputs stay in registers, eight times 32 or
//! sixteen times sixteen where registers are wide, or eight times eight where there are no more outputs. Fewer sums than
//! eight would wait for each other: an addition takes four cycles, and two start in each.

#![expect(clippy::needless_range_loop, reason = "loops with constant bounds become registers, iterators do not")]

use super::{
    correlation::Correlation,
    packed::{F32x8, PackedMatrix, Panel, PanelLayout},
    simd::{Isa, Kernel, LANES, Lanes, Row},
    store::Store,
};

/// GradientTransform that one panel of weights reads of a strip of pixels, which are to stay in the first-level cache. InputTransform need
/// not: one of them serves all outputs of the panel.
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
        for panel in weights.layout.panels() {
            let (rows, start) = (weights.rows(&panel), &weights.start[panel.first / LANES..]);
            let work = Work { plan, panel, rows, start, frame };
            match panel.vectors {
                1 => match_distance!(distance, blocks::<I, 1, 8 or 8>(&work, &mut store)),
                2 if I::WIDE && plan.columns.is_multiple_of(16) => {
                    match_distance!(distance, blocks::<I, 2, 16 or 8>(&work, &mut store));
                }
                2 if I::WIDE => blocks::<I, 2, 8, 0>(&work, &mut store),
                2 => match_distance!(distance, blocks::<I, 2, 6 or 6>(&work, &mut store)),
                _ if I::WIDE => match_distance!(distance, blocks::<I, 4, 8 or 8>(&work, &mut store)),
                _ => unreachable!("panels of four registers are for wide ones"),
            }
        }
    }
}

/// Calls `$work::<instructions, V, P, D>`, where the inputs of neighbouring outputs are `$distance` numbers apart: with `$p`
/// outputs at once and that number as a constant `D` if it is a usual one; otherwise with `$q` outputs and 0.
macro_rules! match_distance {
    ($distance:expr, $work:ident::<$isa:ty, $v:literal, $p:literal or $q:literal>$arguments:tt) => {
        match $distance {
            3 => $work::<$isa, $v, $p, 3>$arguments,
            8 => $work::<$isa, $v, $p, 8>$arguments,
            16 => $work::<$isa, $v, $p, 16>$arguments,
            32 => $work::<$isa, $v, $p, 32>$arguments,
            64 => $work::<$isa, $v, $p, 64>$arguments,
            128 => $work::<$isa, $v, $p, 128>$arguments,
            _ => $work::<$isa, $v, $q, 0>$arguments,
        }
    };
}
pub(super) use match_distance;

/// One panel of a correlation.
struct Work<'a> {
    plan: &'a Correlation,
    panel: Panel,
    rows: &'a [F32x8],
    start: &'a [F32x8],
    frame: &'a [f32],
}

#[inline(always)]
fn blocks<I: Isa, const V: usize, const P: usize, const D: usize>(work: &Work<'_>, store: &mut impl Store) {
    let plan = work.plan;
    let (sources, last_sources) = plan.sources.as_chunks::<P>();
    let (targets, last_targets) = plan.targets.as_chunks::<P>();
    for (sources, targets) in sources.iter().zip(targets) {
        work.outputs::<I, V, P, D>(sources, targets, store);
    }
    let (sources, last_sources) = last_sources.as_chunks::<4>();
    let (targets, last_targets) = last_targets.as_chunks::<4>();
    for (sources, targets) in sources.iter().zip(targets) {
        work.outputs::<I, V, 4, 0>(sources, targets, store);
    }
    for (&source, &target) in last_sources.iter().zip(last_targets) {
        work.outputs::<I, V, 1, 0>(&[source], &[target], store);
    }
}

impl Work<'_> {
    #[inline(always)]
    fn outputs<I: Isa, const V: usize, const P: usize, const D: usize>(
        &self,
        sources: &[usize; P],
        targets: &[usize; P],
        store: &mut impl Store,
    ) {
        let Self { plan, panel, frame, .. } = self;
        let Some(start) = self.start.first_chunk() else { unreachable!("whole registers") };
        let rows = self.rows.as_chunks::<V>().0;
        let totals = accumulate::<I, V, P, D>(start, &plan.runs, plan.run, rows, frame, sources);
        if I::WIDE && V.is_multiple_of(2) {
            put::<{ 2 * LANES }, V, P>(panel, targets, totals, store);
        } else {
            put::<LANES, V, P>(panel, targets, totals, store);
        }
    }
}

/// Sums of `P` outputs: `start + sum frame[source + run + k] rows[run, k]` over the runs, `run` numbers each. Sources are
/// at least `D` numbers apart; where they are no farther, one address serves them all.
#[inline(always)]
pub fn accumulate<I: Isa, const V: usize, const P: usize, const D: usize>(
    start: &[F32x8; V],
    runs: &[usize],
    run: usize,
    rows: &[[F32x8; V]],
    frame: &[f32],
    sources: &[usize; P],
) -> [[F32x8; V]; P] {
    if D > 0 && sources[P - 1] - sources[0] == (P - 1) * D {
        return accumulate_evenly_spaced::<I, V, P, D>(start, runs, run, rows, frame, sources[0]);
    }
    let mut totals = [Row(*start); P];
    for (&run, weights) in runs.iter().zip(rows.chunks_exact(run)) {
        let mut inputs = [&frame[..0]; P];
        for p in 0..P {
            inputs[p] = &frame[sources[p] + run..][..weights.len()];
        }
        for k in 0..weights.len() {
            for p in 0..P {
                totals[p] = totals[p].plus_scaled::<I>(inputs[p][k], &weights[k]);
            }
        }
    }
    to_arrays(totals)
}

/// The same, of sources that are exactly `D` numbers apart.
#[inline(always)]
fn accumulate_evenly_spaced<I: Isa, const V: usize, const P: usize, const D: usize>(
    start: &[F32x8; V],
    runs: &[usize],
    run: usize,
    rows: &[[F32x8; V]],
    frame: &[f32],
    source: usize,
) -> [[F32x8; V]; P] {
    let mut totals = [Row(*start); P];
    for (&run, weights) in runs.iter().zip(rows.chunks_exact(run)) {
        let inputs = &frame[source + run..][..(P - 1) * D + weights.len()];
        for (inputs, weights) in inputs.windows((P - 1) * D + 1).zip(weights) {
            for p in 0..P {
                totals[p] = totals[p].plus_scaled::<I>(inputs[p * D], weights);
            }
        }
    }
    to_arrays(totals)
}

/// A copy, made once the sums are complete: were they themselves taken apart later, they would be stored in every turn.
#[inline(always)]
fn to_arrays<const V: usize, const P: usize>(totals: [Row<V>; P]) -> [[F32x8; V]; P] {
    let mut copy = [[[0.0; LANES]; V]; P];
    for p in 0..P {
        copy[p] = totals[p].0;
    }
    copy
}

/// Stores sums in registers of `N` numbers.
#[inline(always)]
fn put<const N: usize, const V: usize, const P: usize>(
    panel: &Panel,
    targets: &[usize; P],
    totals: [[F32x8; V]; P],
    store: &mut impl Store,
) {
    for p in 0..P {
        let registers = totals[p].as_flattened().as_chunks::<N>().0;
        for v in 0..V * LANES / N {
            // The constant makes loads and stores of whole registers.
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
                    1 => add_gradient::<I, 1, 8>(strip, &plan.runs, plan.run, panel.first, total),
                    2 if I::WIDE => add_gradient::<I, 2, 16>(strip, &plan.runs, plan.run, panel.first, total),
                    2 => add_gradient::<I, 2, 6>(strip, &plan.runs, plan.run, panel.first, total),
                    _ if I::WIDE => add_gradient::<I, 4, 8>(strip, &plan.runs, plan.run, panel.first, total),
                    _ => unreachable!("panels of four registers are for wide ones"),
                }
            }
        }
    }
}

/// Adds the part of some pixels, given as the frame and the gradient of the output from there on, to the gradient of the
/// weights of `V` registers of outputs from `first` on, in blocks of `K` rows.
#[inline(always)]
pub fn add_gradient<'a, I: Isa, const V: usize, const K: usize>(
    pixels: impl Iterator<Item = (&'a [f32], &'a [f32])> + Clone,
    runs: &[usize],
    run: usize,
    first: usize,
    total: &mut [F32x8],
) {
    let total = total.as_chunks_mut::<V>().0;
    for (&run, total) in runs.iter().zip(total.chunks_exact_mut(run)) {
        let mut at = run;
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

/// One block of rows.
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
