//! Frames: copies of an image with a border of zeros, so that no window reaches outside the memory.

use super::{
    buffer::Buffer,
    simd::{LANES, whole_lanes},
};
use crate::shape::ConvShape;

/// The position of an image in its frame.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// Rows above and columns left of the image.
    pub before: [usize; 2],
    /// Rows and columns of the frame.
    pub size: [usize; 2],
    /// Elements per pixel. The last may be padding, which is zero.
    pub channels: usize,
    /// Whether there is no such padding.
    has_no_padding_channels: bool,
}

impl Frame {
    /// The frame of an input, large enough for every window.
    pub fn of_input(shape: &ConvShape, channels: usize) -> Self {
        let ConvShape { size, out, window, .. } = shape;
        let reach = |axis: usize| {
            let last = (out[axis] - 1) * window.stride[axis] + (window.kernel[axis] - 1) * window.dilation[axis];
            (last + 1).max(window.padding[axis] + size[axis])
        };
        Self { before: window.padding, size: [reach(0), reach(1)], channels, has_no_padding_channels: true }
    }

    /// The frame of an output's gradient, large enough for every output that an input pixel and a tap lead to.
    pub fn of_output(shape: &ConvShape, channels: usize) -> Self {
        let border = |axis: usize| {
            let (stride, dilation) = (shape.window.stride[axis], shape.window.dilation[axis]);
            let (mut before, mut after) = (0, 0);
            for position in (0..shape.size[axis]).map(|pixel| pixel + shape.window.padding[axis]) {
                for reach in (0..shape.window.kernel[axis]).map(|tap| tap * dilation) {
                    if position % stride == reach % stride {
                        before = before.max((reach / stride).saturating_sub(position / stride));
                        let output = (position / stride).saturating_sub(reach / stride);
                        after = after.max((output + 1).saturating_sub(shape.out[axis]));
                    }
                }
            }
            (before, before + shape.out[axis] + after)
        };
        let (rows, columns) = (border(0), border(1));
        Self {
            before: [rows.0, columns.0],
            size: [rows.1, columns.1],
            channels: whole_lanes(channels),
            has_no_padding_channels: channels.is_multiple_of(LANES),
        }
    }

    /// The same frame with at least `room` rows and columns from `start` on.
    pub fn with_min_size(self, start: [usize; 2], room: [usize; 2]) -> Self {
        let size = [0, 1].map(|axis| self.size[axis].max(start[axis] + room[axis]));
        Self { size, ..self }
    }

    /// Memory for the frame of an image of `size`: zeros around the image, arbitrary values in its place.
    pub fn empty(&self, size: [usize; 2]) -> Buffer {
        let len = self.size[0] * self.size[1] * self.channels;
        if self.has_no_border(size) && self.has_no_padding_channels {
            Buffer::uninitialised(len)
        } else {
            Buffer::zeroed(len)
        }
    }

    /// Whether an image of `size` fills the frame, without a border.
    pub fn has_no_border(&self, size: [usize; 2]) -> bool {
        self.size == size
    }

    /// Rows and columns of an image of `size`, as one row of all pixels if the frame has no border.
    pub fn rows(&self, size: [usize; 2]) -> [usize; 2] {
        if self.has_no_border(size) { [1, size[0] * size[1]] } else { size }
    }

    /// Offset of a pixel of the frame, in elements.
    #[inline(always)]
    pub fn offset(&self, row: usize, column: usize) -> usize {
        (row * self.size[1] + column) * self.channels
    }

    /// Offsets of the pixels of the image, in row-major order.
    pub fn pixels(&self, size: [usize; 2]) -> Vec<usize> {
        let at = |i: usize| self.offset(self.before[0] + i / size[1], self.before[1] + i % size[1]);
        (0..size[0] * size[1]).map(at).collect()
    }

    /// The pixels of one row of an image of `width` pixels per row.
    #[inline(always)]
    pub fn row<'a>(&self, frame: &'a mut [f32], row: usize, width: usize) -> &'a mut [f32] {
        let start = self.offset(self.before[0] + row, self.before[1]);
        &mut frame[start..start + width * self.channels]
    }
}
