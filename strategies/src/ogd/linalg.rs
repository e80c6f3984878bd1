//! Linear algebra on the host in `f64`, with `faer`: Gram matrices, Cholesky factors and their inverses.
//!
//! Single precision is not enough: with a small alpha, the scaled Gram matrix exceeds the identity that is added to it
//! by many orders of magnitude. Each operation runs on one thread, so that its sums do not depend on the number of
//! threads. The caller distributes layers over threads instead.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Accum, Mat, MatMut, MatRef, Par};

/// Smallest accepted ratio of a Cholesky pivot to its rounding error, so that three digits of the pivot are correct.
const MIN_PIVOT_TO_ERROR: f64 = 1e3;

/// Adds `R^T R` to the lower triangle of `gram`, `[d, d]`, for rows `R`, `[n, d]`.
pub fn add_gram(gram: &mut [f64], rows: &[f64], d: usize) {
    add_square(gram, MatRef::from_row_major_slice(rows, rows.len() / d, d).transpose());
}

/// The lower triangle of `R R^T`, `[n, n]`, for rows `R`, `[n, d]`.
pub fn row_products(rows: &[f64], d: usize) -> Vec<f64> {
    let n = rows.len() / d;
    let mut products = vec![0.0; n * n];
    add_square(&mut products, MatRef::from_row_major_slice(rows, n, d));
    products
}

/// Adds `X X^T` to the lower triangle of `sum`, `[n, n]`, for `X` with `n` rows.
fn add_square(sum: &mut [f64], x: MatRef<'_, f64>) {
    let sum = MatMut::from_row_major_slice_mut(sum, x.nrows(), x.nrows());
    let (lower, all) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
    matmul(sum, lower, Accum::Add, x, all, x.transpose(), all, 1.0, Par::Seq);
}

/// The inverse `L^-1` of the Cholesky factor in `I + s A = L L^T`, for a symmetric `A`, `[n, n]`, given by its lower
/// triangle. `None` if the matrix is numerically not positive definite: a pivot is within its rounding error.
pub fn inverse_factor(a: &[f64], n: usize, s: f64) -> Option<Mat<f64>> {
    let element = |i: usize, j: usize| s * a[i * n + j] + if i == j { 1.0 } else { 0.0 };
    let mut l = Mat::from_fn(n, n, |i, j| if j <= i { element(i, j) } else { 0.0 });
    let largest = (0..n).map(|i| l[(i, i)]).fold(0.0, f64::max);
    let mut scratch = MemBuffer::new(cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default()));
    let stack = MemStack::new(&mut scratch);
    cholesky_in_place(l.as_mut(), Default::default(), Par::Seq, stack, Default::default()).ok()?;
    let floor = largest * n as f64 * f64::EPSILON * MIN_PIVOT_TO_ERROR;
    // `any(pivot <= floor)` would accept a NaN.
    if !(0..n).map(|i| l[(i, i)] * l[(i, i)]).all(|pivot| pivot > floor && pivot.is_finite()) {
        return None;
    }
    let mut inverse = Mat::zeros(n, n);
    invert_lower_triangular(inverse.as_mut(), l.as_ref(), Par::Seq);
    Some(inverse)
}

/// The product `L R` of a lower triangular `L`, `[n, n]`, and rows `R`, `[n, d]`.
pub fn lower_times_rows(l: &Mat<f64>, rows: &[f64], d: usize) -> Vec<f64> {
    let mut product = vec![0.0; rows.len()];
    let rows = MatRef::from_row_major_slice(rows, l.nrows(), d);
    let target = MatMut::from_row_major_slice_mut(&mut product, l.nrows(), d);
    let (lower, all) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
    matmul(target, all, Accum::Replace, l, lower, rows, all, 1.0, Par::Seq);
    product
}
