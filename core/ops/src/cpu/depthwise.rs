//! Every channel on its own: eight channels share a register, eight pixels are computed at once.

use super::{
    correlation::{Correlation, Store},
    packed::{Eight, Layout, Packed},
    simd::Lanes,
};
use std::array::from_fn;

/// Computes all outputs of a correlation and stores them.
#[inline(always)]
pub fn correlate<const FMA: bool>(plan: &Correlation, weights: &Packed, frame: &[f32], store: &mut impl Store) {
    for panel in weights.layout.panels() {
        let taps = weights.rows(&panel);
        let (sources, last_sources) = plan.sources.as_chunks::<8>();
        let (targets, last_targets) = plan.targets.as_chunks::<8>();
        for (sources, targets) in sources.iter().zip(targets) {
            let totals = accumulate::<FMA, 8>(plan, panel.first, taps, frame, sources);
            for p in 0..8 {
                store.store(targets[p], panel.first, totals[p], panel.count);
            }
        }
        for (&source, &target) in last_sources.iter().zip(last_targets) {
            let [total] = accumulate::<FMA, 1>(plan, panel.first, taps, frame, &[source]);
            store.store(target, panel.first, total, panel.count);
        }
    }
}

#[inline(always)]
fn accumulate<const FMA: bool, const P: usize>(
    plan: &Correlation,
    first: usize,
    taps: &[Eight],
    frame: &[f32],
    sources: &[usize; P],
) -> [Lanes; P] {
    let mut totals = [Lanes::ZERO; P];
    for (&run, &weights) in plan.runs.iter().zip(taps) {
        for p in 0..P {
            let input = Lanes::load(frame, sources[p] + run + first);
            totals[p] = totals[p].plus_product::<FMA>(input, Lanes(weights));
        }
    }
    totals
}

/// Adds the gradient of the weights to `total`: `total[tap, c] += sum over pixels of frame[source + tap, c] dz[pixel, c]`.
#[inline(always)]
pub fn weight_gradient<const FMA: bool>(
    plan: &Correlation,
    layout: Layout,
    frame: &[f32],
    dz: &[f32],
    dz_pixels: &[usize],
    total: &mut [Eight],
) {
    for panel in layout.panels() {
        let image = Image { plan, frame, dz, dz_pixels, first: panel.first };
        let total = &mut total[panel.start..][..layout.rows];
        let (nines, rest) = total.as_chunks_mut::<9>();
        let (nine_runs, runs) = plan.runs.as_chunks::<9>();
        for (taps, runs) in nines.iter_mut().zip(nine_runs) {
            *taps = image.accumulate::<FMA, 9>(runs, taps);
        }
        let (sevens, rest) = rest.as_chunks_mut::<7>();
        let (seven_runs, runs) = runs.as_chunks::<7>();
        for (taps, runs) in sevens.iter_mut().zip(seven_runs) {
            *taps = image.accumulate::<FMA, 7>(runs, taps);
        }
        for (tap, &run) in rest.as_chunks_mut::<1>().0.iter_mut().zip(runs) {
            *tap = image.accumulate::<FMA, 1>(&[run], tap);
        }
    }
}

/// Eight channels of an image.
struct Image<'a> {
    plan: &'a Correlation,
    frame: &'a [f32],
    dz: &'a [f32],
    dz_pixels: &'a [usize],
    first: usize,
}

impl Image<'_> {
    #[inline(always)]
    fn accumulate<const FMA: bool, const K: usize>(&self, runs: &[usize; K], taps: &[Eight; K]) -> [Eight; K] {
        let mut totals: [Lanes; K] = from_fn(|k| Lanes(taps[k]));
        for (&source, &pixel) in self.plan.sources.iter().zip(self.dz_pixels) {
            let gradient = Lanes::load(self.dz, pixel + self.first);
            for k in 0..K {
                let input = Lanes::load(self.frame, source + runs[k] + self.first);
                totals[k] = totals[k].plus_product::<FMA>(input, gradient);
            }
        }
        from_fn(|k| totals[k].0)
    }
}
