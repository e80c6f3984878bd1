//! Windows of 3 x 3 at stride 1 in tiles of 2 x 2 outputs, with 16 multiplications where the direct way has 36.
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
//! Summed over the input channels, each of the sixteen points is a product of matrices, tiles by channels by outputs, and
//! runs in the loops of [`dense`](super::dense). As the outputs are linear in `g`, its gradient is
//! `G^T [(A dz A^T) . (B^T d B)] G`, again summed over tiles point by point.

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
use products::{AddWeightGradient, PointProducts};
use std::ops::Range;

/// TransformedTiles of a transformed tile.
const POINTS: usize = 16;

/// Tiles that are transformed and multiplied together: few enough to stay in the cache.
const TILES: usize = 16;

/// Fewest channels: with less than a register of them, transforms cost more than they save.
const MIN_CHANNELS: usize = 8;

/// Whether a convolution with so many channels can be computed this way, and faster.
pub fn suits(shape: &ConvShape, inputs: usize, outputs: usize) -> bool {
    let window = &shape.window;
    let form = window.kernel == [3, 3] && window.stride == [1, 1] && window.dilation == [1, 1];
    form && window.padding.iter().all(|&padding| padding <= 2) && inputs.min(outputs) >= MIN_CHANNELS
}

/// Rows and columns that tiles of `size` outputs need: with a border of 2 for their inputs, without for themselves.
pub fn tiled_size(size: [usize; 2], border: usize) -> [usize; 2] {
    size.map(|n| n.next_multiple_of(2) + border)
}

/// Where the tiles of an image lie in a frame.
#[derive(Debug, Clone, Copy)]
pub struct Tiling {
    /// Of the first number of the first tile.
    origin: usize,
    /// Numbers from one row of the frame to the next.
    row: usize,
    /// Numbers of a pixel of the frame.
    channels: usize,
    /// Rows and columns of outputs.
    size: [usize; 2],
}

impl Tiling {
    /// Tiles of `size` outputs, the first of which begins at `[row, column]` of the frame.
    pub fn new(frame: &Frame, [row, column]: [usize; 2], size: [usize; 2]) -> Self {
        Self { origin: frame.offset(row, column), row: frame.offset(1, 0), channels: frame.channels, size }
    }

    /// Groups of tiles that are computed together.
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

    #[inline(always)]
    fn source(&self, tile: usize) -> usize {
        let [row, column] = self.output(tile);
        self.origin + row * self.row + column * self.channels
    }
}

/// ImageScratch for one group of tiles.
pub struct TileScratch {
    /// Of the input.
    pub x: TransformedTiles,
    /// Of the gradient of the output.
    pub dz: TransformedTiles,
    /// BackwardSums of such with weights.
    pub products: Buffer,
}

impl TileScratch {
    /// For frames with so many channels.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        let products = Buffer::uninitialised(POINTS * TILES * max_panel_vectors() * LANES);
        Self { x: TransformedTiles::new(inputs), dz: TransformedTiles::new(outputs), products }
    }
}

/// Computes all outputs of a correlation and stores them; `weights` as [`transform`] gives them.
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
            dispatch(PointProducts { points, rows: weights.rows(&panel), vectors: panel.vectors, count, products });
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
        dispatch(AddWeightGradient { x: &scratch.x, dz: &scratch.dz, count, layout, total });
    }
}
