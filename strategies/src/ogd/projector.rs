//! Projectors in closed form.

use super::evidence::{Evidence, Form};
use super::layout::Tensor3;
use super::spd::{Operand, inverse, product};
use dfdx::prelude::{Axes3, PermuteTo, TryMatMul, TrySub};
use nas_ops::{Backend, OpError};

/// Below this trace of `P^-1 - I`, `P` is `I`: no update would change by more than its own rounding.
///
/// `|P x - x| <= |P - I| |x| <= trace(P^-1 - I) |x|`, and `2^-25` is half of what `f32` can resolve at 1.
const NEGLIGIBLE: f64 = 1.0 / (1 << 25) as f64;

/// How often the regularisation may be raised tenfold; much more than there are digits.
const RAISES: usize = 40;

/// How far above its rounding error a pivot has to be, so that three digits of it are right.
const SPARE: f64 = 1e3;

/// `P` of all blocks of a layer.
#[derive(Debug, Clone)]
pub struct Projector<D: Backend> {
    /// Its matrices.
    pub matrices: Matrices<D>,
    /// `trace(P) / d`: the part of all directions in which the layer can still learn.
    pub trace_ratio: f64,
    /// How many times larger than asked alpha had to be, for want of digits; 1 nearly always.
    pub raised: f64,
}

/// `P`, in the form that takes the least work.
#[derive(Debug, Clone)]
pub enum Matrices<D: Backend> {
    /// `I`.
    Identity,
    /// `P`, `[blocks, d, d]`.
    Dense(Tensor3<D>),
    /// `P = I - R^T Y`, both `[blocks, n, d]` with `n < d`.
    LowRank {
        /// The recorded patches `R`, in units of the largest element.
        rows: Tensor3<D>,
        /// `Y = s (I + s R R^T)^-1 R`, times that unit.
        solved: Tensor3<D>,
    },
}

impl<D: Backend> Projector<D> {
    /// Lets everything pass.
    pub fn identity() -> Self {
        Self { matrices: Matrices::Identity, trace_ratio: 1.0, raised: 1.0 }
    }

    /// `P = (I + s S)^-1` for the Gram matrix `S = R^T R` of the evidence, by Cholesky.
    ///
    /// While there are fewer patches than elements in one, by the identity
    /// `(I + s R^T R)^-1 = I - R^T s (I + s R R^T)^-1 R` (equation 7), whose matrix is the smaller one.
    ///
    /// Where a tiny alpha leaves the matrix indefinite for want of digits, alpha is raised for this layer until it is
    /// not: `P = (I + s S / t)^-1` is computed as `t (t I + s S)^-1` for the smallest `t = 1, 10 eps, 100 eps, ...`
    /// that works, `eps` relative to the largest eigenvalue. Unlike a bare jitter on the diagonal, this keeps
    /// unused directions free.
    ///
    /// # Errors
    /// Evidence that is not finite, or a failing device.
    pub fn new(evidence: &Evidence, s: f64, device: &D) -> Result<Self, OpError> {
        let trace = evidence.trace();
        if !trace.is_finite() || s.is_nan() {
            return Err(OpError::Shape {
                op: "ogd",
                expected: "finite inputs of every layer".into(),
                found: format!("a sum of squares of {trace}"),
            });
        }
        // Far beyond the reach of any alpha that makes a difference, but far from overflow.
        let s = s.min(1e60 / trace.max(1e-60));
        if s * trace <= NEGLIGIBLE {
            return Ok(Self::identity());
        }
        let mut t = 1.0;
        for _ in 0..RAISES {
            let found = match &evidence.form {
                Form::Rows(rows) => low_rank(evidence, rows, s / t, device)?,
                Form::Gram(gram) => dense(evidence, gram, s / t, device)?,
            };
            if let Some((matrices, trace_ratio)) = found {
                return Ok(Self { matrices, trace_ratio, raised: t });
            }
            t = (t * 10.0).max(s * trace * f64::EPSILON);
        }
        Ok(Self::identity())
    }

    /// `P x` for each block, `x` of `[blocks, d, columns]`.
    ///
    /// # Errors
    /// A failing device.
    pub fn apply(&self, x: Tensor3<D>) -> Result<Tensor3<D>, OpError> {
        let result = match &self.matrices {
            Matrices::Identity => Ok(x),
            Matrices::Dense(p) => p.clone().try_matmul(x),
            Matrices::LowRank { rows, solved } => solved
                .clone()
                .try_matmul(x.clone())
                .and_then(|along| rows.clone().try_permute::<_, Axes3<0, 2, 1>>()?.try_matmul(along))
                .and_then(|seen| x.try_sub(seen)),
        };
        result.map_err(OpError::device("ogd"))
    }
}

/// `I + s A` for each `[n, n]` matrix of `a`, inverted; `None` if one of them is not positive definite.
fn inverses(a: &[f64], n: usize, s: f64) -> Result<Option<Vec<f64>>, OpError> {
    let mut all = Vec::with_capacity(a.len());
    for a in a.chunks_exact(n * n) {
        let mut matrix: Vec<f64> = a.iter().map(|x| s * x).collect();
        matrix.iter_mut().step_by(n + 1).for_each(|x| *x += 1.0);
        let largest = matrix.iter().step_by(n + 1).copied().fold(0.0, f64::max);
        match inverse(&matrix, n, largest * n as f64 * f64::EPSILON * SPARE)? {
            Some(inverse) => all.extend(inverse),
            None => return Ok(None),
        }
    }
    Ok(Some(all))
}

fn dense<D: Backend>(
    evidence: &Evidence,
    gram: &[f64],
    s: f64,
    device: &D,
) -> Result<Option<(Matrices<D>, f64)>, OpError> {
    let (blocks, d) = (evidence.blocks, evidence.inputs);
    let Some(p) = inverses(gram, d, s)? else { return Ok(None) };
    let trace: f64 = p.chunks_exact(d * d).flat_map(|p| p.iter().step_by(d + 1)).sum();
    let matrices = Matrices::Dense(tensor(device, &p, (blocks, d, d))?);
    Ok(Some((matrices, trace / (blocks * d) as f64)))
}

fn low_rank<D: Backend>(
    evidence: &Evidence,
    rows: &[Vec<f64>],
    s: f64,
    device: &D,
) -> Result<Option<(Matrices<D>, f64)>, OpError> {
    let (blocks, d) = (evidence.blocks, evidence.inputs);
    let all = rows.concat();
    let n = all.len() / (blocks * d);
    let r = Operand::new(&all, [blocks, n, d]);
    let Some(k) = inverses(&product(r, r.t())?, n, s)? else { return Ok(None) };
    let mut solved = product(Operand::new(&k, [blocks, n, n]), r)?;
    solved.iter_mut().for_each(|y| *y *= s);
    let seen: f64 = all.iter().zip(&solved).map(|(r, y)| r * y).sum();
    // `R^T Y` is what counts. Patches in units of their largest element fit into `f32`, however small alpha is.
    let unit = all.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    let rows: Vec<f64> = all.iter().map(|x| x / unit).collect();
    solved.iter_mut().for_each(|y| *y *= unit);
    let shape = (blocks, n, d);
    let matrices = Matrices::LowRank { rows: tensor(device, &rows, shape)?, solved: tensor(device, &solved, shape)? };
    Ok(Some((matrices, 1.0 - seen / (blocks * d) as f64)))
}

fn tensor<D: Backend>(device: &D, values: &[f64], shape: (usize, usize, usize)) -> Result<Tensor3<D>, OpError> {
    let values = values.iter().map(|x| *x as f32).collect();
    device.try_tensor_from_vec(values, shape).map_err(OpError::device("ogd"))
}
