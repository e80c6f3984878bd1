//! Projectors in closed form.

use super::evidence::{Evidence, Form};
use super::layout::Tensor3;
use super::linalg::{inverse_factor, products_of_rows, times_rows};
use dfdx::prelude::{Axes3, PermuteTo, TryMatMul, TrySub};
use nas_ops::{Backend, OpError};

/// Below this trace of `P^-1 - I`, `P` is `I`: no update would change by more than its own rounding.
///
/// `|P x - x| <= |P - I| |x| <= trace(P^-1 - I) |x|`, and `2^-25` is half of what `f32` can resolve at 1.
const NEGLIGIBLE: f64 = 1.0 / (1 << 25) as f64;

/// How often the regularisation may be raised tenfold; much more than there are digits.
const RAISES: usize = 40;

/// `P` of all blocks of a layer, of matrices `T` on the host or on a device.
#[derive(Debug, Clone)]
pub struct Projector<T> {
    /// Its matrices.
    pub matrices: Matrices<T>,
    /// `trace(P) / d`: the part of all directions in which the layer can still learn.
    pub trace_ratio: f64,
    /// How many times larger than asked alpha had to be, for want of digits; 1 nearly always.
    pub raised: f64,
}

/// `P`, in the form that takes the least work.
#[derive(Debug, Clone)]
pub enum Matrices<T> {
    /// `I`.
    Identity,
    /// `P = M^T M`, `M` of `[blocks, d, d]` lower triangular.
    Full(T),
    /// `P = I - V^T V`, `V` of `[blocks, n, d]` with `n < d`.
    LowRank(T),
}

/// Matrices on the host.
#[derive(Debug)]
pub struct Host {
    values: Vec<f32>,
    shape: (usize, usize, usize),
}

impl Projector<Host> {
    /// Lets everything pass.
    fn identity() -> Self {
        Self { matrices: Matrices::Identity, trace_ratio: 1.0, raised: 1.0 }
    }

    /// `P = (I + s S)^-1` for the Gram matrix `S = R^T R` of the evidence, by Cholesky: with `I + s S = L L^T`,
    /// `P = M^T M` for `M = L^-1`.
    ///
    /// While there are fewer patches than elements in one, by the identity
    /// `(I + s R^T R)^-1 = I - R^T s (I + s R R^T)^-1 R` (equation 7), whose matrix is the smaller one: with
    /// `I + s R R^T = L L^T`, `P = I - V^T V` for `V = sqrt(s) L^-1 R`, whose singular values are below 1.
    ///
    /// Where a tiny alpha leaves the matrix indefinite for want of digits, alpha is raised for this layer until it is
    /// not: `P = (I + s S / t)^-1` is computed as `t (t I + s S)^-1` for the smallest `t = 1, 10 eps, 100 eps, ...`
    /// that works, `eps` relative to the largest eigenvalue. Unlike a bare jitter on the diagonal, this keeps
    /// unused directions free.
    ///
    /// # Errors
    /// Evidence that is not finite.
    pub fn new(evidence: &Evidence, s: f64) -> Result<Self, OpError> {
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
                Form::Rows(rows) => low_rank(evidence, rows, s / t),
                Form::Gram(gram) => full(evidence, gram, s / t),
            };
            if let Some((matrices, trace_ratio)) = found {
                return Ok(Self { matrices, trace_ratio, raised: t });
            }
            t = (t * 10.0).max(s * trace * f64::EPSILON);
        }
        Ok(Self::identity())
    }

    /// The same with its matrices on a device.
    ///
    /// # Errors
    /// A failing device.
    pub fn into_device<D: Backend>(self, device: &D) -> Result<Projector<Tensor3<D>>, OpError> {
        let tensor = |Host { values, shape }| device.try_tensor_from_vec(values, shape).map_err(OpError::device("ogd"));
        let matrices = match self.matrices {
            Matrices::Identity => Matrices::Identity,
            Matrices::Full(m) => Matrices::Full(tensor(m)?),
            Matrices::LowRank(v) => Matrices::LowRank(tensor(v)?),
        };
        Ok(Projector { matrices, trace_ratio: self.trace_ratio, raised: self.raised })
    }
}

impl<D: Backend> Projector<Tensor3<D>> {
    /// `P x` for each block, `x` of `[blocks, d, columns]`.
    ///
    /// # Errors
    /// A failing device.
    pub fn apply(&self, x: Tensor3<D>) -> Result<Tensor3<D>, OpError> {
        let result = match &self.matrices {
            Matrices::Identity => Ok(x),
            Matrices::Full(m) => m.clone().try_matmul(x).and_then(|y| transposed(m)?.try_matmul(y)),
            Matrices::LowRank(v) => v
                .clone()
                .try_matmul(x.clone())
                .and_then(|along| transposed(v)?.try_matmul(along))
                .and_then(|seen| x.try_sub(seen)),
        };
        result.map_err(OpError::device("ogd"))
    }
}

fn transposed<D: Backend>(x: &Tensor3<D>) -> Result<Tensor3<D>, D::Err> {
    x.clone().try_permute::<_, Axes3<0, 2, 1>>()
}

/// Matrices and `trace(P) / d`; `None` if one of those to decompose is not positive definite, for want of digits.
type Found = Option<(Matrices<Host>, f64)>;

fn full(evidence: &Evidence, gram: &[f64], s: f64) -> Found {
    let (blocks, d) = (evidence.blocks, evidence.inputs);
    let (mut values, mut trace) = (Vec::with_capacity(gram.len()), 0.0);
    for gram in gram.chunks_exact(d * d) {
        let m = inverse_factor(gram, d, s)?;
        trace += m.squared_norm_l2();
        for i in 0..d {
            values.extend(m.row(i).iter().map(|x| *x as f32));
        }
    }
    Some((Matrices::Full(Host { values, shape: (blocks, d, d) }), trace / (blocks * d) as f64))
}

fn low_rank(evidence: &Evidence, rows: &[Vec<f64>], s: f64) -> Found {
    let (blocks, d) = (evidence.blocks, evidence.inputs);
    let n = rows.first().map_or(0, |rows| rows.len() / d);
    let (mut values, mut seen) = (Vec::with_capacity(blocks * n * d), 0.0);
    for rows in rows {
        let m = inverse_factor(&products_of_rows(rows, d), n, s)?;
        let v = times_rows(&m, rows, d);
        seen += s * v.iter().map(|v| v * v).sum::<f64>();
        values.extend(v.iter().map(|v| (s.sqrt() * v) as f32));
    }
    Some((Matrices::LowRank(Host { values, shape: (blocks, n, d) }), 1.0 - seen / (blocks * d) as f64))
}
