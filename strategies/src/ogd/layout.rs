//! A layer as matrix products: its input patches as rows, its weights as matrices.

use super::options::SampleSelection;
use dfdx::prelude::*;
use nas_core::network::LayerKind;
use nas_ops::{Backend, ConvSpec, InputPatches, OpError, Tensor4, Window, patches};

/// A batch of matrices, `[blocks, rows, columns]`.
pub type Tensor3<D> = Tensor<(usize, usize, usize), f32, D>;

/// A layer as `blocks` independent matrix products `[n, inputs] x [inputs, outputs]`.
///
/// A dense convolution and a linear layer have one block. A grouped convolution has one block for each group, and a
/// depthwise convolution one for each channel. The bias of a linear layer is the weight of an additional input that is
/// always 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatrixLayout {
    /// Number of independent products.
    pub blocks: usize,
    /// Elements of a patch of one block, the constant 1 of a bias included; `d` in the equations.
    pub inputs: usize,
    /// Outputs of one block.
    pub outputs: usize,
    /// Whether the last input is the constant 1 of a bias.
    pub bias: bool,
    /// Whether the layer applies a ReLU to its input.
    relu: bool,
    conv: ConvSpec,
}

impl MatrixLayout {
    /// The layout of a convolution or linear layer; `None` for batch normalisation.
    pub fn of(kind: &LayerKind) -> Option<Self> {
        match *kind {
            LayerKind::Conv { relu, conv, c_in, c_out, .. } => {
                let [kh, kw] = conv.window.kernel;
                let (blocks, inputs) = (conv.groups, kh * kw * c_in / conv.groups);
                Some(Self { blocks, inputs, outputs: c_out / blocks, bias: false, relu, conv })
            }
            LayerKind::Linear { c_in, c_out } => {
                // On an input `[n, 1, 1, c]`, a linear layer is a 1x1 convolution.
                let conv = ConvSpec { window: Window::valid(1, 1), groups: 1 };
                Some(Self { blocks: 1, inputs: c_in + 1, outputs: c_out, bias: true, relu: false, conv })
            }
            LayerKind::Norm { .. } => None,
        }
    }

    /// Selects input images of the layer, `size` numbers each, or computes their mean. Applies the ReLU of the layer.
    pub fn select_images(&self, mut images: Vec<f32>, size: usize, samples: SampleSelection) -> Vec<f32> {
        if let SampleSelection::First(n) = samples {
            images.truncate(n.saturating_mul(size));
        }
        // Before the mean, because the weights multiply the values after the ReLU.
        if self.relu {
            images.iter_mut().filter(|x| **x <= 0.0).for_each(|x| *x = 0.0);
        }
        if samples != SampleSelection::BatchMean {
            return images;
        }
        let share = size as f32 / images.len() as f32;
        let mut mean = vec![0.0; size];
        for image in images.chunks_exact(size) {
            mean.iter_mut().zip(image).for_each(|(mean, x)| *mean += x * share);
        }
        mean
    }

    /// The patches of an image `[h, w, c]`, as rows `[blocks, h' w', inputs]`, at every `stride`-th output location.
    ///
    /// # Errors
    /// The image does not fit the layer.
    pub fn patch_rows(&self, image: &[f32], [h, w, c]: [usize; 3], stride: usize) -> Result<Vec<f32>, OpError> {
        let rows = patches(image, (1, h, w, c), self.every(stride))?;
        if self.bias {
            return Ok(rows.chunks_exact(self.inputs - 1).flat_map(|row| row.iter().copied().chain([1.0])).collect());
        }
        Ok(rows)
    }

    /// The patches of the first `images` of an input of the layer, at every `stride`-th output location.
    pub fn input_patches<'a, D: Backend>(
        &self,
        input: &'a Tensor4<D>,
        images: usize,
        stride: usize,
    ) -> InputPatches<'a, D> {
        InputPatches { input, images, relu: self.relu, conv: self.every(stride), constant: self.bias }
    }

    /// The convolution at every `stride`-th output location: a convolution with `stride` times the stride.
    fn every(&self, stride: usize) -> ConvSpec {
        let mut conv = self.conv;
        conv.window.stride = conv.window.stride.map(|s| s.saturating_mul(stride));
        conv
    }

    /// The weight and, if the layer has one, the bias as matrices `[blocks, inputs, outputs]`.
    ///
    /// # Errors
    /// An operation of the device fails.
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

    /// The inverse of [`join`](Self::join). The weight gets the shape of `weight`.
    ///
    /// # Errors
    /// An operation of the device fails.
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
