//! Vectors of eight numbers, and the choice of instructions at run time.

/// Eight numbers, which one AVX register holds.
pub type Lanes = [f32; LANES];

/// Numbers in a register.
pub const LANES: usize = 8;

/// The next multiple of [`LANES`].
pub fn whole_lanes(channels: usize) -> usize {
    channels.next_multiple_of(LANES)
}

/// Work that is compiled twice: with fused multiply-add instructions and without.
///
/// `run` and all that it calls must be `#[inline(always)]`, so that they are compiled for the instructions chosen.
pub trait Kernel {
    /// What the work gives.
    type Output;
    /// Does the work; `FMA` says whether [`f32::mul_add`] is one instruction. Without, it calls a slow function.
    fn run<const FMA: bool>(self) -> Self::Output;
}

/// Runs the kernel with the best instructions that this processor has.
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn with_avx2<K: Kernel>(kernel: K) -> K::Output {
            kernel.run::<true>()
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            #[expect(unsafe_code, reason = "the compiler cannot see the check")]
            // SAFETY: calling `with_avx2` requires that the processor has AVX2 and FMA, which was just checked.
            return unsafe { with_avx2(kernel) };
        }
    }
    if cfg!(target_arch = "aarch64") { kernel.run::<true>() } else { kernel.run::<false>() }
}

/// `a b + c`, rounded once with `FMA` and twice without.
#[inline(always)]
pub fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `total += a b`, with the same `a` in every lane.
#[inline(always)]
pub fn add_scaled<const FMA: bool>(total: &mut Lanes, a: f32, b: &Lanes) {
    for (total, &b) in total.iter_mut().zip(b) {
        *total = mul_add::<FMA>(a, b, *total);
    }
}

/// `total += a b`.
#[inline(always)]
pub fn add_product<const FMA: bool>(total: &mut Lanes, a: &Lanes, b: &Lanes) {
    for ((total, &a), &b) in total.iter_mut().zip(a).zip(b) {
        *total = mul_add::<FMA>(a, b, *total);
    }
}

/// The eight numbers that start at `at`.
#[inline(always)]
pub fn load(from: &[f32], at: usize) -> &Lanes {
    match from[at..].first_chunk() {
        Some(lanes) => lanes,
        None => &[0.0; LANES],
    }
}
