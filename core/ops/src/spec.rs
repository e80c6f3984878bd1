//! Windows, convolutions and pools described as data.

use crate::OpError;

/// A sliding window over height and width; each pair is `[vertical, horizontal]`, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Extent of the window.
    pub kernel: [usize; 2],
    /// Distance of neighbouring outputs.
    pub stride: [usize; 2],
    /// Zeros (or, in a pool, nothing) added on each side.
    pub padding: [usize; 2],
    /// Distance of neighbouring taps within the window.
    pub dilation: [usize; 2],
}

impl Window {
    /// A square window whose padding keeps the size at stride 1 (odd kernels): `padding = dilation * (k - 1) / 2`.
    pub fn same(kernel: usize, stride: usize, dilation: usize) -> Self {
        let padding = dilation.saturating_mul(kernel.saturating_sub(1)) / 2;
        Self { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2], dilation: [dilation; 2] }
    }

    /// A square window without padding or dilation.
    pub fn valid(kernel: usize, stride: usize) -> Self {
        Self { kernel: [kernel; 2], stride: [stride; 2], padding: [0; 2], dilation: [1; 2] }
    }

    /// Output size `floor((in + 2 p - d (k - 1) - 1) / s) + 1` in each direction.
    ///
    /// # Errors
    /// A zero in kernel, stride or dilation, or an image smaller than the window.
    pub fn output(&self, size: [usize; 2]) -> Result<[usize; 2], OpError> {
        let mut out = [0; 2];
        for i in 0..2 {
            let (k, s, p, d) = (self.kernel[i], self.stride[i], self.padding[i], self.dilation[i]);
            let found = |expected: &str| OpError::Shape {
                op: "window",
                expected: expected.into(),
                found: format!("{self:?} on an image of {} x {}", size[0], size[1]),
            };
            if k == 0 || s == 0 || d == 0 {
                return Err(found("kernel, stride and dilation of at least 1"));
            }
            let span = (k - 1).checked_mul(d).and_then(|reach| reach.checked_add(1));
            let padded = p.checked_mul(2).and_then(|both| both.checked_add(size[i]));
            let (Some(span), Some(padded)) = (span, padded) else {
                return Err(found("a window and padding that fit into memory"));
            };
            out[i] = padded.checked_sub(span).ok_or_else(|| found("an image at least as large as the window"))? / s + 1;
        }
        Ok(out)
    }
}

/// A convolution: `c_in` input channels in `groups` groups, each with its own `c_out / groups` outputs. No bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvSpec {
    /// Where the taps lie.
    pub window: Window,
    /// 1 for a dense convolution, `c_in` for a depthwise one.
    pub groups: usize,
}

/// What a pool computes from the pixels under its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PoolKind {
    /// The largest; ties go to the first in row-major order.
    Max,
    /// The mean of those inside the image: padding is not counted.
    Average,
}

/// A pool of one kind over one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolSpec {
    /// Maximum or average.
    pub kind: PoolKind,
    /// Where the taps lie.
    pub window: Window,
}

/// The fused unit `norm(conv(relu(x)))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UnitSpec {
    /// Whether the input passes a ReLU first.
    pub relu: bool,
    /// The convolution.
    pub conv: ConvSpec,
}
