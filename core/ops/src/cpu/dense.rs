//! Every output a sum over all input channels: six pixels times sixteen outputs stay in registers.

use super::{
    correlation::Correlation,
    packed::{Layout, Packed, Panel},
    simd::{LANES, Lanes, add_scaled, load},
};

/// Numbers of the inputs and gradients of a strip, which is to stay in the first-level cache.
const STRIP: usize = 6 * 1024;

/// Computes all outputs of a correlation and hands them to `store(pixel, first output, values)`.
#[inline(always)]
pub fn correlate<const FMA: bool>(
    plan: &Correlation,
    weights: &Packed,
    frame: &[f32],
    mut store: impl FnMut(usize, usize, &[f32]),
) {
    for panel in weights.layout.panels() {
        let rows = weights.rows(&panel);
        match panel.vectors {
            1 => blocks::<FMA, 1>(plan, &panel, rows, frame, &mut store),
            _ => blocks::<FMA, 2>(plan, &panel, rows, frame, &mut store),
        }
    }
}

#[inline(always)]
fn blocks<const FMA: bool, const V: usize>(
    plan: &Correlation,
    panel: &Panel,
    rows: &[Lanes],
    frame: &[f32],
    store: &mut impl FnMut(usize, usize, &[f32]),
) {
    let rows = rows.as_chunks::<V>().0;
    let (sources, last_sources) = plan.sources.as_chunks::<6>();
    let (targets, last_targets) = plan.targets.as_chunks::<6>();
    for (sources, targets) in sources.iter().zip(targets) {
        block::<FMA, V, 6>(plan, panel, rows, frame, sources, targets, store);
    }
    let (sources, last_sources) = last_sources.as_chunks::<2>();
    let (targets, last_targets) = last_targets.as_chunks::<2>();
    for (sources, targets) in sources.iter().zip(targets) {
        block::<FMA, V, 2>(plan, panel, rows, frame, sources, targets, store);
    }
    for (&source, &target) in last_sources.iter().zip(last_targets) {
        block::<FMA, V, 1>(plan, panel, rows, frame, &[source], &[target], store);
    }
}

#[inline(always)]
fn block<const FMA: bool, const V: usize, const P: usize>(
    plan: &Correlation,
    panel: &Panel,
    rows: &[[Lanes; V]],
    frame: &[f32],
    sources: &[usize; P],
    targets: &[usize; P],
    store: &mut impl FnMut(usize, usize, &[f32]),
) {
    let mut totals = [[[0.0; LANES]; V]; P];
    for (&run, weights) in plan.runs.iter().zip(rows.chunks_exact(plan.run)) {
        let inputs: [&[f32]; P] = sources.map(|source| &frame[source + run..][..weights.len()]);
        for (k, weights) in weights.iter().enumerate() {
            for (totals, inputs) in totals.iter_mut().zip(&inputs) {
                for (total, weights) in totals.iter_mut().zip(weights) {
                    add_scaled::<FMA>(total, inputs[k], weights);
                }
            }
        }
    }
    for (&target, totals) in targets.iter().zip(&totals) {
        let values = totals.as_flattened();
        if panel.count == V * LANES {
            store(target, panel.first, &values[..V * LANES]);
        } else {
            store(target, panel.first, &values[..panel.count]);
        }
    }
}

/// Adds the gradient of the weights to `total`: `total[k, o] += sum over pixels of frame[source + k] dz[pixel, o]`.
#[inline(always)]
pub fn weight_gradient<const FMA: bool>(
    plan: &Correlation,
    layout: Layout,
    frame: &[f32],
    dz: &[f32],
    dz_pixels: &[usize],
    total: &mut [Lanes],
) {
    let pixels = (STRIP / (plan.run / 3 + layout.columns)).max(16);
    for (sources, dz_pixels) in plan.sources.chunks(pixels).zip(dz_pixels.chunks(pixels)) {
        for panel in layout.panels() {
            let total = &mut total[panel.start..][..layout.rows * panel.vectors];
            match panel.vectors {
                1 => strip::<FMA, 1>(plan, &panel, frame, dz, sources, dz_pixels, total),
                _ => strip::<FMA, 2>(plan, &panel, frame, dz, sources, dz_pixels, total),
            }
        }
    }
}

#[inline(always)]
fn strip<const FMA: bool, const V: usize>(
    plan: &Correlation,
    panel: &Panel,
    frame: &[f32],
    dz: &[f32],
    sources: &[usize],
    dz_pixels: &[usize],
    total: &mut [Lanes],
) {
    let total = total.as_chunks_mut::<V>().0;
    for (&run, total) in plan.runs.iter().zip(total.chunks_exact_mut(plan.run)) {
        let mut at = run;
        let (sixes, rest) = total.as_chunks_mut::<6>();
        for rows in sixes {
            rows_of_weights::<FMA, V, 6>(frame, at, dz, panel.first, sources, dz_pixels, rows);
            at += 6;
        }
        let (twos, rest) = rest.as_chunks_mut::<2>();
        for rows in twos {
            rows_of_weights::<FMA, V, 2>(frame, at, dz, panel.first, sources, dz_pixels, rows);
            at += 2;
        }
        let (ones, _) = rest.as_chunks_mut::<1>();
        for rows in ones {
            rows_of_weights::<FMA, V, 1>(frame, at, dz, panel.first, sources, dz_pixels, rows);
        }
    }
}

#[inline(always)]
fn rows_of_weights<const FMA: bool, const V: usize, const K: usize>(
    frame: &[f32],
    at: usize,
    dz: &[f32],
    first: usize,
    sources: &[usize],
    dz_pixels: &[usize],
    rows: &mut [[Lanes; V]; K],
) {
    let mut totals = *rows;
    for (&source, &pixel) in sources.iter().zip(dz_pixels) {
        let inputs = &frame[source + at..][..K];
        let gradients: [&Lanes; V] = std::array::from_fn(|v| load(dz, pixel + first + v * LANES));
        for (totals, &input) in totals.iter_mut().zip(inputs) {
            for (total, gradient) in totals.iter_mut().zip(gradients) {
                add_scaled::<FMA>(total, input, gradient);
            }
        }
    }
    *rows = totals;
}
