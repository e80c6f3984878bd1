//! Fused multiply-add of AVX and AVX-512 as intrinsics.
//!
//! When the compiler unrolls loops it splits vectors of products into lanes, and does not always combine them again.
//! Depthwise kernels then spend most of their time moving lanes. Only `plus_product` and `plus_scaled` call these
//! functions, for a set of instructions that `dispatch` has detected.

#![expect(unsafe_code, reason = "the compiler cannot see that the instructions exist")]

use super::LANES;
use std::{
    arch::x86_64::{
        _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps,
        _mm512_storeu_ps,
    },
    ptr::{from_mut, from_ref},
};

/// `sum += a b` for one register of eight elements.
#[inline(always)]
pub fn eight(sum: &mut [f32; LANES], a: &[f32; LANES], b: &[f32; LANES]) {
    // SAFETY: the instruction requires FMA, and kernels run with `Fused` or `Wide` only after `dispatch` found it. Each
    // pointer is that of an array of eight elements, which is what is loaded from and stored to it; no alignment is
    // required.
    unsafe {
        let (a, b, old) = (_mm256_loadu_ps(a.as_ptr()), _mm256_loadu_ps(b.as_ptr()), _mm256_loadu_ps(sum.as_ptr()));
        _mm256_storeu_ps(sum.as_mut_ptr(), _mm256_fmadd_ps(a, b, old));
    }
}

/// `sum += a b` for one register of sixteen elements.
#[inline(always)]
pub fn sixteen(sum: &mut [f32; 2 * LANES], a: &[f32; 2 * LANES], b: &[f32; 2 * LANES]) {
    // SAFETY: the instruction requires AVX-512F, and kernels run with `Wide` only after `dispatch` found it. Each
    // pointer is that of an array of sixteen elements, which is what is loaded from and stored to it; no alignment is
    // required.
    unsafe {
        let (a, b, old) = (_mm512_loadu_ps(a.as_ptr()), _mm512_loadu_ps(b.as_ptr()), _mm512_loadu_ps(sum.as_ptr()));
        _mm512_storeu_ps(sum.as_mut_ptr(), _mm512_fmadd_ps(a, b, old));
    }
}

/// `sum += a b` for one register of sixteen elements and a scalar `a`.
#[inline(always)]
pub fn scaled(sum: &mut [[f32; LANES]; 2], a: f32, b: &[[f32; LANES]; 2]) {
    // SAFETY: the instructions require AVX-512F, and kernels run with `Wide` only after `dispatch` found it. Each
    // pointer is that of two arrays of eight elements, sixteen in a row, which is what is loaded from and stored to it;
    // no alignment is required.
    unsafe {
        let (a, b, old) =
            (_mm512_set1_ps(a), _mm512_loadu_ps(from_ref(b).cast()), _mm512_loadu_ps(from_ref(sum).cast()));
        _mm512_storeu_ps(from_mut(sum).cast(), _mm512_fmadd_ps(a, b, old));
    }
}
