//! Matrices of weights, or of their gradients, in the order in which kernels read them.
//!
//! A matrix is cut into panels of 8, 16 or 32 columns (1, 2 or 4 registers). Panels lie one after the other, each row
//! by row.

use super::{
    buffer::Buffer,
    simd::{LANES, has_wide_registers},
};
use std::ops::Range;

/// The content of one register in memory.
pub type F32x8 = [f32; LANES];

/// Largest number of registers per row of a panel, for kernels that multiply an input with a whole row. It is four
/// where registers hold sixteen elements: with two, loading the inputs would take as long as multiplying them.
pub fn max_panel_vectors() -> usize {
    if has_wide_registers() { 4 } else { 2 }
}

/// The layout of a packed matrix.
#[derive(Debug, Clone, Copy)]
pub struct PanelLayout {
    /// Rows of the matrix.
    pub rows: usize,
    /// Columns of the matrix.
    pub columns: usize,
    /// Largest number of registers per row of a panel: 1, 2 or 4. The last panels have fewer where fewer suffice.
    pub max_vectors: usize,
}

/// A range of columns, which are contiguous in memory.
#[derive(Debug, Clone, Copy)]
pub struct Panel {
    /// First column.
    pub first: usize,
    /// Number of columns. In the last panel it may be less than the elements of a row.
    pub count: usize,
    /// Registers per row.
    pub vectors: usize,
    /// Start in memory, in registers.
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

    /// Number of elements in memory.
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

/// A matrix of weights in a [`PanelLayout`].
pub struct PackedMatrix {
    /// Order of the elements in `memory`.
    pub layout: PanelLayout,
    /// The elements; those of unused columns are zero.
    pub memory: Buffer,
    /// Added to each product with a column; whole registers.
    pub bias: Vec<F32x8>,
}

impl PackedMatrix {
    /// A matrix whose rows `write(row, columns, elements)` fills. Elements that it does not write are zero.
    pub fn new(layout: PanelLayout, write: impl Fn(usize, Range<usize>, &mut [f32])) -> Self {
        let mut memory = Buffer::zeroed(layout.len());
        layout.for_each_row(|index, row, columns| {
            let len = columns.len();
            write(row, columns, &mut memory[index..index + len]);
        });
        Self::from_memory(layout, memory)
    }

    /// A matrix with these elements in memory.
    pub fn from_memory(layout: PanelLayout, memory: Buffer) -> Self {
        Self { layout, memory, bias: vec![[0.0; LANES]; layout.columns.div_ceil(LANES)] }
    }

    /// The same matrix with a value per column that is added to each product.
    pub fn with_bias(mut self, bias: &[f32]) -> Self {
        self.bias.as_flattened_mut()[..bias.len()].copy_from_slice(bias);
        self
    }

    /// Multiplies each column by its factor.
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
