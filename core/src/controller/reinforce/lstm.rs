//! A cell of long short-term memory, composed of dfdx tape operations.

use dfdx::prelude::*;

/// A matrix of runtime size on the CPU; vectors are `[1, n]`.
pub(super) type Matrix<T = NoneTape> = Tensor<(usize, usize), f32, Cpu, T>;

/// What the cell carries from one decision to the next, both `[1, hidden]`.
pub(super) struct Memory<T> {
    /// Output of the last step.
    pub(super) h: Matrix<T>,
    /// Content of the cell.
    pub(super) c: Matrix<T>,
}

/// The weights of a cell that reads vectors of its own width.
pub(super) struct Cell<'a> {
    /// Of the input, `[hidden, 4 hidden]`.
    pub(super) input: &'a Matrix,
    /// Of the last output, `[hidden, 4 hidden]`.
    pub(super) recurrent: &'a Matrix,
    /// `[1, 4 hidden]`.
    pub(super) bias: &'a Matrix,
}

impl Cell<'_> {
    /// One step, with the four gates side by side in the order i, f, g, o (as `torch.nn.LSTMCell` has them):
    ///
    /// ```text
    /// [i f g o] = x W + h U + b
    /// c' = sigmoid(f) c + sigmoid(i) tanh(g)
    /// h' = sigmoid(o) tanh(c')
    /// ```
    ///
    /// The tape of everything up to here is on the `h` that it returns first; the memory for the next step has an
    /// empty one, so that the two merge where the log-probabilities are summed.
    pub(super) fn step<T: Tape<f32, Cpu>>(
        &self,
        x: Matrix<T>,
        memory: Memory<T>,
    ) -> Result<(Matrix<T>, Memory<T>), CpuError> {
        let hidden = x.shape().1;
        let from_input = x.try_matmul(self.input.clone())?;
        let from_memory = memory.h.try_matmul(self.recurrent.clone())?;
        let gates = from_input.try_add(from_memory)?.try_add(self.bias.clone())?;
        let gate = |k: usize| gates.retaped::<T>().try_slice((.., k * hidden..(k + 1) * hidden));

        let written = gate(0)?.try_sigmoid()?.try_mul(gate(2)?.try_tanh()?)?;
        let kept = gate(1)?.try_sigmoid()?.try_mul(memory.c)?;
        let open = gates.try_slice((.., 3 * hidden..4 * hidden))?.try_sigmoid()?;
        let c = kept.try_add(written)?;
        let next_c = c.retaped::<T>();
        let h = open.try_mul(c.try_tanh()?)?;
        let next_h = h.retaped::<T>();
        Ok((h, Memory { h: next_h, c: next_c }))
    }
}
