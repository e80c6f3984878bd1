//! Sets of instructions, and the choice between them at run time.

/// A set of instructions. Code runs with [`Fused`] or [`Wide`] only after [`dispatch`] has detected their instructions.
pub trait Isa {
    /// Whether [`f32::mul_add`] is one instruction. Otherwise it is a slow function.
    const FUSED: bool;
    /// Whether registers hold sixteen elements.
    const WIDE: bool;

    /// Calls a kernel as a separate function, which is compiled once for all kernels that call it.
    fn call<K: Kernel>(kernel: K) -> K::Output;
}

/// The instructions that every processor has.
pub struct Portable;

/// Instructions with fused multiply-add: AVX2 and FMA, or NEON.
pub struct Fused;

/// [`Fused`] and AVX-512.
pub struct Wide;

impl Isa for Portable {
    const FUSED: bool = false;
    const WIDE: bool = false;

    #[inline(never)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Self>()
    }
}

impl Isa for Fused {
    const FUSED: bool = true;
    const WIDE: bool = false;

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        #[expect(unsafe_code, reason = "the compiler cannot see that the instructions exist")]
        // SAFETY: calling `with_avx2` requires that the processor has AVX2 and FMA, which `dispatch` has detected
        // before any code runs with `Fused`.
        unsafe {
            with_avx2(kernel)
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[inline(never)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Self>()
    }
}

impl Isa for Wide {
    const FUSED: bool = true;
    const WIDE: bool = true;

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        #[expect(unsafe_code, reason = "the compiler cannot see that the instructions exist")]
        // SAFETY: calling `with_avx512` requires that the processor has all four features, which `dispatch` has
        // detected before any code runs with `Wide`.
        unsafe {
            with_avx512(kernel)
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[inline(never)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Self>()
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
#[inline(never)]
fn with_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Wide>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[inline(never)]
fn with_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Fused>()
}

/// A function that is compiled for each set of instructions. [`Fused`] and [`Wide`] give bit-identical
/// results. [`Portable`] rounds each product before the addition, so its results differ in the last bits.
///
/// `run` and all functions that it calls must be `#[inline(always)]`, so that they are compiled for these instructions.
pub trait Kernel {
    /// The result.
    type Output;
    /// Whether the kernel is also compiled for registers of sixteen elements.
    const WIDE: bool = true;
    /// Runs the kernel with instructions `I`.
    fn run<I: Isa>(self) -> Self::Output;
}

/// Whether [`dispatch`] uses registers of sixteen elements.
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

/// Runs a kernel with the best instructions of this processor.
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(test)]
    if LIMIT.get() == Some(InstructionLimit::Portable) {
        return kernel.run::<Portable>();
    }
    #[cfg(target_arch = "x86_64")]
    {
        if K::WIDE && has_wide_registers() {
            #[expect(unsafe_code, reason = "the compiler cannot see the check")]
            // SAFETY: calling `with_avx512` requires that the processor has all four features, which
            // `has_wide_registers` has detected.
            return unsafe { with_avx512(kernel) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            #[expect(unsafe_code, reason = "the compiler cannot see the check")]
            // SAFETY: calling `with_avx2` requires that the processor has AVX2 and FMA, which the condition has
            // detected.
            return unsafe { with_avx2(kernel) };
        }
    }
    if cfg!(target_arch = "aarch64") { kernel.run::<Fused>() } else { kernel.run::<Portable>() }
}

/// The best instructions that kernels use in a test.
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

/// The result of `work` if its kernels use no better instructions than `limit`. The limit applies to this thread only.
#[cfg(test)]
pub fn limited<R>(limit: InstructionLimit, work: impl FnOnce() -> R) -> R {
    LIMIT.set(Some(limit));
    let result = work();
    LIMIT.set(None);
    result
}
