//! Matrices on the host in `f64`, by `faer`: Gram matrices, and Cholesky factors and their inverses.
//!
//! `f64` because with a small alpha the Gram matrix and the identity added to it differ by many orders of magnitude. Each
//! product runs on one thread, so that no sum depends on their number; layers are spread over threads instead.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Accum, Mat, MatMut, MatRef, Par};

/// How far above its rounding error a pivot has to be, so that three digits of it are right.
const SPARE: f64 = 1e3;

/// Adds `R^T R` of rows `R`, `[n, d]`, to the lower triangle of `gram`, `[d, d]`.
pub fn add_gram(gram: &mut [f64], rows: &[f64], d: usize) {
    add_square(gram, MatRef::from_row_major_slice(rows, rows.len() / d, d).transpose());
}

/// The lower triangle of `R R^T` of rows `R`, `[n, d]`.
pub fn products_of_rows(rows: &[f64], d: usize) -> Vec<f64> {
    let n = rows.len() / d;
    let mut products = vec![0.0; n * n];
    add_square(&mut products, MatRef::from_row_major_slice(rows, n, d));
    products
}

/// Adds `X X^T` to the lower triangle of `sum`.
fn add_square(sum: &mut [f64], x: MatRef<'_, f64>) {
    let sum = MatMut::from_row_major_slice_mut(sum, x.nrows(), x.nrows());
    let (lower, all) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
    matmul(sum, lower, Accum::Add, x, all, x.transpose(), all, 1.0, Par::Seq);
}

/// `L^-1`, lower triangular, where `I + s A = L L^T` for the lower triangle of a symmetric `A`, `[n, n]`; `None` if a
/// pivot of that Cholesky decomposition is too close to its rounding error, that is if there is no such `L`.
pub fn inverse_factor(a: &[f64], n: usize, s: f64) -> Option<Mat<f64>> {
    let element = |i: usize, j: usize| s * a[i * n + j] + if i == j { 1.0 } else { 0.0 };
    let mut l = Mat::from_fn(n, n, |i, j| if j <= i { element(i, j) } else { 0.0 });
    let largest = (0..n).map(|i| l[(i, i)]).fold(0.0, f64::max);
    let mut scratch = MemBuffer::new(cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default()));
    let stack = MemStack::new(&mut scratch);
    cholesky_in_place(l.as_mut(), Default::default(), Par::Seq, stack, Default::default()).ok()?;
    let floor = largest * n as f64 * f64::EPSILON * SPARE;
    // Not `pivot <= floor`: that would let a NaN pass.
    if !(0..n).map(|i| l[(i, i)] * l[(i, i)]).all(|pivot| pivot > floor && pivot.is_finite()) {
        return None;
    }
    let mut inverse = Mat::zeros(n, n);
    invert_lower_triangular(inverse.as_mut(), l.as_ref(), Par::Seq);
    Some(inverse)
}

/// `L R` for a lower triangular `L`, `[n, n]`, and rows `R`, `[n, d]`.
pub fn times_rows(l: &Mat<f64>, rows: &[f64], d: usize) -> Vec<f64> {
    let mut product = vec![0.0; rows.len()];
    let rows = MatRef::from_row_major_slice(rows, l.nrows(), d);
    let target = MatMut::from_row_major_slice_mut(&mut product, l.nrows(), d);
    let (lower, all) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
    matmul(target, all, Accum::Replace, l, lower, rows, all, 1.0, Par::Seq);
    product
}
