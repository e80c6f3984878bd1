//! Copies of one image with zeros around it, in which no window leaves the memory.

use super::{
    buffer::Buffer,
    simd::{LANES, whole_lanes},
};
use crate::shape::ConvShape;

/// Where an image lies within its frame.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// Rows above and columns left of the image.
    pub before: [usize; 2],
    /// All rows and columns.
    pub size: [usize; 2],
    /// Numbers per pixel, of which the last may be zeros.
    pub channels: usize,
    /// Whether there are no such zeros.
    full: bool,
}

impl Frame {
    /// Around the input, with room for every window.
    pub fn of_input(shape: &ConvShape, channels: usize) -> Self {
        let ConvShape { size, out, window, .. } = shape;
        let reach = |axis: usize| {
            let last = (out[axis] - 1) * window.stride[axis] + (window.kernel[axis] - 1) * window.dilation[axis];
            (last + 1).max(window.padding[axis] + size[axis])
        };
        Self { before: window.padding, size: [reach(0), reach(1)], channels, full: true }
    }

    /// Around the gradient of the output, with room for every output that an input pixel and a tap belong to.
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
            full: channels.is_multiple_of(LANES),
        }
    }

    /// The frame with at least so many rows and columns from `start` on.
    pub fn with_min_size(self, start: [usize; 2], room: [usize; 2]) -> Self {
        let size = [0, 1].map(|axis| self.size[axis].max(start[axis] + room[axis]));
        Self { size, ..self }
    }

    /// A frame without an image of `size` in it: anything where the image will be, zeros around it.
    pub fn empty(&self, size: [usize; 2]) -> Buffer {
        let len = self.size[0] * self.size[1] * self.channels;
        if self.fits(size) && self.full { Buffer::uninitialised(len) } else { Buffer::zeroed(len) }
    }

    /// Whether nothing is around an image of `size`.
    pub fn fits(&self, size: [usize; 2]) -> bool {
        self.size == size
    }

    /// Rows of an image of `size` and their width; one row if nothing lies between them.
    pub fn rows(&self, size: [usize; 2]) -> [usize; 2] {
        if self.fits(size) { [1, size[0] * size[1]] } else { size }
    }

    /// Offset of a pixel of the frame.
    #[inline(always)]
    pub fn offset(&self, row: usize, column: usize) -> usize {
        (row * self.size[1] + column) * self.channels
    }

    /// Offsets of the pixels of the image, in row-major order.
    pub fn pixels(&self, size: [usize; 2]) -> Vec<usize> {
        let at = |i: usize| self.offset(self.before[0] + i / size[1], self.before[1] + i % size[1]);
        (0..size[0] * size[1]).map(at).collect()
    }

    /// The part of a frame from the first pixel of the image's row to the last.
    #[inline(always)]
    pub fn row<'a>(&self, frame: &'a mut [f32], row: usize, width: usize) -> &'a mut [f32] {
        let start = self.offset(self.before[0] + row, self.before[1]);
        &mut frame[start..start + width * self.channels]
    }
}
