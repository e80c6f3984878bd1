//! A matrix of weights, or of their gradient, in panels of some registers.

use super::{
    buffer::Buffer,
    simd::{LANES, has_wide_registers},
};
use std::ops::Range;

/// One register in memory.
pub type F32x8 = [f32; LANES];

/// The most registers per row of a panel for kernels that multiply an input with all of them. Where they hold sixteen
/// numbers each, loading two inputs for two products would take as long as the products.
pub fn max_panel_vectors() -> usize {
    if has_wide_registers() { 4 } else { 2 }
}

/// How a matrix of `rows` and `columns` lies in memory: panel after panel, each row after row.
#[derive(Debug, Clone, Copy)]
pub struct PanelLayout {
    /// Rows of the matrix.
    pub rows: usize,
    /// Columns of the matrix.
    pub columns: usize,
    /// Most registers per row of a panel: 1, 2 or 4. The last panels have fewer if that is enough.
    pub max_vectors: usize,
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

impl PanelLayout {
    /// The panels from left to right.
    pub fn panels(self) -> impl Iterator<Item = Panel> {
        let panel = move |first: usize| {
            let left = self.columns.checked_sub(first).filter(|left| *left > 0)?;
            let vectors = [4, 2].into_iter().find(|vectors| *vectors <= left.div_ceil(LANES).min(self.max_vectors));
            let vectors = vectors.unwrap_or(1);
            Some(Panel { first, count: left.min(vectors * LANES), vectors, start: first / LANES * self.rows })
        };
        std::iter::successors(panel(0), move |last| panel(last.first + last.vectors * LANES))
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
pub struct PackedMatrix {
    /// The layout.
    pub layout: PanelLayout,
    /// Its numbers.
    pub memory: Buffer,
    /// What is added to every product with a column, whole registers.
    pub start: Vec<F32x8>,
}

impl PackedMatrix {
    /// The matrix whose rows `write(row, columns, numbers)` writes; what it leaves is zero.
    pub fn new(layout: PanelLayout, write: impl Fn(usize, Range<usize>, &mut [f32])) -> Self {
        let mut memory = Buffer::zeroed(layout.len());
        layout.for_each_row(|index, row, columns| {
            let len = columns.len();
            write(row, columns, &mut memory[index..index + len]);
        });
        Self::from_memory(layout, memory)
    }

    /// The matrix with these numbers.
    pub fn from_memory(layout: PanelLayout, memory: Buffer) -> Self {
        Self { layout, memory, start: vec![[0.0; LANES]; layout.columns.div_ceil(LANES)] }
    }

    /// The same with a number for each column that is added to every product.
    pub fn with_start(mut self, start: &[f32]) -> Self {
        self.start.as_flattened_mut()[..start.len()].copy_from_slice(start);
        self
    }

    /// Multiplies every column with its factor.
    pub fn scale(&mut self, factors: &[f32]) {
        let Self { layout, memory, .. } = self;
        layout.for_each_row(|index, _, columns| {
            let row = &mut memory[index..index + columns.len()];
            row.iter_mut().zip(&factors[columns]).for_each(|(number, factor)| *number *= factor);
        });
    }

    /// The rows of a panel.
    #[inline(always)]
    pub fn rows(&self, panel: &Panel) -> &[F32x8] {
        &self.memory.as_chunks().0[panel.start..][..self.layout.rows * panel.vectors]
    }
}
