//! Every output a sum over all input channels: six pixels times sixteen outputs stay in registers, or eight times eight
//! where there are no more outputs. Fewer sums than eight would wait for each other: an addition takes four cycles, and two
//! start in each.

#![expect(clippy::needless_range_loop, reason = "loops with constant bounds become registers, iterators do not")]

use super::{
    correlation::{Correlation, Store},
    packed::{Eight, Layout, Packed, Panel},
    simd::{Kernel, LANES, Lanes},
};

/// Numbers of the inputs and gradients of a strip, which is to stay in the first-level cache.
const STRIP: usize = 6 * 1024;

/// Computes all outputs of a correlation and stores them.
pub struct Correlate<'a, S> {
    pub plan: &'a Correlation,
    pub weights: &'a Packed,
    pub frame: &'a [f32],
    pub store: S,
}

impl<S: Store> Kernel for Correlate<'_, S> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { plan, weights, frame, mut store } = self;
        for panel in weights.layout.panels() {
            let rows = weights.rows(&panel);
            match panel.vectors {
                1 => blocks::<FMA, 1, 8>(plan, &panel, rows, frame, &mut store),
                _ => blocks::<FMA, 2, 6>(plan, &panel, rows, frame, &mut store),
            }
        }
    }
}

#[inline(always)]
fn blocks<const FMA: bool, const V: usize, const P: usize>(
    plan: &Correlation,
    panel: &Panel,
    rows: &[Eight],
    frame: &[f32],
    store: &mut impl Store,
) {
    let (rows, runs, run) = (rows.as_chunks::<V>().0, &plan.runs, plan.run);
    let (sources, last_sources) = plan.sources.as_chunks::<P>();
    let (targets, last_targets) = plan.targets.as_chunks::<P>();
    for (sources, targets) in sources.iter().zip(targets) {
        put(panel, targets, accumulate::<FMA, V, P>(runs, run, rows, frame, sources), store);
    }
    let (sources, last_sources) = last_sources.as_chunks::<4>();
    let (targets, last_targets) = last_targets.as_chunks::<4>();
    for (sources, targets) in sources.iter().zip(targets) {
        put(panel, targets, accumulate::<FMA, V, 4>(runs, run, rows, frame, sources), store);
    }
    for (&source, &target) in last_sources.iter().zip(last_targets) {
        put(panel, &[target], accumulate::<FMA, V, 1>(runs, run, rows, frame, &[source]), store);
    }
}

/// Sums of `P` outputs: `sum frame[source + run + k] rows[run, k]` over the runs, `run` numbers each.
#[inline(always)]
pub fn accumulate<const FMA: bool, const V: usize, const P: usize>(
    runs: &[usize],
    run: usize,
    rows: &[[Eight; V]],
    frame: &[f32],
    sources: &[usize; P],
) -> [[Lanes; V]; P] {
    let mut totals = [[Lanes::ZERO; V]; P];
    for (&run, weights) in runs.iter().zip(rows.chunks_exact(run)) {
        let mut inputs = [&frame[..0]; P];
        for p in 0..P {
            inputs[p] = &frame[sources[p] + run..][..weights.len()];
        }
        for k in 0..weights.len() {
            for p in 0..P {
                let input = Lanes::splat(inputs[p][k]);
                for v in 0..V {
                    totals[p][v] = totals[p][v].plus_product::<FMA>(input, Lanes(weights[k][v]));
                }
            }
        }
    }
    totals
}

#[inline(always)]
fn put<const V: usize, const P: usize>(
    panel: &Panel,
    targets: &[usize; P],
    totals: [[Lanes; V]; P],
    store: &mut impl Store,
) {
    for p in 0..P {
        for v in 0..V {
            // The constant makes loads and stores of whole registers.
            let (channel, left) = (panel.first + v * LANES, panel.count - v * LANES);
            if left >= LANES {
                store.store(targets[p], channel, totals[p][v], LANES);
            } else {
                store.store(targets[p], channel, totals[p][v], left);
            }
        }
    }
}

/// Adds the gradient of the weights to `total`: `total[k, o] += sum over pixels of frame[source + k] dz[pixel, o]`.
pub struct WeightGradient<'a> {
    pub plan: &'a Correlation,
    pub layout: Layout,
    pub frame: &'a [f32],
    pub dz: &'a [f32],
    pub dz_pixels: &'a [usize],
    pub total: &'a mut [Eight],
}

impl Kernel for WeightGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { plan, layout, frame, dz, dz_pixels, total } = self;
        let pixels = (STRIP / (plan.run / 3 + layout.columns)).max(16);
        for (sources, dz_pixels) in plan.sources.chunks(pixels).zip(dz_pixels.chunks(pixels)) {
            let strip = sources.iter().zip(dz_pixels).map(|(&source, &pixel)| (&frame[source..], &dz[pixel..]));
            for panel in layout.panels() {
                let total = &mut total[panel.start..][..layout.rows * panel.vectors];
                match panel.vectors {
                    1 => add_gradient::<FMA, 1, 8>(strip.clone(), &plan.runs, plan.run, panel.first, total),
                    _ => add_gradient::<FMA, 2, 6>(strip.clone(), &plan.runs, plan.run, panel.first, total),
                }
            }
        }
    }
}

/// Adds the part of some pixels, given as the frame and the gradient of the output from there on, to the gradient of the
/// weights of `V` registers of outputs from `first` on, in blocks of `K` rows.
#[inline(always)]
pub fn add_gradient<'a, const FMA: bool, const V: usize, const K: usize>(
    pixels: impl Iterator<Item = (&'a [f32], &'a [f32])> + Clone,
    runs: &[usize],
    run: usize,
    first: usize,
    total: &mut [Eight],
) {
    let total = total.as_chunks_mut::<V>().0;
    for (&run, total) in runs.iter().zip(total.chunks_exact_mut(run)) {
        let mut at = run;
        let (blocks, rest) = total.as_chunks_mut::<K>();
        for rows in blocks {
            add_products::<FMA, V, K>(pixels.clone(), at, first, rows);
            at += K;
        }
        let (fours, rest) = rest.as_chunks_mut::<4>();
        for rows in fours {
            add_products::<FMA, V, 4>(pixels.clone(), at, first, rows);
            at += 4;
        }
        let (twos, rest) = rest.as_chunks_mut::<2>();
        for rows in twos {
            add_products::<FMA, V, 2>(pixels.clone(), at, first, rows);
            at += 2;
        }
        for row in rest.as_chunks_mut::<1>().0 {
            add_products::<FMA, V, 1>(pixels.clone(), at, first, row);
        }
    }
}

/// One block of rows.
#[inline(always)]
fn add_products<'a, const FMA: bool, const V: usize, const K: usize>(
    pixels: impl Iterator<Item = (&'a [f32], &'a [f32])>,
    at: usize,
    first: usize,
    rows: &mut [[Eight; V]; K],
) {
    let mut totals = [[Lanes::ZERO; V]; K];
    for k in 0..K {
        for v in 0..V {
            totals[k][v] = Lanes(rows[k][v]);
        }
    }
    for (inputs, gradients) in pixels {
        let inputs = &inputs[at..at + K];
        let gradients = &gradients[first..first + V * LANES];
        for k in 0..K {
            for v in 0..V {
                totals[k][v] = totals[k][v].plus_scaled::<FMA>(inputs[k], Lanes::load(gradients, v * LANES));
            }
        }
    }
    for k in 0..K {
        for v in 0..V {
            rows[k][v] = totals[k][v].0;
        }
    }
}
