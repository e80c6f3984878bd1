//! Parameters of windows, convolutions, pools and units.

use crate::OpError;

/// A sliding window over height and width. Each pair is `[vertical, horizontal]`, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Number of taps (weights along the axis), at least 1.
    pub kernel: [usize; 2],
    /// Distance between the windows of neighbouring outputs, in input pixels, at least 1.
    pub stride: [usize; 2],
    /// Pixels added on each side: zeros for a convolution, ignored by a pool.
    pub padding: [usize; 2],
    /// Distance between neighbouring taps, in input pixels, at least 1.
    pub dilation: [usize; 2],
}

impl Window {
    /// A square window with `padding = dilation * (kernel - 1) / 2`, which keeps the size of an image at stride 1 if
    /// `kernel` is odd.
    pub fn same(kernel: usize, stride: usize, dilation: usize) -> Self {
        let padding = dilation.saturating_mul(kernel.saturating_sub(1)) / 2;
        Self { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2], dilation: [dilation; 2] }
    }

    /// A square window without padding or dilation.
    pub fn valid(kernel: usize, stride: usize) -> Self {
        Self { kernel: [kernel; 2], stride: [stride; 2], padding: [0; 2], dilation: [1; 2] }
    }

    /// Output size for an image of `size`: `floor((size + 2 p - d (k - 1) - 1) / s) + 1` in each direction.
    ///
    /// # Errors
    /// A kernel, stride or dilation of 0, or an image smaller than the window.
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

/// A convolution without bias. Input and output channels are divided into `groups`, which are convolved independently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvSpec {
    /// Kernel size, stride, padding and dilation.
    pub window: Window,
    /// Number of groups: 1 for a dense convolution, `c_in` for a depthwise one.
    pub groups: usize,
}

/// The function that a pool applies to the pixels under its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PoolKind {
    /// The maximum. Of equal pixels, the first in row-major order receives the gradient.
    Max,
    /// The mean of the pixels inside the image; padding is not counted.
    Average,
}

/// A pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolSpec {
    /// Maximum or average.
    pub kind: PoolKind,
    /// Kernel size, stride, padding and dilation.
    pub window: Window,
}

/// The fused unit `norm(conv(relu(x)))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UnitSpec {
    /// Whether a ReLU precedes the convolution.
    pub relu: bool,
    /// Window and groups of the convolution.
    pub conv: ConvSpec,
}
