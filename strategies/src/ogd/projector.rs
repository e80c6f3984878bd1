//! Projectors `P = (I + s S)^-1`, computed by Cholesky decomposition.

use super::layout::Tensor3;
use super::linalg::{inverse_factor, lower_times_rows, row_products};
use super::recorded_inputs::{PatchStorage, RecordedInputs};
use dfdx::prelude::{Axes3, PermuteTo, TryMatMul, TrySub};
use nas_ops::{Backend, OpError};

/// Largest trace of `P^-1 - I` at which `P` is replaced by `I`. The projection would change an update by no more than
/// its rounding in `f32`.
///
/// `|P x - x| <= |P - I| |x| <= trace(P^-1 - I) |x|`, and `2^-25` is half the resolution of `f32` at 1.
const NEGLIGIBLE_TRACE: f64 = 1.0 / (1 << 25) as f64;

/// Largest number of attempts at a decomposition. Alpha grows at least tenfold from one attempt to the next, so the
/// precision of `f64` never requires as many.
const MAX_ATTEMPTS: usize = 40;

/// The projector `P` of all blocks of a layer. `T` holds its matrices, on the host or on a device.
#[derive(Debug, Clone)]
pub struct Projector<T> {
    /// `P` in factored form.
    pub matrices: ProjectorMatrices<T>,
    /// `trace(P) / d`, the mean eigenvalue: 1 leaves updates unchanged, 0 removes them.
    pub trace_ratio: f64,
    /// Factor by which alpha was increased to make the decomposition succeed; 1 if it succeeded at once.
    pub alpha_increase: f64,
}

/// `P` in the form that takes the fewest operations.
#[derive(Debug, Clone)]
pub enum ProjectorMatrices<T> {
    /// `P = I`.
    Identity,
    /// `P = M^T M`, with lower triangular `M`, `[blocks, d, d]`.
    Full(T),
    /// `P = I - V^T V`, with `V`, `[blocks, n, d]`, and `n < d`.
    LowRank(T),
}

/// Matrices in main memory, in row-major order.
#[derive(Debug)]
pub struct HostMatrices {
    values: Vec<f32>,
    /// `(blocks, rows, columns)`.
    shape: (usize, usize, usize),
}

impl Projector<HostMatrices> {
    /// The projector that leaves updates unchanged.
    fn identity() -> Self {
        Self { matrices: ProjectorMatrices::Identity, trace_ratio: 1.0, alpha_increase: 1.0 }
    }

    /// Computes `P = (I + s S)^-1` for the Gram matrix `S = R^T R` of the recorded patches `R`.
    ///
    /// With the Gram matrix: `I + s S = L L^T` gives `P = M^T M` for `M = L^-1`.
    ///
    /// With fewer patches than elements in a patch: `(I + s R^T R)^-1 = I - s R^T (I + s R R^T)^-1 R` (equation 7)
    /// needs the decomposition of a smaller matrix. `I + s R R^T = L L^T` gives `P = I - V^T V` for
    /// `V = sqrt(s) L^-1 R`, whose singular values are below 1.
    ///
    /// A very small alpha (large `s`) can make the matrix numerically indefinite. Then alpha is increased for this
    /// layer: `s` is divided by `t`, which grows tenfold until the decomposition succeeds. The first such `t` is at
    /// least the rounding error `s trace(S) eps`. Adding to the diagonal instead would also shrink updates in
    /// directions that no input uses.
    ///
    /// # Errors
    /// The recorded inputs are not finite.
    pub fn new(inputs: &RecordedInputs, s: f64) -> Result<Self, OpError> {
        let trace = inputs.trace();
        if !trace.is_finite() || s.is_nan() {
            return Err(OpError::Shape {
                op: "ogd",
                expected: "finite inputs of every layer".into(),
                found: format!("a sum of squares of {trace}"),
            });
        }
        // Prevents overflow. A larger `s` gives the same projector within the precision of `f64`.
        let s = s.min(1e60 / trace.max(1e-60));
        if s * trace <= NEGLIGIBLE_TRACE {
            return Ok(Self::identity());
        }
        let mut t = 1.0;
        for _ in 0..MAX_ATTEMPTS {
            let decomposed = match &inputs.storage {
                PatchStorage::Rows(rows) => low_rank(inputs, rows, s / t),
                PatchStorage::Gram(gram) => full(inputs, gram, s / t),
            };
            if let Some((matrices, trace_ratio)) = decomposed {
                return Ok(Self { matrices, trace_ratio, alpha_increase: t });
            }
            t = (t * 10.0).max(s * trace * f64::EPSILON);
        }
        Ok(Self::identity())
    }

    /// Copies the matrices to a device.
    ///
    /// # Errors
    /// An operation of the device fails.
    pub fn into_device<D: Backend>(self, device: &D) -> Result<Projector<Tensor3<D>>, OpError> {
        let tensor =
            |HostMatrices { values, shape }| device.try_tensor_from_vec(values, shape).map_err(OpError::device("ogd"));
        let matrices = match self.matrices {
            ProjectorMatrices::Identity => ProjectorMatrices::Identity,
            ProjectorMatrices::Full(m) => ProjectorMatrices::Full(tensor(m)?),
            ProjectorMatrices::LowRank(v) => ProjectorMatrices::LowRank(tensor(v)?),
        };
        Ok(Projector { matrices, trace_ratio: self.trace_ratio, alpha_increase: self.alpha_increase })
    }
}

impl<D: Backend> Projector<Tensor3<D>> {
    /// The product `P X` of each block, for `X`, `[blocks, d, columns]`.
    ///
    /// # Errors
    /// An operation of the device fails.
    pub fn apply(&self, x: Tensor3<D>) -> Result<Tensor3<D>, OpError> {
        let result = match &self.matrices {
            ProjectorMatrices::Identity => Ok(x),
            ProjectorMatrices::Full(m) => m.clone().try_matmul(x).and_then(|y| transposed(m)?.try_matmul(y)),
            ProjectorMatrices::LowRank(v) => v
                .clone()
                .try_matmul(x.clone())
                .and_then(|coefficients| transposed(v)?.try_matmul(coefficients))
                .and_then(|removed| x.try_sub(removed)),
        };
        result.map_err(OpError::device("ogd"))
    }
}

fn transposed<D: Backend>(x: &Tensor3<D>) -> Result<Tensor3<D>, D::Err> {
    x.clone().try_permute::<_, Axes3<0, 2, 1>>()
}

/// Matrices of a projector and `trace(P) / d`; `None` if a decomposition failed.
type Decomposed = Option<(ProjectorMatrices<HostMatrices>, f64)>;

/// The projector from the Gram matrices, `[blocks, d, d]`.
fn full(inputs: &RecordedInputs, gram: &[f64], s: f64) -> Decomposed {
    let (blocks, d) = (inputs.blocks, inputs.patch_len);
    let (mut values, mut trace) = (Vec::with_capacity(gram.len()), 0.0);
    for gram in gram.chunks_exact(d * d) {
        let m = inverse_factor(gram, d, s)?;
        trace += m.squared_norm_l2();
        for i in 0..d {
            values.extend(m.row(i).iter().map(|x| *x as f32));
        }
    }
    Some((ProjectorMatrices::Full(HostMatrices { values, shape: (blocks, d, d) }), trace / (blocks * d) as f64))
}

/// The projector from the patches of each block, `[n, d]` with `n < d`.
fn low_rank(inputs: &RecordedInputs, rows: &[Vec<f64>], s: f64) -> Decomposed {
    let (blocks, d) = (inputs.blocks, inputs.patch_len);
    let n = rows.first().map_or(0, |rows| rows.len() / d);
    let (mut values, mut removed) = (Vec::with_capacity(blocks * n * d), 0.0);
    for rows in rows {
        let m = inverse_factor(&row_products(rows, d), n, s)?;
        let v = lower_times_rows(&m, rows, d);
        removed += s * v.iter().map(|v| v * v).sum::<f64>();
        values.extend(v.iter().map(|v| (s.sqrt() * v) as f32));
    }
    let matrices = ProjectorMatrices::LowRank(HostMatrices { values, shape: (blocks, n, d) });
    Some((matrices, 1.0 - removed / (blocks * d) as f64))
}
