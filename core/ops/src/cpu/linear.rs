//! Linear layers, as convolutions of one pixel.

use super::{
    buffer::Buffer,
    contiguous,
    conv::{Conv, Upstream},
    image::Image,
    norm::add,
};
use crate::{
    ConvSpec, OpError, Tensor4, Window,
    shape::{ConvShape, check_linear},
};
use dfdx::tensor::{Cpu, Tape};

/// The most rows that are taken for one image.
const ROWS: usize = 8;

/// As [`crate::reference::linear`].
pub fn linear<T: Tape<f32, Cpu>>(
    x: &Image,
    weight: &Tensor4<Cpu>,
    bias: Option<&Tensor4<Cpu>>,
    tape: &mut T,
) -> Result<Image, OpError> {
    let op = "linear";
    let (n, c_in, c_out) = check_linear(x.dims, weight, bias)?;
    // Several rows of the batch are the pixels of one image, so that the weights are read once for all of them.
    let rows = (1..=ROWS).rev().find(|rows| n % rows == 0).unwrap_or(1);
    let spec = ConvSpec { window: Window::valid(1, 1), groups: 1 };
    let conv = Conv::new(ConvShape::new(op, (n / rows, 1, rows, c_in), (1, 1, c_in, c_out), spec)?, false);
    let weight = contiguous(op, weight, tape)?;
    let bias = bias.map(|bias| contiguous(op, bias, tape)).transpose()?;
    let mut y = Buffer::stale(n * c_out);
    conv.forward(x, &Buffer::read(&weight), &mut y, |_| ());
    if let Some(bias) = &bias {
        let bias = Buffer::read(bias);
        y.chunks_exact_mut(c_out).for_each(|row| add(row, &bias));
    }
    let y = Image::new((n, 1, 1, c_out), y);
    if T::OWNS_TAPE {
        let (x, output) = (x.clone(), y.slot());
        tape.add_backward_op(move |grads| {
            let Some(dy) = output.take() else { return Ok(()) };
            if let Some(bias) = bias {
                let mut total = vec![0.0; c_out];
                dy.chunks_exact(c_out).for_each(|row| add(&mut total, row));
                add(grads.get_or_alloc_mut(&bias)?, &total);
            }
            let upstream = Upstream { dy: &dy, norm: None };
            conv.backward(&x, &Buffer::read(&weight), upstream, grads.get_or_alloc_mut(&weight)?);
            Ok(())
        });
    }
    Ok(y)
}
