//! The cell of an LSTM, composed of dfdx operations.

use dfdx::prelude::*;

/// A matrix on the CPU whose size is known at run time; vectors are `[1, n]`.
pub(super) type Matrix<T = NoneTape> = Tensor<(usize, usize), f32, Cpu, T>;

/// The state of the LSTM between two decisions; both vectors are `[1, hidden]`.
pub(super) struct LstmState<T> {
    /// Output of the previous step.
    pub(super) h: Matrix<T>,
    /// Cell state.
    pub(super) c: Matrix<T>,
}

/// The weights of an LSTM cell whose inputs are as wide as its output.
pub(super) struct LstmCell<'a> {
    /// Weights of the input, `[hidden, 4 hidden]`.
    pub(super) input: &'a Matrix,
    /// Weights of the previous output, `[hidden, 4 hidden]`.
    pub(super) recurrent: &'a Matrix,
    /// Bias, `[1, 4 hidden]`.
    pub(super) bias: &'a Matrix,
}

impl LstmCell<'_> {
    /// Runs one step. The four gates are side by side in the order i, f, g, o, as in `torch.nn.LSTMCell`:
    ///
    /// ```text
    /// [i f g o] = x W + h U + b
    /// c' = sigmoid(f) c + sigmoid(i) tanh(g)
    /// h' = sigmoid(o) tanh(c')
    /// ```
    ///
    /// The first result `h` holds the tape of all operations so far. The state for the next step has an empty tape;
    /// both tapes merge where the log-probabilities are summed.
    pub(super) fn step<T: Tape<f32, Cpu>>(
        &self,
        x: Matrix<T>,
        state: LstmState<T>,
    ) -> Result<(Matrix<T>, LstmState<T>), CpuError> {
        let hidden = x.shape().1;
        let from_input = x.try_matmul(self.input.clone())?;
        let from_state = state.h.try_matmul(self.recurrent.clone())?;
        let gates = from_input.try_add(from_state)?.try_add(self.bias.clone())?;
        let gate = |k: usize| gates.retaped::<T>().try_slice((.., k * hidden..(k + 1) * hidden));

        let written = gate(0)?.try_sigmoid()?.try_mul(gate(2)?.try_tanh()?)?;
        let kept = gate(1)?.try_sigmoid()?.try_mul(state.c)?;
        let open = gates.try_slice((.., 3 * hidden..4 * hidden))?.try_sigmoid()?;
        let c = kept.try_add(written)?;
        let next_c = c.retaped::<T>();
        let h = open.try_mul(c.try_tanh()?)?;
        let next_h = h.retaped::<T>();
        Ok((h, LstmState { h: next_h, c: next_c }))
    }
}
