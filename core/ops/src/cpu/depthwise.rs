//! Every channel on its own: eight channels share a register, eight pixels are computed at once.

use super::{
    correlation::Correlation,
    packed::{Layout, Packed, Panel},
    simd::{LANES, Lanes, add_product, load},
};

/// Computes all outputs of a correlation and hands them to `store(pixel, first channel, values)`.
#[inline(always)]
pub fn correlate<const FMA: bool>(
    plan: &Correlation,
    weights: &Packed,
    frame: &[f32],
    mut store: impl FnMut(usize, usize, &[f32]),
) {
    for panel in weights.layout.panels() {
        let taps = weights.rows(&panel);
        let (sources, last_sources) = plan.sources.as_chunks::<8>();
        let (targets, last_targets) = plan.targets.as_chunks::<8>();
        for (sources, targets) in sources.iter().zip(targets) {
            block::<FMA, 8>(plan, &panel, taps, frame, sources, targets, &mut store);
        }
        for (&source, &target) in last_sources.iter().zip(last_targets) {
            block::<FMA, 1>(plan, &panel, taps, frame, &[source], &[target], &mut store);
        }
    }
}

#[inline(always)]
fn block<const FMA: bool, const P: usize>(
    plan: &Correlation,
    panel: &Panel,
    taps: &[Lanes],
    frame: &[f32],
    sources: &[usize; P],
    targets: &[usize; P],
    store: &mut impl FnMut(usize, usize, &[f32]),
) {
    let mut totals = [[0.0; LANES]; P];
    for (&run, weights) in plan.runs.iter().zip(taps) {
        for (total, source) in totals.iter_mut().zip(sources) {
            add_product::<FMA>(total, load(frame, source + run + panel.first), weights);
        }
    }
    for (&target, total) in targets.iter().zip(&totals) {
        if panel.count == LANES {
            store(target, panel.first, &total[..LANES]);
        } else {
            store(target, panel.first, &total[..panel.count]);
        }
    }
}

/// Adds the gradient of the weights to `total`: `total[tap, c] += sum over pixels of frame[source + tap, c] dz[pixel, c]`.
#[inline(always)]
pub fn weight_gradient<const FMA: bool>(
    plan: &Correlation,
    layout: Layout,
    frame: &[f32],
    dz: &[f32],
    dz_pixels: &[usize],
    total: &mut [Lanes],
) {
    for panel in layout.panels() {
        let total = &mut total[panel.start..][..layout.rows];
        let (nines, rest) = total.as_chunks_mut::<9>();
        let (nine_runs, runs) = plan.runs.as_chunks::<9>();
        for (taps, runs) in nines.iter_mut().zip(nine_runs) {
            some_taps::<FMA, 9>(plan, panel.first, frame, dz, dz_pixels, runs, taps);
        }
        let (sevens, rest) = rest.as_chunks_mut::<7>();
        let (seven_runs, runs) = runs.as_chunks::<7>();
        for (taps, runs) in sevens.iter_mut().zip(seven_runs) {
            some_taps::<FMA, 7>(plan, panel.first, frame, dz, dz_pixels, runs, taps);
        }
        let (ones, _) = rest.as_chunks_mut::<1>();
        for (taps, &run) in ones.iter_mut().zip(runs) {
            some_taps::<FMA, 1>(plan, panel.first, frame, dz, dz_pixels, &[run], taps);
        }
    }
}

#[inline(always)]
fn some_taps<const FMA: bool, const K: usize>(
    plan: &Correlation,
    first: usize,
    frame: &[f32],
    dz: &[f32],
    dz_pixels: &[usize],
    runs: &[usize; K],
    taps: &mut [Lanes; K],
) {
    let mut totals = *taps;
    for (&source, &pixel) in plan.sources.iter().zip(dz_pixels) {
        let gradient = load(dz, pixel + first);
        for (total, run) in totals.iter_mut().zip(runs) {
            add_product::<FMA>(total, load(frame, source + run + first), gradient);
        }
    }
    *taps = totals;
}
