//! The matrices of a layer: what its weights multiply, and the weights themselves, as rows and columns.

use super::options::Samples;
use dfdx::prelude::*;
use nas_core::network::LayerKind;
use nas_ops::{Backend, ConvSpec, OpError, Tensor4, Window, patches};

/// `[blocks, rows, columns]`.
pub type Tensor3<D> = Tensor<(usize, usize, usize), f32, D>;

/// A layer as `blocks` independent products `[n, inputs] x [inputs, outputs]`.
///
/// A dense convolution or linear layer is one block, a grouped convolution one for each group, a depthwise one, one
/// for each channel. A bias is one more input that is always 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Independent products.
    pub blocks: usize,
    /// Columns of the input, `d` in the equations.
    pub inputs: usize,
    /// Columns of the output.
    pub outputs: usize,
    /// Whether the last input is the constant of a bias.
    pub bias: bool,
    relu: bool,
    conv: ConvSpec,
}

impl Layout {
    /// The layout of a layer with weights; `None` for one without.
    pub fn of(kind: &LayerKind) -> Option<Self> {
        match *kind {
            LayerKind::Conv { relu, conv, c_in, c_out, .. } => {
                let [kh, kw] = conv.window.kernel;
                let (blocks, inputs) = (conv.groups, kh * kw * c_in / conv.groups);
                Some(Self { blocks, inputs, outputs: c_out / blocks, bias: false, relu, conv })
            }
            LayerKind::Linear { c_in, c_out } => {
                // On `[n, 1, 1, c]` a linear layer is a convolution with a window of one pixel.
                let conv = ConvSpec { window: Window::valid(1, 1), groups: 1 };
                Some(Self { blocks: 1, inputs: c_in + 1, outputs: c_out, bias: true, relu: false, conv })
            }
            LayerKind::Norm { .. } => None,
        }
    }

    /// What the weights see of images of a layer's input, `size` numbers each: of some of them, or their mean.
    pub fn seen(&self, mut images: Vec<f32>, size: usize, samples: Samples) -> Vec<f32> {
        if let Samples::First(most) = samples {
            images.truncate(most.saturating_mul(size));
        }
        // What they see is behind the layer's own ReLU, and so the mean has to be taken there as well.
        if self.relu {
            images.iter_mut().filter(|x| **x <= 0.0).for_each(|x| *x = 0.0);
        }
        if samples != Samples::BatchMean {
            return images;
        }
        let share = size as f32 / images.len() as f32;
        let mut mean = vec![0.0; size];
        for image in images.chunks_exact(size) {
            mean.iter_mut().zip(image).for_each(|(mean, x)| *mean += x * share);
        }
        mean
    }

    /// The patches of an image of `[h, w, c]` that the weights multiply, `[blocks, h' w', inputs]`, at every `stride`-th
    /// output location.
    ///
    /// # Errors
    /// An image that does not fit the layer.
    pub fn rows(&self, image: &[f32], [h, w, c]: [usize; 3], stride: usize) -> Result<Vec<f32>, OpError> {
        // Every so many locations of a convolution are those of one with so much more stride.
        let mut conv = self.conv;
        conv.window.stride = conv.window.stride.map(|s| s.saturating_mul(stride));
        let rows = patches(image, (1, h, w, c), conv)?;
        if self.bias {
            return Ok(rows.chunks_exact(self.inputs - 1).flat_map(|row| row.iter().copied().chain([1.0])).collect());
        }
        Ok(rows)
    }

    /// Weights, and a bias where there is one, as matrices `[blocks, inputs, outputs]`.
    ///
    /// # Errors
    /// A failing device.
    pub fn join<D: Backend>(&self, weight: &Tensor4<D>, bias: Option<&Tensor4<D>>) -> Result<Tensor3<D>, OpError> {
        let Self { blocks, outputs, .. } = *self;
        let inputs = self.inputs - usize::from(self.bias);
        let joined = weight
            .clone()
            .try_reshape_like(&(inputs, blocks, outputs))
            .and_then(|w| w.try_permute::<_, Axes3<1, 0, 2>>())
            .and_then(|w| w.try_reshape_like(&(blocks, inputs, outputs)))
            .and_then(|w| match bias {
                Some(bias) => (w, bias.clone().try_reshape_like(&(1, 1, outputs))?).try_concat_along(Axis::<1>),
                None => Ok(w),
            });
        joined.map_err(OpError::device("ogd"))
    }

    /// The inverse of [`join`](Self::join), with weights of the shape of `weight`.
    ///
    /// # Errors
    /// A failing device.
    pub fn split<D: Backend>(
        &self,
        matrices: Tensor3<D>,
        weight: &Tensor4<D>,
    ) -> Result<(Tensor4<D>, Option<Tensor4<D>>), OpError> {
        let failed = OpError::device("ogd");
        let inputs = self.inputs - usize::from(self.bias);
        let (rows, bias) = if self.bias {
            let bias = matrices.clone().try_slice((.., inputs..inputs + 1, ..));
            let bias = bias.and_then(|b| b.try_reshape_like(&(1, 1, 1, self.outputs))).map_err(&failed)?;
            (matrices.try_slice((.., 0..inputs, ..)).map_err(&failed)?, Some(bias))
        } else {
            (matrices, None)
        };
        let weight = rows
            .try_permute::<_, Axes3<1, 0, 2>>()
            .and_then(|w| w.try_reshape_like(weight.shape()))
            .map_err(&failed)?;
        Ok((weight, bias))
    }
}
