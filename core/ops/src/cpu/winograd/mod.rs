//! Winograd's algorithm for 3 x 3 windows at stride 1: tiles of 2 x 2 outputs take 16 multiplications instead of 36.
//!
//! F(2 x 2, 3 x 3) of Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks* (CVPR 2016): the outputs of a
//! tile are `A^T [(G g G^T) . (B^T d B)] A`, where `g` are the nine taps, `d` the 4 x 4 inputs and `.` multiplies
//! element by element:
//!
//! ```text
//! B^T = 1  0 -1  0     G = 1    0    0      A^T = 1  1  1  0
//!       0  1  1  0         1/2  1/2  1/2          0  1 -1 -1
//!       0 -1  1  0         1/2 -1/2  1/2
//!       0  1  0 -1         0    0    1
//! ```
//!
//! A transformed tile has sixteen points. Summed over the input channels, each point is a matrix product (tiles times
//! channels, channels times outputs), computed by the loops of [`dense`](super::dense). The outputs are linear in `g`,
//! so the gradient of `g` is `G^T [(A dz A^T) . (B^T d B)] G`, summed over tiles at each point.

mod outputs;
mod points;
mod products;
mod weights;

pub use points::TransformedTiles;
pub use weights::{gradient, transform, transformed};

use super::{
    buffer::Buffer,
    frame::Frame,
    packed::{F32x8, PackedMatrix, PanelLayout, max_panel_vectors},
    simd::{LANES, dispatch},
    store::Store,
};
use crate::shape::ConvShape;
use outputs::OutputTransform;
use points::{GradientTransform, InputTransform};
use products::{AddGradientProducts, MultiplyWeights};
use std::ops::Range;

/// Points of a transformed tile.
const POINTS: usize = 16;

/// Tiles per group, which are transformed and multiplied together: few enough to stay in the cache.
const TILES: usize = 16;

/// Minimum number of channels: below one register of channels, transforms cost more than they save.
const MIN_CHANNELS: usize = 8;

/// Whether this algorithm can compute a convolution with this many channels per group, and is faster.
pub fn suits(shape: &ConvShape, inputs: usize, outputs: usize) -> bool {
    let window = &shape.window;
    let supported = window.kernel == [3, 3] && window.stride == [1, 1] && window.dilation == [1, 1];
    supported && window.padding.iter().all(|&padding| padding <= 2) && inputs.min(outputs) >= MIN_CHANNELS
}

/// Rows and columns that the tiles of `size` outputs cover: with a `border` of 2 in their inputs, of 0 in the outputs.
pub fn tiled_size(size: [usize; 2], border: usize) -> [usize; 2] {
    size.map(|n| n.next_multiple_of(2) + border)
}

/// The positions of an image's tiles in a frame.
#[derive(Debug, Clone, Copy)]
pub struct Tiling {
    /// Offset of the first tile.
    origin: usize,
    /// Elements per row of the frame.
    row: usize,
    /// Elements per pixel of the frame.
    channels: usize,
    /// Rows and columns of outputs.
    size: [usize; 2],
}

impl Tiling {
    /// The tiles of `size` outputs. The first tile starts at `[row, column]` of the frame.
    pub fn new(frame: &Frame, [row, column]: [usize; 2], size: [usize; 2]) -> Self {
        Self { origin: frame.offset(row, column), row: frame.offset(1, 0), channels: frame.channels, size }
    }

    /// Groups of tiles; see [`TILES`].
    #[inline(always)]
    fn groups(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let count = self.size[0].div_ceil(2) * self.size[1].div_ceil(2);
        (0..count).step_by(TILES).map(move |first| first..(first + TILES).min(count))
    }

    /// Row and column of the first output of a tile.
    #[inline(always)]
    fn output(&self, tile: usize) -> [usize; 2] {
        let columns = self.size[1].div_ceil(2);
        [tile / columns * 2, tile % columns * 2]
    }

    /// Offset of a tile in the frame.
    #[inline(always)]
    fn source(&self, tile: usize) -> usize {
        let [row, column] = self.output(tile);
        self.origin + row * self.row + column * self.channels
    }
}

/// Memory for one group of tiles.
pub struct TileScratch {
    /// Transformed tiles of the input.
    pub x: TransformedTiles,
    /// Transformed tiles of the output's gradient.
    pub dz: TransformedTiles,
    /// Products of transformed tiles with weights.
    pub products: Buffer,
}

impl TileScratch {
    /// Memory for frames with this many elements per pixel.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        let products = Buffer::uninitialised(POINTS * TILES * max_panel_vectors() * LANES);
        Self { x: TransformedTiles::new(inputs), dz: TransformedTiles::new(outputs), products }
    }
}

/// Computes all outputs of a correlation and stores them. `weights` is a result of [`transform`].
pub fn correlate(
    tiling: &Tiling,
    weights: &PackedMatrix,
    frame: &[f32],
    points: &mut TransformedTiles,
    products: &mut [f32],
    store: &mut impl Store,
) {
    let products = products.as_chunks_mut().0;
    for tiles in tiling.groups() {
        dispatch(InputTransform { tiling, frame, tiles: tiles.clone(), points });
        for panel in weights.layout.panels() {
            let count = tiles.len();
            dispatch(MultiplyWeights { points, rows: weights.rows(&panel), vectors: panel.vectors, count, products });
            dispatch(OutputTransform { tiling, panel, tiles: tiles.clone(), products, store });
        }
    }
}

/// Adds the gradient of the transformed weights to `total`, whose layout is [`transformed`].
pub fn weight_gradient(
    [x, dz]: [&Tiling; 2],
    layout: PanelLayout,
    [frame, dz_frame]: [&[f32]; 2],
    scratch: &mut TileScratch,
    total: &mut [F32x8],
) {
    for tiles in x.groups() {
        let count = tiles.len();
        dispatch(InputTransform { tiling: x, frame, tiles: tiles.clone(), points: &mut scratch.x });
        dispatch(GradientTransform { tiling: dz, frame: dz_frame, tiles, points: &mut scratch.dz });
        dispatch(AddGradientProducts { x: &scratch.x, dz: &scratch.dz, count, layout, total });
    }
}
