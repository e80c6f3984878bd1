//! The choice of instructions at run time.

/// A set of instructions.
pub trait Isa {
    /// Whether [`f32::mul_add`] is one instruction. Where it is none, it is a slow function.
    const FUSED: bool;
    /// Whether registers hold sixteen numbers.
    const WIDE: bool;
}

/// Those that every processor has.
pub struct Portable;

/// With fused multiply-add: AVX2 and FMA, or NEON.
pub struct Fused;

/// The same, and AVX-512.
pub struct Wide;

impl Isa for Portable {
    const FUSED: bool = false;
    const WIDE: bool = false;
}

impl Isa for Fused {
    const FUSED: bool = true;
    const WIDE: bool = false;
}

impl Isa for Wide {
    const FUSED: bool = true;
    const WIDE: bool = true;
}

/// Work that is compiled for each set of instructions, all of which give the same bits but the portable one, which rounds
/// products.
///
/// `run` and all that it calls must be `#[inline(always)]`, so that they are compiled for the instructions chosen.
pub trait Kernel {
    /// What the work gives.
    type Output;
    /// Whether it is worth compiling for registers of sixteen numbers as well.
    const WIDE: bool = true;
    /// Does the work.
    fn run<I: Isa>(self) -> Self::Output;
}

/// Whether registers hold sixteen numbers.
pub fn has_wide_registers() -> bool {
    #[cfg(test)]
    if LIMIT.get().is_some() {
        return false;
    }
    #[cfg(target_arch = "x86_64")]
    {
        let fused = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        fused && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Runs the kernel with the best instructions that this processor has.
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(test)]
    if LIMIT.get() == Some(InstructionLimit::Portable) {
        return kernel.run::<Portable>();
    }
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
        fn with_avx512<K: Kernel>(kernel: K) -> K::Output {
            kernel.run::<Wide>()
        }
        #[target_feature(enable = "avx2,fma")]
        fn with_avx2<K: Kernel>(kernel: K) -> K::Output {
            kernel.run::<Fused>()
        }
        if K::WIDE && has_wide_registers() {
            #[expect(unsafe_code, reason = "the compiler cannot see the check")]
            // SAFETY: calling `with_avx512` requires that the processor has all four, which `wide` has checked.
            return unsafe { with_avx512(kernel) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            #[expect(unsafe_code, reason = "the compiler cannot see the check")]
            // SAFETY: calling `with_avx2` requires that the processor has AVX2 and FMA, which was just checked.
            return unsafe { with_avx2(kernel) };
        }
    }
    if cfg!(target_arch = "aarch64") { kernel.run::<Fused>() } else { kernel.run::<Portable>() }
}

/// The best instructions that a test may use.
#[cfg(test)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum InstructionLimit {
    Portable,
    Fused,
}

#[cfg(test)]
thread_local! {
    static LIMIT: std::cell::Cell<Option<InstructionLimit>> = const { std::cell::Cell::new(None) };
}

/// What `work` gives when its kernels run with no better instructions.
#[cfg(test)]
pub fn limited<R>(limit: InstructionLimit, work: impl FnOnce() -> R) -> R {
    LIMIT.set(Some(limit));
    let result = work();
    LIMIT.set(None);
    result
}
