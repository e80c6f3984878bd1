//! Views of numbers, checked before they become slices.

use crate::ffi::{NAS_DEVICE_CPU, NAS_DTYPE_FLOAT, NasTensor};
use std::fmt::Arguments;

/// Most elements whose size in bytes fits a slice.
const MOST: usize = isize::MAX as usize / size_of::<f32>();

/// A checked view: its first element, its number of elements and its sizes.
struct Checked {
    first: *mut f32,
    len: usize,
    shape: [usize; 4],
}

/// The numbers of a tensor and its shape `[a, b, c, d]`; empty where it is absent.
///
/// # Errors
/// A tensor of another device, type, number of dimensions, order or alignment.
///
/// # Safety
/// Its pointers are null or valid for `'a`, and nothing writes to the numbers meanwhile.
pub(crate) unsafe fn numbers<'a>(what: Arguments<'_>, tensor: &NasTensor) -> Result<(&'a [f32], [usize; 4]), String> {
    // SAFETY: passed on to the caller.
    let Some(Checked { first, len, shape }) = (unsafe { check(what, tensor) })? else { return Ok((&[], [0; 4])) };
    // SAFETY: not null, aligned, of a size that fits; the caller answers for the rest.
    Ok((unsafe { std::slice::from_raw_parts(first, len) }, shape))
}

/// As [`numbers`], to be written.
///
/// # Errors
/// As [`numbers`].
///
/// # Safety
/// As [`numbers`], and nothing else reads or writes the numbers during `'a`.
pub(crate) unsafe fn numbers_mut<'a>(
    what: Arguments<'_>,
    tensor: &NasTensor,
) -> Result<(&'a mut [f32], [usize; 4]), String> {
    // SAFETY: passed on to the caller.
    let Some(Checked { first, len, shape }) = (unsafe { check(what, tensor) })? else { return Ok((&mut [], [0; 4])) };
    // SAFETY: not null, aligned, of a size that fits; the caller answers for the rest.
    Ok((unsafe { std::slice::from_raw_parts_mut(first, len) }, shape))
}

unsafe fn check(what: Arguments<'_>, tensor: &NasTensor) -> Result<Option<Checked>, String> {
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
    // SAFETY: not null, and the caller vouches for 4 sizes behind it.
    let sizes = unsafe { std::slice::from_raw_parts(tensor.shape, 4) };
    let mut shape = [0; 4];
    let mut len = 1_usize;
    for (size, given) in shape.iter_mut().zip(sizes) {
        let product = usize::try_from(*given).ok().and_then(|given| Some((given, len.checked_mul(given)?)));
        match product.filter(|(_, product)| *product <= MOST) {
            Some((given, product)) => (*size, len) = (given, product),
            None => return fail("sizes that fit into memory", format!("{sizes:?}")),
        }
    }
    if !tensor.strides.is_null() {
        // SAFETY: not null, and the caller vouches for 4 strides behind it.
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
    Ok(Some(Checked { first, len, shape }))
}

#[cfg(test)]
#[expect(clippy::undocumented_unsafe_blocks, reason = "the tensors of these tests are what they say, or refused")]
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
        unsafe { numbers(format_args!("weight of layer 3"), &tensor) }.unwrap_err()
    }

    #[test]
    fn a_whole_tensor_is_a_slice_and_an_absent_one_is_empty() {
        let mut data: Vec<f32> = (0..6).map(|i| i as f32).collect();
        let whole = tensor(&mut data, &[1, 1, 2, 3]);
        let dense = [6, 6, 3, 1];
        for given in [whole, NasTensor { strides: dense.as_ptr(), ..whole }] {
            let (numbers, shape) = unsafe { numbers_mut(format_args!("weight"), &given) }.unwrap();
            numbers[5] += 1.0;
            assert_eq!(shape, [1, 1, 2, 3]);
        }
        let shape = [1, 1, 1, 5];
        let behind = NasTensor { byte_offset: 4, shape: shape.as_ptr(), ..whole };
        assert_eq!(unsafe { numbers(format_args!("weight"), &behind) }.unwrap().0, [1.0, 2.0, 3.0, 4.0, 7.0]);
        let absent = NasTensor { data: std::ptr::null_mut(), ..whole };
        assert!(unsafe { numbers(format_args!("weight"), &absent) }.unwrap().0.is_empty());
    }

    #[test]
    fn whatever_is_no_row_major_float_tensor_is_refused() {
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
