//! Convolutions, units (with batch normalisation) and linear layers.

use super::norm::Norm;
use crate::{
    ConvSpec, Moments, NormArgs, OpError, Tensor4, UnitSpec, Window,
    cuda::{
        activation::CudaActivation,
        args::{ConvArgs, NormKernelArgs, Rectifier, Source, Statistics, WindowShape},
        memory::{Buffer, address},
        reduction::Reduction,
        runtime::{MAX_GRID_Z, Runtime, blocks},
    },
    shape::{ConvShape, Dims, check_linear, check_norm},
    tape::Recorder,
};
use cudarc::driver::{DevicePtr, DriverError};
use dfdx::{
    shapes::HasShape,
    tensor::{Cuda, CudaError},
};

/// Pixels that one block adds in the gradient of weights, at least.
const PIXELS_PER_PART: usize = 1024;
/// Most parts of the pixels in the gradient of weights.
const MAX_PARTS: usize = 64;
/// Rows and columns of a tile in the gradient of weights.
const WEIGHT_TILE: usize = 32;
/// Threads of a block of a dense convolution.
const THREADS: u32 = 256;

/// A convolution, the rectifier before it, and its weights.
struct Conv {
    shape: ConvShape,
    rectifier: Rectifier,
    weight: Tensor4<Cuda>,
    weight_address: u64,
    runtime: &'static Runtime,
}

impl Conv {
    fn new(
        op: &'static str,
        x: &CudaActivation,
        weight: &Tensor4<Cuda>,
        spec: UnitSpec,
        tape: &mut dyn Recorder<Cuda>,
    ) -> Result<Self, OpError> {
        let shape = ConvShape::new(op, x.dims(), *weight.shape(), spec.conv)?;
        let rectifier = if spec.relu { Rectifier::Relu } else { Rectifier::None };
        let weight = tape.contiguous(op, weight)?;
        Ok(Self { shape, rectifier, weight_address: address(op, &weight)?, weight, runtime: x.runtime() })
    }

    fn output(&self) -> Dims {
        (self.shape.n, self.shape.out[0], self.shape.out[1], self.shape.c_out)
    }

    /// Whether each group has one input and one output channel.
    fn is_depthwise(&self) -> bool {
        let ConvShape { c_in, c_out, groups, .. } = self.shape;
        groups > 1 && c_in == groups && c_out == groups
    }

    fn args(&self) -> ConvArgs {
        ConvArgs { window: WindowShape::of(&self.shape), weight: self.weight_address, ..ConvArgs::default() }
    }

    /// Selects the kernel for the precision of this process, from one for single precision and one for TF32.
    fn kernel(&self, [single, tf32]: [&'static str; 2]) -> &'static str {
        if self.runtime.tf32() { tf32 } else { single }
    }

    /// The grid of a product with `rows` rows and `columns` columns for each group, and whether its tiles are wide: 64
    /// x 64 instead of 128 x 16.
    fn tiles(&self, rows: usize, columns: usize) -> ((u32, u32, u32), bool) {
        let wide = columns > 16;
        let (tile_rows, tile_columns) = if wide { (64, 64) } else { (128, 16) };
        ((blocks(rows, tile_rows), blocks(columns, tile_columns), self.shape.groups as u32), wide)
    }

    /// `out = conv(x) + bias`, and the statistics of the output if they are wanted.
    fn forward(
        &self,
        x: &CudaActivation,
        bias: u64,
        out: u64,
        statistics: Option<Statistics>,
    ) -> Result<(), DriverError> {
        let ConvShape { n, out: [h, w], c_out, groups, .. } = self.shape;
        let args = ConvArgs { x: x.source(self.rectifier), bias, out, ..self.args() };
        match (self.is_depthwise(), statistics) {
            (true, None) => self.runtime.launch_over("depthwise_forward", n * h * w * c_out, args),
            (true, Some(statistics)) => {
                let reduction = Reduction::new(self.runtime, n * h * w, c_out, 2, 1)?;
                let args = ConvArgs { statistics: reduction.statistics(statistics), ..args };
                reduction.launch("depthwise_forward_norm", args)
            }
            (false, statistics) => {
                let (grid, wide) = self.tiles(n * h * w, c_out / groups);
                // Each tile of pixels has two sums in double precision for each channel.
                let partial = Buffer::of_doubles(self.runtime, statistics.map_or(0, |_| 2 * grid.0 as usize * c_out))?;
                let counters = self.runtime.counters();
                let statistics = statistics.map(|s| Statistics { partial: partial.address(), counters, ..s });
                let args = ConvArgs { statistics: statistics.unwrap_or_default(), ..args };
                let kernel = self.kernel(if wide {
                    ["conv_forward_64", "conv_forward_64_tf32"]
                } else {
                    ["conv_forward_16", "conv_forward_16_tf32"]
                });
                self.runtime.launch(kernel, grid, (THREADS, 1), args)
            }
        }
    }

    /// Adds the gradients of the input and of the weights, from that of the output.
    fn backward(&self, x: &CudaActivation, dy: Source, d_weight: u64) -> Result<(), DriverError> {
        x.accumulate(|out, overwrite| self.input_gradient(x, dy, out, overwrite))?;
        self.weight_gradient(x, dy, d_weight)
    }

    fn input_gradient(&self, x: &CudaActivation, dy: Source, out: u64, overwrite: bool) -> Result<(), DriverError> {
        let ConvShape { n, size: [h, w], c_in, groups, .. } = self.shape;
        let args = ConvArgs { x: x.source(self.rectifier), dy, out, overwrite: overwrite.into(), ..self.args() };
        if self.is_depthwise() {
            return self.runtime.launch_over("depthwise_input_gradient", n * h * w * c_in, args);
        }
        let (grid, wide) = self.tiles(n * h * w, c_in / groups);
        let kernel = self.kernel(if wide {
            ["conv_input_gradient_64", "conv_input_gradient_64_tf32"]
        } else {
            ["conv_input_gradient_16", "conv_input_gradient_16_tf32"]
        });
        self.runtime.launch(kernel, grid, (THREADS, 1), args)
    }

    fn weight_gradient(&self, x: &CudaActivation, dy: Source, out: u64) -> Result<(), DriverError> {
        let ConvShape { n, out: [h, w], c_in, c_out, groups, window, .. } = self.shape;
        let (pixels, taps) = (n * h * w, window.kernel[0] * window.kernel[1]);
        let counters = self.runtime.counters();
        let args = ConvArgs { x: x.source(self.rectifier), dy, out, counters, ..self.args() };
        if self.is_depthwise() {
            let reduction = Reduction::new(self.runtime, pixels, c_in, 1, taps)?;
            let args = ConvArgs { partial: reduction.partial(), ..args };
            return reduction.launch("depthwise_weight_gradient", args);
        }
        let (rows, columns) = (taps * c_in / groups, c_out / groups);
        let parts = (pixels / PIXELS_PER_PART).clamp(1, MAX_PARTS.min(MAX_GRID_Z / groups).max(1));
        let partial = Buffer::new(self.runtime, groups * parts * rows * columns)?;
        let grid = (blocks(rows, WEIGHT_TILE), blocks(columns, WEIGHT_TILE), (groups * parts) as u32);
        let args = ConvArgs { partial: partial.address(), ..args };
        let kernel = self.kernel(["conv_weight_gradient", "conv_weight_gradient_tf32"]);
        self.runtime.launch(kernel, grid, (THREADS, 1), args)
    }
}

/// As [`crate::reference::conv2d`], after a ReLU if the specification has one.
pub fn conv2d(
    x: &CudaActivation,
    weight: &Tensor4<Cuda>,
    spec: UnitSpec,
    tape: &mut dyn Recorder<Cuda>,
) -> Result<CudaActivation, OpError> {
    let op = "conv2d";
    let conv = Conv::new(op, x, weight, spec, tape)?;
    let out = x.buffer(op, conv.output())?;
    conv.forward(x, 0, out.address(), None).map_err(OpError::device(op))?;
    let y = x.computed(conv.output(), out, None);
    let x = x.clone();
    y.record(tape, move |dy, grads| {
        let d_weight = *grads.get_or_alloc_mut(&conv.weight)?.device_ptr();
        conv.backward(&x, Source::plain(dy.address()), d_weight).map_err(CudaError::from)
    });
    Ok(y)
}

/// As [`crate::reference::unit`]. The normalisation of the result stays pending.
pub fn unit(
    x: &CudaActivation,
    weight: &Tensor4<Cuda>,
    spec: UnitSpec,
    norm: NormArgs<'_, Cuda>,
    tape: &mut dyn Recorder<Cuda>,
) -> Result<(CudaActivation, Option<Moments<Cuda>>), OpError> {
    let op = "unit";
    check_norm(op, weight.shape().3, &norm)?;
    let conv = Conv::new(op, x, weight, spec, tape)?;
    let dims = conv.output();
    let z = x.buffer(op, dims)?;
    let norm = Norm::new(op, x, dims, norm, tape)?;
    conv.forward(x, 0, z.address(), norm.statistics()).map_err(OpError::device(op))?;
    let moments = norm.moments();
    let y = x.computed(dims, z.clone(), Some(norm.vectors()));
    let x = x.clone();
    y.record(tape, move |dy, grads| {
        let coefficients = norm.backward(&dy, Source::plain(z.address()), grads)?;
        let dz = norm.gradient(&dy, Source::plain(z.address()), &coefficients);
        let d_weight = *grads.get_or_alloc_mut(&conv.weight)?.device_ptr();
        conv.backward(&x, dz, d_weight).map_err(CudaError::from)
    });
    Ok((y, moments))
}

/// As [`crate::reference::linear`].
pub fn linear(
    x: &CudaActivation,
    weight: &Tensor4<Cuda>,
    bias: Option<&Tensor4<Cuda>>,
    tape: &mut dyn Recorder<Cuda>,
) -> Result<CudaActivation, OpError> {
    let op = "linear";
    let (n, _, c_out) = check_linear(x.dims(), weight, bias)?;
    let spec = UnitSpec { relu: false, conv: ConvSpec { window: Window::valid(1, 1), groups: 1 } };
    let conv = Conv::new(op, x, weight, spec, tape)?;
    let bias = bias.map(|bias| tape.contiguous(op, bias)).transpose()?;
    let bias_address = bias.as_ref().map_or(Ok(0), |bias| address(op, bias))?;
    let out = x.buffer(op, conv.output())?;
    conv.forward(x, bias_address, out.address(), None).map_err(OpError::device(op))?;
    let y = x.computed(conv.output(), out, None);
    let x = x.clone();
    y.record(tape, move |dy, grads| {
        if let Some(bias) = &bias {
            let d_shift = *grads.get_or_alloc_mut(bias)?.device_ptr();
            let reduction = Reduction::new(x.runtime(), n, c_out, 1, 1)?;
            let statistics = reduction.statistics(Statistics::default());
            let args =
                NormKernelArgs { dy: Source::plain(dy.address()), statistics, d_shift, ..NormKernelArgs::default() };
            reduction.launch("bias_gradient", args)?;
        }
        let d_weight = *grads.get_or_alloc_mut(&conv.weight)?.device_ptr();
        conv.backward(&x, Source::plain(dy.address()), d_weight).map_err(CudaError::from)
    });
    Ok(y)
}
