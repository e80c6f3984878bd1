//! Maximum under a window, and its gradient.

use super::{Gather, GatherSite};
use crate::cpu::simd::Lanes;

/// Computes the maximum under each window, and its tap. Taps are floats, so that they fit into the same registers.
pub struct Maximum<'a> {
    pub x: &'a [f32],
    pub y: &'a mut [f32],
    pub argmax_taps: &'a mut [f32],
}

impl Gather for Maximum<'_> {
    #[inline(always)]
    fn gather<const N: usize>(&mut self, site: GatherSite<'_>) {
        let mut best = Lanes::<N>::splat(f32::NEG_INFINITY);
        let mut winner = Lanes::splat(site.first_tap() as f32);
        for row in site.rows {
            for column in site.columns {
                let (tap, pixel) = site.tap_and_pixel(row, column);
                let (x, tap) = (site.load(self.x, pixel), Lanes::splat(tap as f32));
                winner = Lanes::select(x, best, |x, best| x > best, tap, winner);
                best = Lanes::select(x, best, |x, best| x > best, x, best);
                // A NaN replaces any maximum.
                winner = Lanes::select(x, x, |x, _| x.is_nan(), tap, winner);
                best = Lanes::select(x, x, |x, _| x.is_nan(), x, best);
            }
        }
        best.store_some(self.y, site.at, site.count);
        winner.store_some(self.argmax_taps, site.at, site.count);
    }
    fn len(&self) -> usize {
        self.y.len()
    }
}

/// Adds to each input the gradients of the outputs whose maximum it is, or fills `dx` with them if `overwrite`.
pub struct MaximumBack<'a> {
    pub dx: &'a mut [f32],
    pub dy: &'a [f32],
    pub argmax_taps: &'a [f32],
    pub overwrite: bool,
}

impl Gather for MaximumBack<'_> {
    #[inline(always)]
    fn gather<const N: usize>(&mut self, site: GatherSite<'_>) {
        let mut total = if self.overwrite { Lanes::<N>::ZERO } else { Lanes::load_some(self.dx, site.at, site.count) };
        for row in site.rows {
            for column in site.columns {
                let (tap, pixel) = site.tap_and_pixel(row, column);
                let (winner, tap) = (site.load(self.argmax_taps, pixel), Lanes::splat(tap as f32));
                let dy = site.load(self.dy, pixel);
                total = total.plus(Lanes::select(winner, tap, |winner, tap| winner == tap, dy, Lanes::ZERO));
            }
        }
        total.store_some(self.dx, site.at, site.count);
    }
    fn len(&self) -> usize {
        self.dx.len()
    }
}
