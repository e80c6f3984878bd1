//! Checks of tensors before they become slices.

use crate::ffi::{NAS_DEVICE_CPU, NAS_DTYPE_FLOAT, NasTensor};
use std::fmt::Arguments;

/// Largest number of elements of a slice: its size in bytes must not exceed `isize::MAX`.
const MAX_ELEMENTS: usize = isize::MAX as usize / size_of::<f32>();

/// A present tensor that has passed all checks.
struct CheckedTensor {
    first: *mut f32,
    len: usize,
    shape: [usize; 4],
}

/// The elements of a tensor and its four sizes; an empty slice for an absent tensor.
///
/// # Errors
/// Device, element type, number of dimensions, order of the elements or alignment are not supported.
///
/// # Safety
/// The pointers of the tensor must be null or valid for `'a`, for the sizes it states. During `'a`, nothing may write
/// to its elements.
pub(crate) unsafe fn float_slice<'a>(
    what: Arguments<'_>,
    tensor: &NasTensor,
) -> Result<(&'a [f32], [usize; 4]), String> {
    // SAFETY: the caller gives the same guarantees.
    let Some(CheckedTensor { first, len, shape }) = (unsafe { check(what, tensor) })? else { return Ok((&[], [0; 4])) };
    // SAFETY: `check` found a pointer that is not null and aligned, and a size below `isize::MAX`. The caller
    // guarantees that the elements are valid and not aliased.
    Ok((unsafe { std::slice::from_raw_parts(first, len) }, shape))
}

/// As [`float_slice`], for reading and writing.
///
/// # Errors
/// As [`float_slice`].
///
/// # Safety
/// As [`float_slice`]. In addition, nothing else may read the elements during `'a`.
pub(crate) unsafe fn float_slice_mut<'a>(
    what: Arguments<'_>,
    tensor: &NasTensor,
) -> Result<(&'a mut [f32], [usize; 4]), String> {
    // SAFETY: the caller gives the same guarantees.
    let Some(CheckedTensor { first, len, shape }) = (unsafe { check(what, tensor) })? else {
        return Ok((&mut [], [0; 4]));
    };
    // SAFETY: `check` found a pointer that is not null and aligned, and a size below `isize::MAX`. The caller
    // guarantees that the elements are valid and not aliased.
    Ok((unsafe { std::slice::from_raw_parts_mut(first, len) }, shape))
}

/// # Safety
/// The pointers of the tensor must be null or valid, for the sizes it states.
unsafe fn check(what: Arguments<'_>, tensor: &NasTensor) -> Result<Option<CheckedTensor>, String> {
    if tensor.data.is_null() {
        return Ok(None);
    }
    let fail = |expected: &str, found: String| Err(format!("{what}: expected {expected}, found {found}"));
    if tensor.device_type != NAS_DEVICE_CPU {
        return fail("numbers in main memory (device 1)", format!("device {}", tensor.device_type));
    }
    let dtype = (tensor.dtype.code, tensor.dtype.bits, tensor.dtype.lanes);
    if dtype != (NAS_DTYPE_FLOAT, 32, 1) {
        return fail("32-bit floats (2, 32, 1)", format!("element type {dtype:?}"));
    }
    if tensor.ndim != 4 || tensor.shape.is_null() {
        return fail("4 dimensions", format!("{}", tensor.ndim));
    }
    // SAFETY: `shape` is not null and `ndim` is 4, so the caller guarantees 4 sizes.
    let sizes = unsafe { std::slice::from_raw_parts(tensor.shape, 4) };
    let mut shape = [0; 4];
    let mut len = 1_usize;
    for (size, given) in shape.iter_mut().zip(sizes) {
        let product = usize::try_from(*given).ok().and_then(|given| Some((given, len.checked_mul(given)?)));
        match product.filter(|(_, product)| *product <= MAX_ELEMENTS) {
            Some((given, product)) => (*size, len) = (given, product),
            None => return fail("sizes that fit into memory", format!("{sizes:?}")),
        }
    }
    if !tensor.strides.is_null() {
        // SAFETY: `strides` is not null and `ndim` is 4, so the caller guarantees 4 strides.
        let strides = unsafe { std::slice::from_raw_parts(tensor.strides, 4) };
        let dense = [shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1];
        if strides.iter().zip(dense).any(|(stride, dense)| usize::try_from(*stride) != Ok(dense)) {
            return fail("row-major order", format!("strides {strides:?} of sizes {sizes:?}"));
        }
    }
    let Ok(offset) = usize::try_from(tensor.byte_offset) else {
        return fail("an offset that fits into memory", format!("{}", tensor.byte_offset));
    };
    let first: *mut f32 = tensor.data.cast::<u8>().wrapping_add(offset).cast();
    if !first.is_aligned() {
        return fail("an address divisible by 4", format!("{first:p}"));
    }
    Ok(Some(CheckedTensor { first, len, shape }))
}

#[cfg(test)]
#[expect(clippy::undocumented_unsafe_blocks, reason = "the tensors of these tests are valid or rejected by the checks")]
mod tests {
    use super::*;
    use crate::ffi::NasDtype;
    use std::ptr::null;

    fn tensor(data: &mut [f32], shape: &[i64; 4]) -> NasTensor {
        NasTensor {
            data: data.as_mut_ptr().cast(),
            device_type: NAS_DEVICE_CPU,
            device_id: 0,
            ndim: 4,
            dtype: NasDtype { code: NAS_DTYPE_FLOAT, bits: 32, lanes: 1 },
            shape: shape.as_ptr(),
            strides: null(),
            byte_offset: 0,
        }
    }

    fn message(tensor: NasTensor) -> String {
        unsafe { float_slice(format_args!("weight of layer 3"), &tensor) }.unwrap_err()
    }

    #[test]
    fn a_tensor_becomes_a_slice_and_an_absent_one_an_empty_slice() {
        let mut data: Vec<f32> = (0..6).map(|i| i as f32).collect();
        let whole = tensor(&mut data, &[1, 1, 2, 3]);
        let dense = [6, 6, 3, 1];
        for given in [whole, NasTensor { strides: dense.as_ptr(), ..whole }] {
            let (values, shape) = unsafe { float_slice_mut(format_args!("weight"), &given) }.unwrap();
            values[5] += 1.0;
            assert_eq!(shape, [1, 1, 2, 3]);
        }
        let shape = [1, 1, 1, 5];
        let behind = NasTensor { byte_offset: 4, shape: shape.as_ptr(), ..whole };
        assert_eq!(unsafe { float_slice(format_args!("weight"), &behind) }.unwrap().0, [1.0, 2.0, 3.0, 4.0, 7.0]);
        let absent = NasTensor { data: std::ptr::null_mut(), ..whole };
        assert!(unsafe { float_slice(format_args!("weight"), &absent) }.unwrap().0.is_empty());
    }

    #[test]
    fn unsupported_tensors_are_errors() {
        let mut data = [0.0; 8];
        let whole = tensor(&mut data, &[1, 1, 2, 4]);
        let huge = [1 << 40, 1 << 40, 1, 1];
        let negative = [1, 1, 2, -4];
        let transposed = [8, 8, 1, 2];
        let double = NasDtype { code: 2, bits: 64, lanes: 1 };
        for (given, words) in [
            (NasTensor { byte_offset: 2, ..whole }, "weight of layer 3: expected an address divisible by 4"),
            (NasTensor { device_type: 2, ..whole }, "expected numbers in main memory (device 1), found device 2"),
            (NasTensor { dtype: double, ..whole }, "expected 32-bit floats (2, 32, 1), found element type (2, 64, 1)"),
            (NasTensor { ndim: 3, ..whole }, "expected 4 dimensions, found 3"),
            (NasTensor { shape: huge.as_ptr(), ..whole }, "expected sizes that fit into memory"),
            (NasTensor { shape: negative.as_ptr(), ..whole }, "found [1, 1, 2, -4]"),
            (NasTensor { strides: transposed.as_ptr(), ..whole }, "expected row-major order"),
        ] {
            assert!(message(given).contains(words), "{}", message(given));
        }
    }
}
