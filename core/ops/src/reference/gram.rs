//! Gram matrices of input patches.

use crate::{Device, InputPatches, OpError, device::to_host, patches};
use dfdx::tensor_ops::ReshapeTo;

/// The Gram matrices `R^T R` of each input, `[groups, d, d]`, in `f64`: the lower triangles, with zeros above the
/// diagonal.
///
/// # Errors
/// An input without images or smaller than the window, or a device failure.
pub fn gram_matrices<D: Device>(inputs: &[InputPatches<'_, D>]) -> Result<Vec<Vec<f64>>, OpError> {
    inputs.iter().map(gram_matrices_of).collect()
}

fn gram_matrices_of<D: Device>(input: &InputPatches<'_, D>) -> Result<Vec<f64>, OpError> {
    let (shape, dims) = (input.shape()?, input.dims());
    let contiguous = input.input.clone().try_contiguous().map_err(OpError::device("gram_matrices"))?;
    let mut images = to_host(&contiguous);
    images.truncate(dims.0 * shape.input_len());
    if input.relu {
        images.iter_mut().filter(|x| **x <= 0.0).for_each(|x| *x = 0.0);
    }
    let rows = patches(&images, dims, input.conv)?;
    let d = input.patch_len(&shape);
    let row_len = d - usize::from(input.constant);
    let mut gram = vec![0.0; shape.groups * d * d];
    for (gram, rows) in gram.chunks_exact_mut(d * d).zip(rows.chunks_exact(rows.len() / shape.groups)) {
        for row in rows.chunks_exact(row_len) {
            let element = |i: usize| row.get(i).map_or(1.0, |x| f64::from(*x));
            for i in 0..d {
                for j in 0..=i {
                    gram[i * d + j] += element(i) * element(j);
                }
            }
        }
    }
    Ok(gram)
}
