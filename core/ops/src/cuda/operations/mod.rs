//! The operations of a GPU, one file each, with their backward passes.

mod combine;
mod conv;
mod cross_entropy;
mod map;
mod norm;
mod pool;

pub use combine::{concat, sum};
pub use conv::{conv2d, linear, unit};
pub use cross_entropy::cross_entropy;
pub use map::{rectify, scale_images};
pub use norm::batch_norm;
pub use pool::{global_avg_pool, odd_pixels, pool2d};
