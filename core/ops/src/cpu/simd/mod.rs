//! AffineGradients of eight or sixteen numbers.
//!
//! The compiler keeps [`Lanes`] in registers when they are passed by value and loops have constant bounds; that is why
//! kernels here return what they accumulate and index with `for p in 0..P`.

#[cfg(target_arch = "x86_64")]
mod fused;
mod instructions;

#[cfg(test)]
pub use instructions::{InstructionLimit, limited};
pub use instructions::{Isa, Kernel, dispatch, has_wide_registers};

/// Numbers in a register.
pub const LANES: usize = 8;

/// The numbers of a register: eight, which AVX has, or sixteen.
#[derive(Debug, Clone, Copy)]
pub struct Lanes<const N: usize = LANES>(pub [f32; N]);

/// [`Lanes`] of a value for each lane `i` of `n`.
///
/// A macro, because `std::array::from_fn` becomes a function of its own in large kernels, without the instructions that
/// its caller was compiled for, and with every register stored before the call.
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
    /// Zeros.
    pub const ZERO: Self = Self([0.0; N]);

    /// The same number in each lane.
    #[inline(always)]
    pub fn splat(value: f32) -> Self {
        Self([value; N])
    }

    /// The numbers that start at `at`.
    #[inline(always)]
    pub fn load(from: &[f32], at: usize) -> Self {
        let mut lanes = [0.0; N];
        lanes.copy_from_slice(&from[at..at + N]);
        Self(lanes)
    }

    /// The `count` numbers that start at `at`, at most a register, and zeros after them.
    #[inline(always)]
    pub fn load_some(from: &[f32], at: usize, count: usize) -> Self {
        if count == N {
            return Self::load(from, at);
        }
        let mut lanes = [0.0; N];
        lanes[..count].copy_from_slice(&from[at..at + count]);
        Self(lanes)
    }

    /// Stores the first `count` numbers from `at` on.
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

    /// `yes` in the lanes where `holds(a, b)`, `no` in the others.
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

    /// `self + a b`, rounded once where that is an instruction and twice elsewhere.
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

    /// `self + a b` as one instruction for each register.
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

/// The outputs of a row of a panel: `V` registers of eight numbers, or one of sixteen for every two of them.
#[derive(Debug, Clone, Copy)]
pub struct Row<const V: usize>(pub [[f32; LANES]; V]);

impl<const V: usize> Row<V> {
    /// Zeros.
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

/// The next multiple of [`LANES`].
pub fn whole_lanes(channels: usize) -> usize {
    channels.next_multiple_of(LANES)
}

/// Repeats a block for the registers that hold some channels, with how many numbers they have, the first channel and how
/// many of the numbers are channels. Registers have sixteen numbers where there are such and channels fill them; all but
/// the last have a constant count, with which loads and stores are single instructions.
///
/// A macro, because a closure that is called in several places becomes a function of its own, without the instructions
/// that its caller was compiled for.
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
