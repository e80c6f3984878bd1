//! Sums over the pixels of a batch, for each channel; see `sum_over_pixels` in `common.cu`.

use super::{
    args::Statistics,
    memory::Buffer,
    runtime::{Runtime, blocks},
};
use cudarc::driver::{DeviceRepr, DriverError};

/// Channels and pixels of a block; `TILE_CHANNELS` and `TILE_ROWS` of the kernels.
pub const TILE: (u32, u32) = (32, 8);
/// Pixels that one block adds, at least.
const PIXELS_PER_CHUNK: usize = 256;
/// Most chunks of pixels.
const MAX_CHUNKS: usize = 512;

/// The grid of a kernel that sums over pixels, and its intermediate results.
pub struct Reduction {
    runtime: &'static Runtime,
    partial: Buffer,
    grid: (u32, u32, u32),
    pixels: usize,
    channels: usize,
}

impl Reduction {
    /// Prepares `repeats` reductions over `pixels` pixels, each with `values` sums per channel.
    ///
    /// # Errors
    /// Not enough memory.
    pub fn new(
        runtime: &'static Runtime,
        pixels: usize,
        channels: usize,
        values: usize,
        repeats: usize,
    ) -> Result<Self, DriverError> {
        let chunks = (pixels / PIXELS_PER_CHUNK).clamp(1, MAX_CHUNKS);
        let partial = Buffer::of_doubles(runtime, repeats * chunks * channels * values)?;
        let grid = (blocks(channels, TILE.0 as usize), chunks as u32, repeats as u32);
        Ok(Self { runtime, partial, grid, pixels, channels })
    }

    /// The address of the intermediate results.
    pub fn partial(&self) -> u64 {
        self.partial.address()
    }

    /// The statistics `like` these, with the pixels, channels and intermediate results of this sum.
    pub fn statistics(&self, like: Statistics) -> Statistics {
        Statistics {
            partial: self.partial(),
            counters: self.runtime.counters(),
            pixels: self.pixels as i32,
            channels: self.channels as i32,
            ..like
        }
    }

    /// Launches the kernel.
    ///
    /// # Errors
    /// The device refuses the launch.
    pub fn launch<A: DeviceRepr>(&self, kernel: &'static str, args: A) -> Result<(), DriverError> {
        self.runtime.launch(kernel, self.grid, TILE, args)
    }
}
