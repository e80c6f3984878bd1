//! How the weights of a convolution, and their gradient, are packed for kernels.

use super::Conv;
use crate::cpu::{
    correlation::Correlation,
    elementwise::add_assign,
    packed::{PackedMatrix, PanelLayout, max_panel_vectors},
    winograd,
};

impl Conv {
    /// The layout of a part's weights. Rows are `(tap, input)` and columns outputs; if depthwise, taps and channels.
    fn layout(&self, part: usize) -> PanelLayout {
        let inputs = if self.depthwise { 1 } else { self.inputs };
        PanelLayout {
            rows: self.forward.taps.len() * inputs,
            columns: self.channels(part),
            max_vectors: if self.depthwise { 1 } else { max_panel_vectors() },
        }
    }

    /// The layout in which the gradient of a part's weights is accumulated.
    pub fn gradient_layout(&self, part: usize) -> PanelLayout {
        if self.tilings.is_some() { winograd::transformed(self.layout(part)) } else { self.layout(part) }
    }

    /// Output channels of a part. Only the last part of a depthwise convolution can have fewer than the others.
    pub fn channels(&self, part: usize) -> usize {
        self.outputs.min(self.shape.c_out - part * self.outputs)
    }

    /// Index in the weights of a row and column of a part's layout.
    fn index(&self, part: usize, row: usize, column: usize) -> usize {
        row * self.shape.c_out + part * self.outputs + column
    }

    /// The weights of each part for the forward pass.
    pub fn pack_all(&self, weight: &[f32]) -> Vec<PackedMatrix> {
        (0..self.parts).map(|part| self.pack(weight, part)).collect()
    }

    fn pack(&self, weight: &[f32], part: usize) -> PackedMatrix {
        self.transformed(PackedMatrix::new(self.layout(part), |row, columns, out| {
            out.copy_from_slice(&weight[self.index(part, row, columns.start)..][..columns.len()]);
        }))
    }

    /// The weights as kernels read them: transformed, if Winograd's algorithm computes the convolution.
    fn transformed(&self, taps: PackedMatrix) -> PackedMatrix {
        if self.tilings.is_some() { winograd::transform(&taps) } else { taps }
    }

    /// For each part, the weights of each plan for the gradient of the input.
    pub fn pack_all_transposed(&self, weight: &[f32], plans: &[Correlation]) -> Vec<Vec<PackedMatrix>> {
        let part = |part| plans.iter().map(|plan| self.pack_transposed(weight, part, plan)).collect();
        (0..self.parts).map(part).collect()
    }

    /// Weights for the gradient of the input: rows are `(tap, output)` and columns inputs.
    fn pack_transposed(&self, weight: &[f32], part: usize, plan: &Correlation) -> PackedMatrix {
        let kernel = self.shape.window.kernel;
        let tap = |i: usize| plan.taps[i][0] * kernel[1] + plan.taps[i][1];
        if self.depthwise {
            let layout = PanelLayout { rows: plan.taps.len(), columns: self.channels(part), max_vectors: 1 };
            return PackedMatrix::new(layout, |row, columns, out| {
                out.copy_from_slice(&weight[self.index(part, tap(row), columns.start)..][..columns.len()]);
            });
        }
        let outputs = self.dz_frame.channels;
        let layout =
            PanelLayout { rows: plan.taps.len() * outputs, columns: self.inputs, max_vectors: max_panel_vectors() };
        self.transformed(PackedMatrix::new(layout, |row, columns, out| {
            let output = row % outputs;
            // Rows of the frame's padding channels stay zero.
            if output < self.outputs {
                let first = tap(row / outputs) * self.inputs;
                let value = |column| weight[self.index(part, first + column, output)];
                out.iter_mut().zip(columns).for_each(|(out, column)| *out = value(column));
            }
        }))
    }

    /// Adds the packed gradient of all parts to `dw`.
    pub(super) fn unpack_gradient(&self, packed: &[f32], dw: &mut [f32]) {
        for (part, packed) in packed.chunks_exact(self.gradient_layout(0).len()).enumerate() {
            let taps = self.tilings.as_ref().map(|_| winograd::gradient(packed, self.layout(part)));
            let packed = taps.as_deref().unwrap_or(packed);
            self.layout(part).for_each_row(|index, row, columns| {
                let at = self.index(part, row, columns.start);
                add_assign(&mut dw[at..at + columns.len()], &packed[index..index + columns.len()]);
            });
        }
    }
}
