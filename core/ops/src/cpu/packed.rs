//! A matrix of weights, or of their gradient, in panels of one or two registers.

use super::{buffer::Buffer, simd::LANES};
use std::ops::Range;

/// One register in memory.
pub type Eight = [f32; LANES];

/// How a matrix of `rows` and `columns` lies in memory: panel after panel, each row after row.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Rows of the matrix.
    pub rows: usize,
    /// Columns of the matrix.
    pub columns: usize,
    /// Registers per row of a panel, 1 or 2. The last panel has one if that is enough.
    pub widest: usize,
}

/// Some columns of the matrix.
#[derive(Debug, Clone, Copy)]
pub struct Panel {
    /// The first column.
    pub first: usize,
    /// Columns of the matrix; fewer than lanes in the last panel.
    pub count: usize,
    /// Registers per row.
    pub vectors: usize,
    /// Where it starts, in registers.
    pub start: usize,
}

impl Layout {
    /// The panels from left to right.
    pub fn panels(self) -> impl Iterator<Item = Panel> {
        (0..self.columns).step_by(self.widest * LANES).map(move |first| {
            let left = self.columns - first;
            let vectors = left.div_ceil(LANES).min(self.widest);
            Panel { first, count: left.min(vectors * LANES), vectors, start: first / LANES * self.rows }
        })
    }

    /// Numbers in memory.
    pub fn len(self) -> usize {
        self.columns.next_multiple_of(LANES) * self.rows
    }

    /// Calls `visit(index in memory, row, columns)` for every row of every panel.
    pub fn for_each_row(self, mut visit: impl FnMut(usize, usize, Range<usize>)) {
        for panel in self.panels() {
            for row in 0..self.rows {
                let index = (panel.start + row * panel.vectors) * LANES;
                visit(index, row, panel.first..panel.first + panel.count);
            }
        }
    }
}

/// A matrix in that layout.
pub struct Packed {
    /// The layout.
    pub layout: Layout,
    /// Its numbers.
    pub memory: Buffer,
}

impl Packed {
    /// The matrix whose rows `write(row, columns, numbers)` writes; what it leaves is zero.
    pub fn new(layout: Layout, write: impl Fn(usize, Range<usize>, &mut [f32])) -> Self {
        let mut memory = Buffer::zeroed(layout.len());
        layout.for_each_row(|index, row, columns| {
            let len = columns.len();
            write(row, columns, &mut memory[index..index + len]);
        });
        Self { layout, memory }
    }

    /// The rows of a panel.
    #[inline(always)]
    pub fn rows(&self, panel: &Panel) -> &[Eight] {
        &self.memory.as_chunks().0[panel.start..][..self.layout.rows * panel.vectors]
    }
}
