//! The devices of dfdx.

use crate::Tensor4;
use dfdx::shapes::{HasShape, Shape};
use dfdx::tensor::{Cache, Synchronize};

/// A device with all dfdx operations on `f32`. The [reference operations](mod@crate::reference) need nothing else.
pub trait Device: dfdx::tensor_ops::Device<f32> + Cache + Synchronize {}

impl<D: dfdx::tensor_ops::Device<f32> + Cache + Synchronize> Device for D {}

/// Copies a contiguous tensor to the host, in row-major order.
pub fn to_host<D: Device>(x: &Tensor4<D>) -> Vec<f32> {
    let mut host = vec![0.0; x.shape().num_elements()];
    x.copy_into(&mut host);
    host
}
