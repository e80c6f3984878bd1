//! Plain implementations of all operations, composed of dfdx operations, for every device.
//!
//! They define the result of each operation, and are slow. After an error the tape is empty.

mod combine;
mod conv;
mod cross_entropy;
mod gram;
mod norm;
mod odd_pixels;
mod pool;
mod relu;
mod scale_images;
mod sgd;

pub use combine::{concat, global_avg_pool, linear, sum};
pub use conv::{conv2d, patches};
pub use cross_entropy::cross_entropy;
pub use gram::gram_matrices;
pub use norm::{batch_norm, unit};
pub use odd_pixels::odd_pixels;
pub use pool::pool2d;
pub use relu::{relu, relu6};
pub use scale_images::scale_images;
pub use sgd::{add_to, sgd, sum_of_squares};

use crate::{Device, OpError};
use dfdx::prelude::*;

/// The result of a composition of dfdx operations: a tensor that carries the tape.
type Traced<S, D, T> = Result<Tensor<S, f32, D, T>, <D as HasErr>::Err>;

/// Calls `compose` with `x` carrying the tape, and moves the tape back afterwards.
pub(crate) fn taped<S: Shape, O: Shape, D: Device, T: Tape<f32, D>>(
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

/// A copy with a new tensor id, because dfdx operations do not accept the same tensor twice.
fn renamed<S: Shape, D: Device, T: Tape<f32, D>>(x: Tensor<S, f32, D, T>) -> Traced<S, D, T> {
    x.try_mul(1.0)
}
