//! Vectors of eight or sixteen numbers.
//!
//! The compiler keeps [`Lanes`] in registers when they are passed by value and loops have constant bounds; that is why
//! kernels here return what they accumulate and index with `for p in 0..P`.

mod instructions;

pub use instructions::{Isa, Kernel, dispatch, wide};
#[cfg(test)]
pub use instructions::{Limit, limited};

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
}

impl Lanes {
    /// `self + a b`, rounded once where that is an instruction and twice elsewhere.
    #[inline(always)]
    pub fn plus_product<I: Isa>(self, a: Self, b: Self) -> Self {
        #[cfg(target_arch = "x86_64")]
        if I::FUSED {
            return self.fused(a, b);
        }
        if I::FUSED {
            each_lane!(LANES, |i| a.0[i].mul_add(b.0[i], self.0[i]))
        } else {
            each_lane!(LANES, |i| a.0[i] * b.0[i] + self.0[i])
        }
    }

    /// `self + a b` as one instruction.
    ///
    /// Written out, because the compiler takes eight products in a row apart when it unrolls loops around them, and does
    /// not always find them together again: depthwise kernels then spend most of their time moving lanes.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    #[expect(unsafe_code, reason = "the compiler cannot see that the instruction exists")]
    fn fused(self, a: Self, b: Self) -> Self {
        use std::{
            arch::x86_64::{_mm256_fmadd_ps, _mm256_loadu_ps, _mm256_storeu_ps},
            ptr::from_ref,
        };
        let mut sum = [0.0; LANES];
        // SAFETY: the instruction requires FMA, and kernels run with `Fused` or `Wide` only after `dispatch` found it. Each
        // pointer is that of an array of eight numbers, which is what is loaded from and stored to it; no alignment is
        // required.
        unsafe {
            let load = |v: &[f32; LANES]| _mm256_loadu_ps(from_ref(v).cast());
            _mm256_storeu_ps(sum.as_mut_ptr(), _mm256_fmadd_ps(load(&a.0), load(&b.0), load(&self.0)));
        }
        Self(sum)
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
                add_scaled(sum, a, b);
            }
            return sum;
        }
        for (sum, b) in sum.0.iter_mut().zip(b) {
            *sum = Lanes(*sum).plus_product::<I>(Lanes::splat(a), Lanes(*b)).0;
        }
        sum
    }
}

/// `sum += a b` as one instruction.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[expect(unsafe_code, reason = "the compiler cannot see that the instruction exists")]
fn add_scaled(sum: &mut [[f32; LANES]; 2], a: f32, b: &[[f32; LANES]; 2]) {
    use std::{
        arch::x86_64::{_mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_storeu_ps},
        ptr::{from_mut, from_ref},
    };
    // SAFETY: the instructions require AVX-512F, and kernels run with `Wide` only after `dispatch` found it. Each pointer
    // is that of two arrays of eight numbers, sixteen in a row, which is what is loaded from and stored to it; no alignment
    // is required.
    unsafe {
        let (a, b, old) =
            (_mm512_set1_ps(a), _mm512_loadu_ps(from_ref(b).cast()), _mm512_loadu_ps(from_ref(sum).cast()));
        _mm512_storeu_ps(from_mut(sum).cast(), _mm512_fmadd_ps(a, b, old));
    }
}

/// The next multiple of [`LANES`].
pub fn whole_lanes(channels: usize) -> usize {
    channels.next_multiple_of(LANES)
}

/// Repeats a block for the registers that hold some channels, with the first channel and how many there are. All but the
/// last have a constant count, with which loads and stores are single instructions.
///
/// A macro, because a closure that is called in two places becomes a function of its own, without the instructions that
/// its caller was compiled for.
macro_rules! each_block {
    ($channels:expr, |$first:ident, $count:ident| $work:block) => {{
        let channels: usize = $channels;
        let whole = channels / $crate::cpu::simd::LANES * $crate::cpu::simd::LANES;
        let mut next = 0;
        while next < whole {
            let ($first, $count) = (next, $crate::cpu::simd::LANES);
            $work
            next += $crate::cpu::simd::LANES;
        }
        if whole < channels {
            let ($first, $count) = (whole, channels - whole);
            $work
        }
    }};
}
pub(super) use each_block;
