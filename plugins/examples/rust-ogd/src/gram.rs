//! Gram matrices of the inputs of a layer, and the projection that they define.

use crate::GramByLayer;
use nas_plugin_abi::{Error, Layer, LayerKind, Model, Result};

/// The Gram matrices `S = R^T R` of a layer, one for each group of a convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Gram {
    blocks: usize,
    /// Elements of a patch, the constant 1 of a bias included.
    d: usize,
    /// `[blocks, d, d]`
    s: Vec<f64>,
}

impl Gram {
    /// Gram matrices of no patches.
    pub fn new(layer: &Layer) -> Self {
        let bias = usize::from(layer.kind == LayerKind::Linear);
        let d = layer.kernel[0] * layer.kernel[1] * layer.c_in / layer.groups + bias;
        Self { blocks: layer.groups, d, s: vec![0.0; layer.groups * d * d] }
    }

    /// Adds a patch to the matrix of a block.
    pub fn add(&mut self, block: usize, patch: &[f64]) {
        let size = self.d * self.d;
        let s = &mut self.s[block * size..(block + 1) * size];
        for (row, x) in s.chunks_exact_mut(self.d).zip(patch) {
            row.iter_mut().zip(patch).for_each(|(s, y)| *s += x * y);
        }
    }

    /// Adds the matrices of other patches of the same layer.
    pub fn merge(&mut self, other: &Self) {
        self.s.iter_mut().zip(&other.s).for_each(|(s, o)| *s += o);
    }

    /// The projected update `(I + s S)^-1 U` for an update `U`, `[d, blocks * outputs]`.
    ///
    /// # Errors
    /// The inputs are not finite, or alpha is too small for the precision of `f64`.
    pub fn project(&self, rows: &[f32], alpha: f64) -> std::result::Result<Vec<f32>, String> {
        let Self { blocks, d, .. } = *self;
        let trace: f64 = self.s.chunks_exact(d * d).flat_map(|s| s.iter().step_by(d + 1)).sum();
        if !trace.is_finite() {
            return Err(format!("expected finite inputs, found a sum of squares of {trace}"));
        }
        if trace == 0.0 {
            return Ok(rows.to_vec());
        }
        let inverse_alpha = (blocks * d) as f64 / (alpha * trace);
        let columns = rows.len() / d;
        let outputs = columns / blocks;
        let mut result = rows.to_vec();
        for (block, s) in self.s.chunks_exact(d * d).enumerate() {
            let mut a: Vec<f64> = s.iter().map(|x| inverse_alpha * x).collect();
            a.iter_mut().step_by(d + 1).for_each(|x| *x += 1.0);
            cholesky(&mut a, d)?;
            for column in block * outputs..(block + 1) * outputs {
                let mut x: Vec<f64> = (0..d).map(|i| f64::from(rows[i * columns + column])).collect();
                solve(&a, &mut x);
                (0..d).for_each(|i| result[i * columns + column] = x[i] as f32);
            }
        }
        Ok(result)
    }
}

/// Cholesky decomposition in place: the lower triangle of `a` becomes `L` with `L L^T = a`.
fn cholesky(a: &mut [f64], d: usize) -> std::result::Result<(), String> {
    for j in 0..d {
        let squares: f64 = (0..j).map(|k| a[j * d + k] * a[j * d + k]).sum();
        let pivot = (a[j * d + j] - squares).sqrt();
        if pivot.is_nan() || pivot == 0.0 {
            return Err("alpha is too small for these inputs: set a larger strategy.alpha".into());
        }
        a[j * d + j] = pivot;
        for i in j + 1..d {
            let dot: f64 = (0..j).map(|k| a[i * d + k] * a[j * d + k]).sum();
            a[i * d + j] = (a[i * d + j] - dot) / pivot;
        }
    }
    Ok(())
}

/// Solves `L L^T x = b`. `x` holds `b` at the start and the solution at the end.
fn solve(l: &[f64], x: &mut [f64]) {
    let d = x.len();
    for i in 0..d {
        let dot: f64 = (0..i).map(|k| l[i * d + k] * x[k]).sum();
        x[i] = (x[i] - dot) / l[i * d + i];
    }
    for i in (0..d).rev() {
        let dot: f64 = (i + 1..d).map(|k| l[k * d + i] * x[k]).sum();
        x[i] = (x[i] - dot) / l[i * d + i];
    }
}

/// Appends the number of layers and, for each layer, its index and its matrices.
pub fn write(memory: &GramByLayer, bytes: &mut Vec<u8>) {
    bytes.extend((memory.len() as u64).to_le_bytes());
    for (layer, gram) in memory {
        bytes.extend((*layer as u64).to_le_bytes());
        bytes.extend(gram.s.iter().flat_map(|x| x.to_le_bytes()));
    }
}

/// Reads the bytes that [`write`] appended, and removes them from the front of `bytes`.
///
/// # Errors
/// There are too few bytes, or a layer index is not in the model.
pub fn read(model: &Model, bytes: &mut &[u8]) -> Result<GramByLayer> {
    let mut next = || -> Result<[u8; 8]> {
        let (word, rest) = bytes.split_first_chunk().ok_or_else(|| Error::invalid("the saved state is too short"))?;
        *bytes = rest;
        Ok(*word)
    };
    let mut memory = GramByLayer::new();
    for _ in 0..u64::from_le_bytes(next()?) {
        let index = u64::from_le_bytes(next()?) as usize;
        let layer = model
            .layers
            .get(index)
            .ok_or_else(|| Error::invalid(format!("the saved state has the unknown layer {index}")))?;
        let mut gram = Gram::new(layer);
        for x in &mut gram.s {
            *x = f64::from_le_bytes(next()?);
        }
        memory.insert(index, gram);
    }
    Ok(memory)
}
