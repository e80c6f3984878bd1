//! Linear layers, computed as 1 x 1 convolutions.

use super::conv2d;
use crate::{
    ConvSpec, OpError, Tensor4, Window,
    cpu::{
        activation::CpuActivation,
        buffer::Buffer,
        conv::{Conv, OutputGradient},
        elementwise::add_assign,
    },
    shape::{ConvShape, check_linear},
    tape::Recorder,
};
use dfdx::tensor::Cpu;

/// Largest number of rows of the batch that form one image.
const MAX_ROWS: usize = 8;

/// As [`crate::reference::linear`].
pub fn linear(
    x: &CpuActivation,
    weight: &Tensor4<Cpu>,
    bias: Option<&Tensor4<Cpu>>,
    tape: &mut dyn Recorder<Cpu>,
) -> Result<CpuActivation, OpError> {
    let op = "linear";
    let (n, c_in, c_out) = check_linear(x.dims(), weight, bias)?;
    // Several rows of the batch are the pixels of one image, so that the weights are read once for all of them.
    let rows = (1..=MAX_ROWS).rev().find(|rows| n % rows == 0).unwrap_or(1);
    let spec = ConvSpec { window: Window::valid(1, 1), groups: 1 };
    let conv = Conv::new(ConvShape::new(op, (n / rows, 1, rows, c_in), (1, 1, c_in, c_out), spec)?, false);
    let weight = tape.contiguous(op, weight)?;
    let bias = bias.map(|bias| tape.contiguous(op, bias)).transpose()?;
    let mut y = Buffer::uninitialised(n * c_out);
    conv.forward(x.source(), &Buffer::read(&weight), &mut y, false);
    if let Some(bias) = &bias {
        let bias = Buffer::read(bias);
        y.chunks_exact_mut(c_out).for_each(|row| add_assign(row, &bias));
    }
    let y = CpuActivation::new((n, 1, 1, c_out), y);
    if tape.is_recording() {
        let (x, output) = (x.clone(), y.gradient());
        tape.record(Box::new(move |grads| {
            let Some(dy) = output.take() else { return Ok(()) };
            if let Some(bias) = bias {
                let mut total = vec![0.0; c_out];
                dy.chunks_exact(c_out).for_each(|row| add_assign(&mut total, row));
                add_assign(grads.get_or_alloc_mut(&bias)?, &total);
            }
            let upstream = OutputGradient { dy: &dy, norm: None };
            conv2d::backward(&conv, &x, &Buffer::read(&weight), upstream, grads.get_or_alloc_mut(&weight)?);
            Ok(())
        }));
    }
    Ok(y)
}
