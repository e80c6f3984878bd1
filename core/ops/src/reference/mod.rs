//! Plain implementations, composed of dfdx operations, for every device.
//!
//! They say what each operation means and are slow. After an error the tape is empty.

mod combine;
mod conv;
mod norm;
mod pool;
mod relu;
mod sgd;

pub use combine::{concat, global_avg_pool, linear, sum};
pub use conv::{conv2d, patches};
pub use norm::{batch_norm, unit};
pub use pool::pool2d;
pub use relu::relu;
pub use sgd::{add_to, sgd, sum_of_squares};

use crate::{Backend, OpError};
use dfdx::prelude::*;

/// What a composition of dfdx operations gives: a tensor with the tape on it.
type Traced<S, D, T> = Result<Tensor<S, f32, D, T>, <D as HasErr>::Err>;

/// Lets `compose` work on `x` with the tape on it, and takes the tape back afterwards.
pub(crate) fn taped<S: Shape, O: Shape, D: Backend, T: Tape<f32, D>>(
    op: &'static str,
    x: &Tensor<S, f32, D>,
    tape: &mut T,
    compose: impl FnOnce(Tensor<S, f32, D, T>) -> Traced<O, D, T>,
) -> Result<Tensor<O, f32, D>, OpError> {
    let traced = x.clone().put_tape(std::mem::take(tape));
    let (y, filled) = compose(traced).map_err(OpError::device(op))?.split_tape();
    *tape = filled;
    Ok(y)
}

/// The same values under an identity of their own, because dfdx refuses a tensor that meets itself in one operation.
fn renamed<S: Shape, D: Backend, T: Tape<f32, D>>(x: Tensor<S, f32, D, T>) -> Traced<S, D, T> {
    x.try_mul(1.0)
}
