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

#![expect(clippy::needless_range_loop, reason = "loops with constant bounds become registers, iterators do not")]

use super::{
    buffer::Buffer,
    correlation::Store,
    dense::{Strip, accumulate},
    frame::Frame,
    packed::{Eight, Layout, Packed, Panel},
    simd::{LANES, Lanes, each_block},
};
use crate::shape::ConvShape;
use std::ops::Range;

/// Points of a transformed tile.
const POINTS: usize = 16;

/// Tiles that are transformed and multiplied together: few enough to stay in the cache.
const TILES: usize = 16;

/// Channels below which transforms cost more than they save.
const FEWEST: usize = 8;

/// Whether a convolution with so many channels can be computed this way, and faster.
pub fn suits(shape: &ConvShape, inputs: usize, outputs: usize) -> bool {
    let window = &shape.window;
    let form = window.kernel == [3, 3] && window.stride == [1, 1] && window.dilation == [1, 1];
    form && window.padding.iter().all(|&padding| padding <= 2) && inputs.min(outputs) >= FEWEST
}

/// Pixels that tiles of `size` outputs read, or write if `border` is 0.
pub fn room(size: [usize; 2], border: usize) -> [usize; 2] {
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

    /// `B^T d B` of some tiles.
    #[inline(always)]
    fn inputs(&self, frame: &[f32], tiles: Range<usize>, points: &mut Points) {
        for (place, tile) in tiles.enumerate() {
            each_block!(self.channels, |channel, count| {
                let at = self.source(tile) + channel;
                for (i, (first, second)) in [(0, 2), (1, 2), (2, 1), (1, 3)].into_iter().enumerate() {
                    let first = self.pixels::<4>(frame, at + first * self.row, count);
                    let second = self.pixels::<4>(frame, at + second * self.row, count);
                    let mut d = [Lanes::ZERO; 4];
                    for j in 0..4 {
                        d[j] = if i == 1 { first[j].plus(second[j]) } else { first[j].minus(second[j]) };
                    }
                    let row = [d[0].minus(d[2]), d[1].plus(d[2]), d[2].minus(d[1]), d[1].minus(d[3])];
                    points.put(4 * i, place, channel, count, row);
                }
            });
        }
    }

    /// `A dz A^T` of some tiles.
    #[inline(always)]
    fn gradients(&self, frame: &[f32], tiles: Range<usize>, points: &mut Points) {
        for (place, tile) in tiles.enumerate() {
            each_block!(self.channels, |channel, count| {
                let at = self.source(tile) + channel;
                let [a, b] = self.pixels::<2>(frame, at, count);
                let [c, d] = self.pixels::<2>(frame, at + self.row, count);
                let rows = [[a, b], [a.plus(c), b.plus(d)], [a.minus(c), b.minus(d)], [c.negative(), d.negative()]];
                for i in 0..4 {
                    let [a, b] = rows[i];
                    points.put(4 * i, place, channel, count, [a, a.plus(b), a.minus(b), b.negative()]);
                }
            });
        }
    }

    #[inline(always)]
    fn pixels<const N: usize>(&self, frame: &[f32], at: usize, count: usize) -> [Lanes; N] {
        let mut pixels = [Lanes::ZERO; N];
        for j in 0..N {
            pixels[j] = Lanes::load_some(frame, at + j * self.channels, count);
        }
        pixels
    }
}

/// Transformed tiles, point after point, each a matrix of tiles and channels.
pub struct Points {
    memory: Buffer,
    channels: usize,
    /// Offset of each tile in a point.
    tiles: [usize; TILES],
}

impl Points {
    fn new(channels: usize) -> Self {
        let mut tiles = [0; TILES];
        tiles.iter_mut().enumerate().for_each(|(i, tile)| *tile = i * channels);
        Self { memory: Buffer::stale(POINTS * Self::distance(channels)), channels, tiles }
    }

    /// From one point to the next: a line of the cache more than needed, lest all points compete for the same lines.
    fn distance(channels: usize) -> usize {
        TILES * channels + 2 * LANES
    }

    #[inline(always)]
    fn of(&self, point: usize) -> &[f32] {
        &self.memory[point * Self::distance(self.channels)..][..TILES * self.channels]
    }

    /// Stores four points in a row.
    #[inline(always)]
    fn put(&mut self, point: usize, tile: usize, channel: usize, count: usize, values: [Lanes; 4]) {
        for j in 0..4 {
            let at = (point + j) * Self::distance(self.channels) + tile * self.channels + channel;
            values[j].store_some(&mut self.memory, at, count);
        }
    }
}

/// Memory for one group of tiles.
pub struct Scratch {
    /// Of the input.
    pub x: Points,
    /// Of the gradient of the output.
    pub dz: Points,
    /// Products of such with weights.
    pub products: Buffer,
}

impl Scratch {
    /// For frames with so many channels.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        let products = Buffer::stale(POINTS * TILES * 2 * LANES);
        Self { x: Points::new(inputs), dz: Points::new(outputs), products }
    }
}

/// Computes all outputs of a correlation and stores them; `weights` as [`transform`] gives them.
#[inline(always)]
pub fn correlate<const FMA: bool>(
    tiling: &Tiling,
    weights: &Packed,
    frame: &[f32],
    (inputs, products): (&mut Points, &mut Buffer),
    store: &mut impl Store,
) {
    let products = products.as_chunks_mut().0;
    for tiles in tiling.groups() {
        tiling.inputs(frame, tiles.clone(), inputs);
        for panel in weights.layout.panels() {
            let rows = weights.rows(&panel);
            match panel.vectors {
                1 => Block::<1> { rows, panel, inputs }.outputs::<FMA, 8>(tiling, tiles.clone(), products, store),
                _ => Block::<2> { rows, panel, inputs }.outputs::<FMA, 6>(tiling, tiles.clone(), products, store),
            }
        }
    }
}

/// Some outputs of a group of tiles.
struct Block<'a, const V: usize> {
    rows: &'a [Eight],
    panel: Panel,
    inputs: &'a Points,
}

impl<const V: usize> Block<'_, V> {
    #[inline(always)]
    fn outputs<const FMA: bool, const P: usize>(
        self,
        tiling: &Tiling,
        tiles: Range<usize>,
        products: &mut [Eight],
        store: &mut impl Store,
    ) {
        let products = products.as_chunks_mut::<V>().0.as_chunks_mut::<TILES>().0;
        let rows = self.rows.as_chunks::<V>().0.chunks_exact(self.inputs.channels);
        for (point, (rows, products)) in rows.zip(products.iter_mut()).enumerate() {
            self.multiply::<FMA, P>(point, rows, &mut products[..tiles.len()]);
        }
        for (place, tile) in tiles.enumerate() {
            let [row, column] = tiling.output(tile);
            let pixel = row * tiling.size[1] + column;
            let fits = [row + 1 < tiling.size[0], column + 1 < tiling.size[1]];
            for v in 0..V {
                let [[a, b], [c, d]] = finish(products, place, v);
                self.put(pixel, v, a, store);
                if fits[1] {
                    self.put(pixel + 1, v, b, store);
                }
                if fits[0] {
                    self.put(pixel + tiling.size[1], v, c, store);
                }
                if fits[0] && fits[1] {
                    self.put(pixel + tiling.size[1] + 1, v, d, store);
                }
            }
        }
    }

    /// One point of all tiles: `products[tile, o] = sum over c of inputs[tile, c] rows[c, o]`.
    #[inline(always)]
    fn multiply<const FMA: bool, const P: usize>(
        &self,
        point: usize,
        rows: &[[Eight; V]],
        products: &mut [[Eight; V]],
    ) {
        let (inputs, channels) = (self.inputs.of(point), self.inputs.channels);
        let sources = &self.inputs.tiles[..products.len()];
        let (blocks, last) = sources.as_chunks::<P>();
        let (outputs, last_outputs) = products.as_chunks_mut::<P>();
        for (sources, products) in blocks.iter().zip(outputs) {
            *products = accumulate::<FMA, V, P>(&[0], channels, rows, inputs, sources).map(|row| row.map(|v| v.0));
        }
        let (fours, ones) = last.as_chunks::<4>();
        let (outputs, last_outputs) = last_outputs.as_chunks_mut::<4>();
        for (sources, products) in fours.iter().zip(outputs) {
            *products = accumulate::<FMA, V, 4>(&[0], channels, rows, inputs, sources).map(|row| row.map(|v| v.0));
        }
        for (&source, products) in ones.iter().zip(last_outputs) {
            [*products] = accumulate::<FMA, V, 1>(&[0], channels, rows, inputs, &[source]).map(|row| row.map(|v| v.0));
        }
    }

    #[inline(always)]
    fn put(&self, pixel: usize, v: usize, values: Lanes, store: &mut impl Store) {
        let (channel, left) = (self.panel.first + v * LANES, self.panel.count - v * LANES);
        // The constant makes stores of whole registers.
        if left >= LANES {
            store.store(pixel, channel, values, LANES);
        } else {
            store.store(pixel, channel, values, left);
        }
    }
}

/// `A^T m A` of one tile and eight outputs.
#[inline(always)]
fn finish<const V: usize>(products: &[[[Eight; V]; TILES]], tile: usize, v: usize) -> [[Lanes; 2]; 2] {
    let mut rows = [[Lanes::ZERO; 4]; 2];
    for j in 0..4 {
        let [a, b] = [Lanes(products[j][tile][v]), Lanes(products[4 + j][tile][v])];
        let [c, d] = [Lanes(products[8 + j][tile][v]), Lanes(products[12 + j][tile][v])];
        rows[0][j] = a.plus(b).plus(c);
        rows[1][j] = b.minus(c).minus(d);
    }
    let [[a, b, c, d], [e, f, g, h]] = rows;
    [[a.plus(b).plus(c), b.minus(c).minus(d)], [e.plus(f).plus(g), f.minus(g).minus(h)]]
}

/// Adds the gradient of the transformed weights to `total`, whose layout is that of [`transformed`] weights.
#[inline(always)]
pub fn weight_gradient<const FMA: bool>(
    [x, dz]: [&Tiling; 2],
    layout: Layout,
    [frame, dz_frame]: [&[f32]; 2],
    scratch: &mut Scratch,
    total: &mut [Eight],
) {
    let Scratch { x: inputs, dz: gradients, .. } = scratch;
    for tiles in x.groups() {
        x.inputs(frame, tiles.clone(), inputs);
        dz.gradients(dz_frame, tiles.clone(), gradients);
        for panel in layout.panels() {
            let total = &mut total[panel.start..][..layout.rows * panel.vectors];
            for (point, total) in total.chunks_exact_mut(layout.rows / POINTS * panel.vectors).enumerate() {
                let strip = Strip {
                    frame: inputs.of(point),
                    dz: gradients.of(point),
                    sources: &inputs.tiles[..tiles.len()],
                    dz_pixels: &gradients.tiles[..tiles.len()],
                };
                match panel.vectors {
                    1 => strip.add_to::<FMA, 1, 8>(&[0], inputs.channels, panel.first, total),
                    _ => strip.add_to::<FMA, 2, 6>(&[0], inputs.channels, panel.first, total),
                }
            }
        }
    }
}

/// The layout of transformed weights, given that of nine taps.
pub fn transformed(taps: Layout) -> Layout {
    Layout { rows: taps.rows / 9 * POINTS, ..taps }
}

/// `G g G^T` of weights, which have nine taps.
pub fn transform(taps: &Packed) -> Packed {
    let layout = transformed(taps.layout);
    let mut memory = Buffer::stale(layout.len());
    both_sides(taps.layout, &taps.memory, layout, &mut memory, |[a, b, c]| {
        let [sum, half] = [a.plus(c), Lanes::splat(0.5)];
        [a, sum.plus(b).times(half), sum.minus(b).times(half), c]
    });
    Packed { layout, memory }
}

/// `G^T m G`: the gradient of nine taps, given that of the transformed ones.
pub fn gradient(points: &[f32], taps: Layout) -> Buffer {
    let mut memory = Buffer::stale(taps.len());
    both_sides(transformed(taps), points, taps, &mut memory, |[a, b, c, d]| {
        let half = Lanes::splat(0.5);
        let [sum, difference] = [b.plus(c).times(half), b.minus(c).times(half)];
        [a.plus(sum), difference, sum.plus(d)]
    });
    memory
}

/// Applies `map` to the columns and rows of each square of `N * N` numbers, one for each input and output.
fn both_sides<const N: usize, const M: usize>(
    from: Layout,
    source: &[f32],
    to: Layout,
    target: &mut [f32],
    map: impl Fn([Lanes; N]) -> [Lanes; M],
) {
    let (source, target) = (source.as_chunks().0, target.as_chunks_mut().0);
    for (a, b) in from.panels().zip(to.panels()) {
        // Of one point; the registers of all its inputs.
        let point = from.rows / (N * N) * a.vectors;
        for at in 0..point {
            let mut rows = [[Lanes::ZERO; M]; N];
            for i in 0..N {
                rows[i] = map(std::array::from_fn(|j| Lanes(source[a.start + (i * N + j) * point + at])));
            }
            for j in 0..M {
                for (i, value) in map(rows.map(|row| row[j])).into_iter().enumerate() {
                    target[b.start + (i * M + j) * point + at] = value.0;
                }
            }
        }
    }
}
