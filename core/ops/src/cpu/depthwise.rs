//! Kernels of depthwise convolutions. A part of a frame holds eight channels, which share a register.
//!
//! For a row of eight outputs, the inputs under one row of the window are a contiguous range of constant length.
//! Reading them needs no bounds checks, and most inputs serve several outputs. Windows of other widths and strides are
//! computed one tap at a time. Wide registers of two neighbouring pixels were no faster: half of their loads cross a
//! cache line.

use super::{
    correlation::Correlation,
    packed::{F32x8, PackedMatrix},
    simd::{Isa, Kernel, LANES, Lanes},
    store::Store,
};

/// Computes all outputs of a correlation and stores them.
pub struct Correlate<'a, S> {
    pub plan: &'a Correlation,
    pub weights: &'a PackedMatrix,
    pub frame: &'a [f32],
    pub store: S,
}

impl<S: Store> Kernel for Correlate<'_, S> {
    type Output = ();
    const WIDE: bool = false;
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { plan, weights, frame, mut store } = self;
        let Some(panel) = weights.layout.panels().next() else { return };
        let work = Work { plan, taps: weights.rows(&panel), frame: frame.as_chunks().0, count: panel.count };
        if I::FUSED {
            match plan.regular(LANES) {
                Some((1, 1)) => work.rows::<I, 1, 1>(&mut store),
                Some((2, 1)) => work.rows::<I, 2, 1>(&mut store),
                Some((3, 1)) => work.rows::<I, 3, 1>(&mut store),
                Some((5, 1)) => work.rows::<I, 5, 1>(&mut store),
                Some((3, 2)) => work.rows::<I, 3, 2>(&mut store),
                Some((5, 2)) => work.rows::<I, 5, 2>(&mut store),
                _ => work.pixels::<I>(&mut store),
            }
        } else {
            // Processors without fused multiply-add are too rare to compile all loops for them. The general loop adds
            // the same products in the same order.
            work.pixels::<I>(&mut store);
        }
    }
}

/// A correlation of eight channels.
struct Work<'a> {
    plan: &'a Correlation,
    taps: &'a [F32x8],
    frame: &'a [F32x8],
    count: usize,
}

impl Work<'_> {
    /// For windows of `K` taps per row and stride `S`.
    #[inline(always)]
    fn rows<I: Isa, const K: usize, const S: usize>(&self, store: &mut impl Store) {
        let columns = self.plan.columns;
        for (sources, targets) in self.plan.sources.chunks(columns).zip(self.plan.targets.chunks(columns)) {
            let (eights, last) = targets.as_chunks::<8>();
            let mut first = 0;
            for targets in eights {
                self.block::<I, K, S, 8>(sources[first], targets, store);
                first += 8;
            }
            let (fours, ones) = last.as_chunks::<4>();
            for targets in fours {
                self.block::<I, K, S, 4>(sources[first], targets, store);
                first += 4;
            }
            for &target in ones {
                self.block::<I, K, S, 1>(sources[first], &[target], store);
                first += 1;
            }
        }
    }

    #[inline(always)]
    fn block<I: Isa, const K: usize, const S: usize, const P: usize>(
        &self,
        source: usize,
        targets: &[usize; P],
        store: &mut impl Store,
    ) {
        let mut totals = [Lanes::ZERO; P];
        for (offsets, taps) in self.plan.run_offsets.as_chunks::<K>().0.iter().zip(self.taps.as_chunks::<K>().0) {
            let inputs = &self.frame[(source + offsets[0]) / LANES..][..(P - 1) * S + K];
            for p in 0..P {
                for k in 0..K {
                    totals[p] = totals[p].plus_product::<I>(Lanes(inputs[p * S + k]), Lanes(taps[k]));
                }
            }
        }
        self.put(targets, totals, store);
    }

    #[inline(always)]
    fn put<const P: usize>(&self, targets: &[usize; P], totals: [Lanes; P], store: &mut impl Store) {
        for p in 0..P {
            // A constant count compiles to stores of whole registers.
            if self.count == LANES {
                store.store(targets[p], 0, totals[p], LANES);
            } else {
                store.store(targets[p], 0, totals[p], self.count);
            }
        }
    }

    /// For any window.
    #[inline(always)]
    fn pixels<I: Isa>(&self, store: &mut impl Store) {
        for (&source, &target) in self.plan.sources.iter().zip(&self.plan.targets) {
            let mut total = Lanes::ZERO;
            for (&offset, &weights) in self.plan.run_offsets.iter().zip(self.taps) {
                total = total.plus_product::<I>(Lanes(self.frame[(source + offset) / LANES]), Lanes(weights));
            }
            self.put(&[target], [total], store);
        }
    }
}

/// Adds the gradient of the weights to `total`:
/// `total[tap, c] += sum over pixels of frame[source + tap, c] dz[pixel, c]`.
pub struct WeightGradient<'a> {
    pub plan: &'a Correlation,
    pub frame: &'a [f32],
    pub dz: &'a [f32],
    pub dz_pixels: &'a [usize],
    pub total: &'a mut [F32x8],
}

impl Kernel for WeightGradient<'_> {
    type Output = ();
    const WIDE: bool = false;
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { plan, frame, dz, dz_pixels, total } = self;
        let image = GradientWork { plan, frame: frame.as_chunks().0, dz: dz.as_chunks().0, dz_pixels };
        match plan.regular(LANES) {
            Some((3, 1)) => image.rows::<I, 3, 1>(total),
            Some((5, 1)) => image.rows::<I, 5, 1>(total),
            Some((3, 2)) => image.rows::<I, 3, 2>(total),
            Some((5, 2)) => image.rows::<I, 5, 2>(total),
            _ => image.pixels::<I>(total),
        }
    }
}

/// Eight channels of an image and of its output's gradient.
struct GradientWork<'a> {
    plan: &'a Correlation,
    frame: &'a [F32x8],
    dz: &'a [F32x8],
    dz_pixels: &'a [usize],
}

impl GradientWork<'_> {
    /// For windows of `K` taps per row and stride `S`.
    #[inline(always)]
    fn rows<I: Isa, const K: usize, const S: usize>(&self, total: &mut [F32x8]) {
        let columns = self.plan.columns;
        for (offsets, taps) in self.plan.run_offsets.as_chunks::<K>().0.iter().zip(total.as_chunks_mut::<K>().0) {
            // Two sums per tap, so that consecutive additions do not wait for each other.
            let mut sums = [[Lanes::ZERO; K]; 2];
            for (sources, pixels) in self.plan.sources.chunks(columns).zip(self.dz_pixels.chunks(columns)) {
                let inputs = &self.frame[(sources[0] + offsets[0]) / LANES..][..(columns - 1) * S + K];
                let gradients = &self.dz[pixels[0] / LANES..][..columns];
                let (pairs, last) = gradients.as_chunks::<2>();
                for (inputs, pair) in inputs.windows(S + K).step_by(2 * S).zip(pairs) {
                    for k in 0..K {
                        sums[0][k] = sums[0][k].plus_product::<I>(Lanes(inputs[k]), Lanes(pair[0]));
                        sums[1][k] = sums[1][k].plus_product::<I>(Lanes(inputs[S + k]), Lanes(pair[1]));
                    }
                }
                if let [last] = last {
                    let inputs = &inputs[(columns - 1) * S..][..K];
                    for k in 0..K {
                        sums[0][k] = sums[0][k].plus_product::<I>(Lanes(inputs[k]), Lanes(*last));
                    }
                }
            }
            for k in 0..K {
                taps[k] = Lanes(taps[k]).plus(sums[0][k].plus(sums[1][k])).0;
            }
        }
    }

    /// For any window.
    #[inline(always)]
    fn pixels<I: Isa>(&self, total: &mut [F32x8]) {
        for (&offset, tap) in self.plan.run_offsets.iter().zip(total) {
            let mut sum = Lanes(*tap);
            for (&source, &pixel) in self.plan.sources.iter().zip(self.dz_pixels) {
                let (input, gradient) = (self.frame[(source + offset) / LANES], self.dz[pixel / LANES]);
                sum = sum.plus_product::<I>(Lanes(input), Lanes(gradient));
            }
            *tap = sum.0;
        }
    }
}
