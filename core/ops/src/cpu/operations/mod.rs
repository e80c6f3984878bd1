//! The operations of the CPU on activations, with their backward passes.

mod batch_norm;
mod combine;
mod conv2d;
mod fused_depthwise;
mod linear;
mod mean;
mod odd_pixels;
mod pool;
mod relu;
mod scale_images;
mod unit;

pub use batch_norm::batch_norm;
pub use combine::{concat, sum};
pub use conv2d::conv2d;
pub use linear::linear;
pub use mean::global_avg_pool;
pub use odd_pixels::odd_pixels;
pub use pool::pool2d;
pub use relu::{relu, relu6};
pub use scale_images::scale_images;
pub use unit::unit;
