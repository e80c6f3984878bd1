//! Vectors of eight or sixteen elements, and the choice of instructions.
//!
//! The compiler keeps [`Lanes`] in registers if they are passed by value and loops have constant bounds. Kernels
//! therefore return their sums by value and index with `for p in 0..P`.

#[cfg(target_arch = "x86_64")]
mod fused;
mod instructions;

#[cfg(test)]
pub use instructions::{InstructionLimit, limited};
pub use instructions::{Isa, Kernel, dispatch, has_wide_registers};

/// Elements of a register of AVX, the unit of all layouts.
pub const LANES: usize = 8;

/// The content of a register: eight elements (AVX) or sixteen (AVX-512).
#[derive(Debug, Clone, Copy)]
pub struct Lanes<const N: usize = LANES>(pub [f32; N]);

/// [`Lanes`] of `n` elements with `$value` in lane `i`.
///
/// A macro, because the compiler does not always inline `std::array::from_fn` into large kernels. The function then
/// lacks the instructions of its caller, and all registers are stored before the call.
macro_rules! each_lane {
    ($n:expr, |$i:ident| $value:expr) => {{
        let mut lanes = [0.0; $n];
        let mut $i = 0;
        while $i < $n {
            lanes[$i] = $value;
            $i += 1;
        }
        Lanes(lanes)
    }};
}

impl<const N: usize> Lanes<N> {
    /// Zero in each lane.
    pub const ZERO: Self = Self([0.0; N]);

    /// `value` in each lane.
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self([value; N])
    }

    /// The elements from index `at` on.
    #[inline(always)]
    pub fn load(from: &[f32], at: usize) -> Self {
        let mut lanes = [0.0; N];
        lanes.copy_from_slice(&from[at..at + N]);
        Self(lanes)
    }

    /// The `count` elements from index `at` on, followed by zeros; `count` is at most `N`.
    #[inline(always)]
    pub fn load_some(from: &[f32], at: usize, count: usize) -> Self {
        if count == N {
            return Self::load(from, at);
        }
        let mut lanes = [0.0; N];
        lanes[..count].copy_from_slice(&from[at..at + count]);
        Self(lanes)
    }

    /// Stores the first `count` elements at index `at`.
    #[inline(always)]
    pub fn store_some(self, to: &mut [f32], at: usize, count: usize) {
        let out = &mut to[at..at + count];
        if count == N {
            out.copy_from_slice(&self.0);
        } else {
            out.copy_from_slice(&self.0[..count]);
        }
    }

    /// `f(self)` in each lane.
    #[inline(always)]
    pub fn map(self, f: impl Fn(f32) -> f32) -> Self {
        each_lane!(N, |i| f(self.0[i]))
    }

    /// `f(self, other)` in each lane.
    #[inline(always)]
    pub fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        each_lane!(N, |i| f(self.0[i], other.0[i]))
    }

    /// `yes` in the lanes where `holds(a, b)` is true, `no` in the others.
    #[inline(always)]
    pub fn select(a: Self, b: Self, holds: impl Fn(f32, f32) -> bool, yes: Self, no: Self) -> Self {
        each_lane!(N, |i| if holds(a.0[i], b.0[i]) { yes.0[i] } else { no.0[i] })
    }

    /// `self + other`.
    #[inline(always)]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    /// `self - other`.
    #[inline(always)]
    pub fn minus(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    /// `self * other`.
    #[inline(always)]
    pub fn times(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    /// `-self`.
    #[inline(always)]
    pub fn negative(self) -> Self {
        self.map(|a| -a)
    }

    /// `self + a b`, rounded once if the instructions have fused multiply-add and twice otherwise.
    #[inline(always)]
    pub fn plus_product<I: Isa>(self, a: Self, b: Self) -> Self {
        #[cfg(target_arch = "x86_64")]
        if I::FUSED {
            return self.fused::<I>(a, b);
        }
        if I::FUSED {
            each_lane!(N, |i| a.0[i].mul_add(b.0[i], self.0[i]))
        } else {
            each_lane!(N, |i| a.0[i] * b.0[i] + self.0[i])
        }
    }

    /// `self + a b` as one instruction per register.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn fused<I: Isa>(self, a: Self, b: Self) -> Self {
        const { assert!(N.is_multiple_of(LANES), "whole registers") };
        let mut sum = self;
        if I::WIDE && N == 2 * LANES {
            let (sums, a, b) = (sum.0.as_chunks_mut().0, a.0.as_chunks().0, b.0.as_chunks().0);
            fused::sixteen(&mut sums[0], &a[0], &b[0]);
            return sum;
        }
        let (sums, a, b) = (sum.0.as_chunks_mut().0, a.0.as_chunks().0, b.0.as_chunks().0);
        let mut i = 0;
        while i < N / LANES {
            fused::eight(&mut sums[i], &a[i], &b[i]);
            i += 1;
        }
        sum
    }
}

/// A row of a panel: `V` registers of eight elements, two of which form one register of sixteen where there are such.
#[derive(Debug, Clone, Copy)]
pub struct Row<const V: usize>(pub [[f32; LANES]; V]);

impl<const V: usize> Row<V> {
    /// Zero in each lane.
    pub const ZERO: Self = Self([[0.0; LANES]; V]);

    /// `self + a b`.
    #[inline(always)]
    pub fn plus_scaled<I: Isa>(self, a: f32, b: &[[f32; LANES]; V]) -> Self {
        let mut sum = self;
        #[cfg(target_arch = "x86_64")]
        if I::WIDE && V.is_multiple_of(2) {
            for (sum, b) in sum.0.as_chunks_mut().0.iter_mut().zip(b.as_chunks().0) {
                fused::scaled(sum, a, b);
            }
            return sum;
        }
        for (sum, b) in sum.0.iter_mut().zip(b) {
            *sum = Lanes(*sum).plus_product::<I>(Lanes::splat(a), Lanes(*b)).0;
        }
        sum
    }
}

/// `channels` rounded up to a multiple of [`LANES`].
pub fn whole_lanes(channels: usize) -> usize {
    channels.next_multiple_of(LANES)
}

/// Runs a block of code for each register that `$channels` channels fill: with `$n` elements, first channel `$first`,
/// and `$count` channels in use. Registers have sixteen elements where the processor has such and enough channels are
/// left. The count of all but the last is a constant, so that loads and stores are single instructions.
///
/// A macro, because the compiler does not inline a closure that is called in several places. The function then lacks
/// the instructions of its caller.
macro_rules! each_block {
    ($isa:ty, $channels:expr, |$n:ident, $first:ident, $count:ident| $work:block) => {{
        let channels: usize = $channels;
        let mut next = 0;
        if <$isa>::WIDE {
            const $n: usize = 2 * $crate::cpu::simd::LANES;
            while next + $n <= channels {
                let ($first, $count) = (next, $n);
                $work
                next += $n;
            }
        }
        {
            const $n: usize = $crate::cpu::simd::LANES;
            while next + $n <= channels {
                let ($first, $count) = (next, $n);
                $work
                next += $n;
            }
            if next < channels {
                let ($first, $count) = (next, channels - next);
                $work
            }
        }
    }};
}
pub(super) use each_block;
