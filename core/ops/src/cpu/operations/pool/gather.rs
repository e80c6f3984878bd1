//! Maxima, at one place after the other, some channels at a time.

use super::{Gather, Place};
use crate::cpu::simd::Lanes;

/// The maximum under a window, and its tap, as a float so that it fits into the same registers.
pub struct Maximum<'a> {
    pub x: &'a [f32],
    pub y: &'a mut [f32],
    pub winners: &'a mut [f32],
}

impl Gather for Maximum<'_> {
    #[inline(always)]
    fn gather<const N: usize>(&mut self, place: Place<'_>) {
        let mut best = Lanes::<N>::splat(f32::NEG_INFINITY);
        let mut winner = Lanes::splat(place.first_tap() as f32);
        for row in place.rows {
            for column in place.columns {
                let (tap, pixel) = place.meet(row, column);
                let (x, tap) = (place.load(self.x, pixel), Lanes::splat(tap as f32));
                winner = Lanes::select(x, best, |x, best| x > best, tap, winner);
                best = Lanes::select(x, best, |x, best| x > best, x, best);
                // A NaN always wins.
                winner = Lanes::select(x, x, |x, _| x.is_nan(), tap, winner);
                best = Lanes::select(x, x, |x, _| x.is_nan(), x, best);
            }
        }
        best.store_some(self.y, place.at, place.count);
        winner.store_some(self.winners, place.at, place.count);
    }
    fn len(&self) -> usize {
        self.y.len()
    }
}

/// The gradients of the outputs that an input was the maximum of.
pub struct MaximumBack<'a> {
    pub dx: &'a mut [f32],
    pub dy: &'a [f32],
    pub winners: &'a [f32],
    pub overwrite: bool,
}

impl Gather for MaximumBack<'_> {
    #[inline(always)]
    fn gather<const N: usize>(&mut self, place: Place<'_>) {
        let mut total =
            if self.overwrite { Lanes::<N>::ZERO } else { Lanes::load_some(self.dx, place.at, place.count) };
        for row in place.rows {
            for column in place.columns {
                let (tap, pixel) = place.meet(row, column);
                let (winner, tap) = (place.load(self.winners, pixel), Lanes::splat(tap as f32));
                let dy = place.load(self.dy, pixel);
                total = total.plus(Lanes::select(winner, tap, |winner, tap| winner == tap, dy, Lanes::ZERO));
            }
        }
        total.store_some(self.dx, place.at, place.count);
    }
    fn len(&self) -> usize {
        self.dx.len()
    }
}
