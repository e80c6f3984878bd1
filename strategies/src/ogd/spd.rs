//! Matrices on the host in `f64`: products, and the inverse of symmetric positive definite ones.
//!
//! `f64` because with a small alpha the Gram matrix and the identity added to it differ by many orders of magnitude.

use dfdx::prelude::*;
use nas_ops::OpError;

/// Up to this size the plain Cholesky decomposition is used.
const LEAF: usize = 48;

type Matrices = Tensor<(usize, usize, usize), f64, Cpu>;

/// One operand of a product: `[batch, rows, columns]`, row-major.
#[derive(Clone, Copy)]
pub struct Operand<'a> {
    values: &'a [f64],
    shape: [usize; 3],
    transposed: bool,
}

impl<'a> Operand<'a> {
    /// Matrices as they are stored.
    pub fn new(values: &'a [f64], shape: [usize; 3]) -> Self {
        Self { values, shape, transposed: false }
    }

    /// The transposed matrices.
    pub fn t(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    fn tensor(self, device: &Cpu) -> Result<Matrices, CpuError> {
        let [b, m, n] = self.shape;
        let tensor = device.try_tensor_from_vec(self.values.to_vec(), (b, m, n))?;
        if self.transposed { tensor.try_permute::<_, Axes3<0, 2, 1>>() } else { Ok(tensor) }
    }
}

/// The products of two batches of matrices. The same bits come out for any number of threads: threads share out the
/// elements of the result, never the sum behind one.
///
/// # Errors
/// Out of memory.
pub fn product(a: Operand<'_>, b: Operand<'_>) -> Result<Vec<f64>, OpError> {
    let device = Cpu::default();
    let result = a.tensor(&device).and_then(|a| a.try_matmul(b.tensor(&device)?));
    result.map(|c| c.as_vec()).map_err(OpError::device("ogd"))
}

/// The inverse of a symmetric positive definite `[n, n]` matrix; `None` if a pivot of its Cholesky decomposition is
/// not above `floor`.
///
/// Cholesky on halves: with `A = [[B, C^T], [C, D]]` and the Schur complement `Z = (D - C B^-1 C^T)^-1`, the inverse is
/// `[[B^-1 + Y^T Z Y, -Y^T Z], [-Z Y, Z]]` for `Y = C B^-1`. Nearly all of the `4/3 n^3` multiply-adds are products of
/// large matrices, which run near the speed of the machine.
///
/// # Errors
/// Out of memory.
pub fn inverse(a: &[f64], n: usize, floor: f64) -> Result<Option<Vec<f64>>, OpError> {
    if n <= LEAF {
        return Ok(cholesky_inverse(a, n, floor));
    }
    let (h, m) = (n / 2, n - n / 2);
    let part = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| -> Vec<f64> {
        rows.flat_map(|i| a[i * n..][columns.clone()].iter().copied()).collect()
    };
    let (b, c, mut d) = (part(0..h, 0..h), part(h..n, 0..h), part(h..n, h..n));
    let Some(mut x) = inverse(&b, h, floor)? else { return Ok(None) };
    let y = product(Operand::new(&c, [1, m, h]), Operand::new(&x, [1, h, h]))?;
    let cyt = product(Operand::new(&c, [1, m, h]), Operand::new(&y, [1, m, h]).t())?;
    d.iter_mut().zip(cyt).for_each(|(d, product)| *d -= product);
    let Some(z) = inverse(&d, m, floor)? else { return Ok(None) };
    let zy = product(Operand::new(&z, [1, m, m]), Operand::new(&y, [1, m, h]))?;
    let yzy = product(Operand::new(&y, [1, m, h]).t(), Operand::new(&zy, [1, m, h]))?;
    x.iter_mut().zip(yzy).for_each(|(x, product)| *x += product);
    let mut whole = vec![0.0; n * n];
    for i in 0..n {
        // The lower triangle, mirrored, so that the result is symmetric to the bit.
        for j in 0..=i {
            let value = match (i < h, j < h) {
                (true, _) => x[i * h + j],
                (false, true) => -zy[(i - h) * h + j],
                (false, false) => z[(i - h) * m + j - h],
            };
            whole[i * n + j] = value;
            whole[j * n + i] = value;
        }
    }
    Ok(Some(whole))
}

fn cholesky_inverse(a: &[f64], n: usize, floor: f64) -> Option<Vec<f64>> {
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            let rest = a[i * n + j] - dot;
            l[i * n + j] = match i == j {
                // Not `rest <= floor`: that would let a NaN pass.
                true if rest > floor && rest.is_finite() => rest.sqrt(),
                true => return None,
                false => rest / l[j * n + j],
            };
        }
    }
    // L^-1, column by column, then L^-T L^-1.
    let mut inverse = vec![0.0; n * n];
    for j in 0..n {
        inverse[j * n + j] = 1.0 / l[j * n + j];
        for i in j + 1..n {
            let dot: f64 = (j..i).map(|k| l[i * n + k] * inverse[k * n + j]).sum();
            inverse[i * n + j] = -dot / l[i * n + i];
        }
    }
    let mut result = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let value = (i..n).map(|k| inverse[k * n + i] * inverse[k * n + j]).sum();
            result[i * n + j] = value;
            result[j * n + i] = value;
        }
    }
    Some(result)
}
