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
    dense::{accumulate, add_gradient},
    frame::Frame,
    packed::{Eight, Layout, Packed, Panel},
    simd::{Kernel, LANES, Lanes, dispatch, each_block},
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

    /// From one point to the next: a tile more than needed, lest all points compete for the same lines of the cache.
    fn distance(channels: usize) -> usize {
        (TILES + 1) * channels
    }

    #[inline(always)]
    fn of(&self, point: usize) -> &[f32] {
        &self.memory[point * Self::distance(self.channels)..][..TILES * self.channels]
    }

    /// The registers of each tile of each point, where pixels have `B`.
    #[inline(always)]
    fn registers<const B: usize>(&mut self) -> Option<&mut [[[Eight; B]; TILES + 1]; POINTS]> {
        self.memory.as_chunks_mut().0.as_chunks_mut().0.as_chunks_mut().0.first_chunk_mut()
    }

    /// Stores some channels of four points of a tile.
    #[inline(always)]
    fn put(&mut self, point: usize, at: usize, count: usize, values: [Lanes; 4]) {
        for j in 0..4 {
            values[j].store_some(&mut self.memory, (point + j) * Self::distance(self.channels) + at, count);
        }
    }
}

/// `B^T d B` of some tiles.
struct Inputs<'a> {
    tiling: &'a Tiling,
    frame: &'a [f32],
    tiles: Range<usize>,
    points: &'a mut Points,
}

/// The rows of `d` of which each row of `B^T d` is the difference, or for the second row the sum.
const ROWS: [(usize, usize); 4] = [(0, 2), (1, 2), (2, 1), (1, 3)];

impl Kernel for Inputs<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        match self.tiling.channels {
            8 => self.registers::<1>(),
            16 => self.registers::<2>(),
            32 => self.registers::<4>(),
            64 => self.registers::<8>(),
            128 => self.registers::<16>(),
            _ => self.any(),
        }
    }
}

impl Inputs<'_> {
    /// With pixels of `B` registers: constants, so that most places need no check.
    #[inline(always)]
    fn registers<const B: usize>(self) {
        let Self { tiling, frame, tiles, points } = self;
        let Some(points) = points.registers::<B>() else { return };
        let (pixels, row) = (frame.as_chunks().0.as_chunks::<B>().0, tiling.row / tiling.channels);
        for (place, tile) in tiles.enumerate().take(TILES) {
            let at = tiling.source(tile) / tiling.channels;
            let row = |i: usize| pixels[at + i * row..].first_chunk::<4>();
            let [Some(a), Some(b), Some(c), Some(d)] = [row(0), row(1), row(2), row(3)] else { return };
            let rows = [a, b, c, d];
            for block in 0..B {
                for i in 0..4 {
                    let (first, second) = (rows[ROWS[i].0], rows[ROWS[i].1]);
                    let mut d = [Lanes::ZERO; 4];
                    for j in 0..4 {
                        let (first, second) = (Lanes(first[j][block]), Lanes(second[j][block]));
                        d[j] = if i == 1 { first.plus(second) } else { first.minus(second) };
                    }
                    let row = row_of_points(d);
                    for j in 0..4 {
                        points[4 * i + j][place][block] = row[j].0;
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn any(self) {
        let Self { tiling, frame, tiles, points } = self;
        for (place, tile) in tiles.enumerate() {
            let (source, place) = (tiling.source(tile), place * points.channels);
            each_block!(tiling.channels, |channel, count| {
                for (i, (first, second)) in ROWS.into_iter().enumerate() {
                    let first = tiling.pixels::<4>(frame, source + channel + first * tiling.row, count);
                    let second = tiling.pixels::<4>(frame, source + channel + second * tiling.row, count);
                    let mut d = first;
                    for j in 0..4 {
                        d[j] = if i == 1 { first[j].plus(second[j]) } else { first[j].minus(second[j]) };
                    }
                    points.put(4 * i, place + channel, count, row_of_points(d));
                }
            });
        }
    }
}

/// A row of `B^T d B`, given that of `B^T d`.
#[inline(always)]
fn row_of_points(d: [Lanes; 4]) -> [Lanes; 4] {
    [d[0].minus(d[2]), d[1].plus(d[2]), d[2].minus(d[1]), d[1].minus(d[3])]
}

/// `A dz A^T` of some tiles.
struct Gradients<'a> {
    tiling: &'a Tiling,
    frame: &'a [f32],
    tiles: Range<usize>,
    points: &'a mut Points,
}

impl Kernel for Gradients<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        match self.tiling.channels {
            8 => self.registers::<1>(),
            16 => self.registers::<2>(),
            32 => self.registers::<4>(),
            64 => self.registers::<8>(),
            128 => self.registers::<16>(),
            _ => self.any(),
        }
    }
}

impl Gradients<'_> {
    /// As [`Inputs::registers`].
    #[inline(always)]
    fn registers<const B: usize>(self) {
        let Self { tiling, frame, tiles, points } = self;
        let Some(points) = points.registers::<B>() else { return };
        let (pixels, row) = (frame.as_chunks().0.as_chunks::<B>().0, tiling.row / tiling.channels);
        for (place, tile) in tiles.enumerate().take(TILES) {
            let at = tiling.source(tile) / tiling.channels;
            let (Some([a, b]), Some([c, d])) = (pixels[at..].first_chunk(), pixels[at + row..].first_chunk()) else {
                return;
            };
            for block in 0..B {
                let rows = spread_gradient([Lanes(a[block]), Lanes(b[block])], [Lanes(c[block]), Lanes(d[block])]);
                for i in 0..4 {
                    for j in 0..4 {
                        points[4 * i + j][place][block] = rows[i][j].0;
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn any(self) {
        let Self { tiling, frame, tiles, points } = self;
        for (place, tile) in tiles.enumerate() {
            let (source, place) = (tiling.source(tile), place * points.channels);
            each_block!(tiling.channels, |channel, count| {
                let above = tiling.pixels::<2>(frame, source + channel, count);
                let below = tiling.pixels::<2>(frame, source + channel + tiling.row, count);
                let rows = spread_gradient(above, below);
                for i in 0..4 {
                    points.put(4 * i, place + channel, count, rows[i]);
                }
            });
        }
    }
}

/// `A dz A^T`, given the rows of `dz`.
#[inline(always)]
fn spread_gradient([a, b]: [Lanes; 2], [c, d]: [Lanes; 2]) -> [[Lanes; 4]; 4] {
    let rows = [[a, b], [a.plus(c), b.plus(d)], [a.minus(c), b.minus(d)], [c.negative(), d.negative()]];
    let mut points = [[Lanes::ZERO; 4]; 4];
    for i in 0..4 {
        let [a, b] = rows[i];
        points[i] = [a, a.plus(b), a.minus(b), b.negative()];
    }
    points
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
pub fn correlate(
    tiling: &Tiling,
    weights: &Packed,
    frame: &[f32],
    points: &mut Points,
    products: &mut [f32],
    store: &mut impl Store,
) {
    let products = products.as_chunks_mut().0;
    for tiles in tiling.groups() {
        dispatch(Inputs { tiling, frame, tiles: tiles.clone(), points });
        for panel in weights.layout.panels() {
            let count = tiles.len();
            dispatch(Multiply { points, rows: weights.rows(&panel), vectors: panel.vectors, count, products });
            dispatch(Finish { tiling, panel, tiles: tiles.clone(), products, store });
        }
    }
}

/// Point by point, `products[tile, o] = sum over c of points[tile, c] rows[c, o]`.
struct Multiply<'a> {
    points: &'a Points,
    rows: &'a [Eight],
    vectors: usize,
    /// Tiles.
    count: usize,
    products: &'a mut [Eight],
}

impl Kernel for Multiply<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        match self.vectors {
            1 => self.all::<FMA, 1, 8>(),
            _ => self.all::<FMA, 2, 6>(),
        }
    }
}

impl Multiply<'_> {
    #[inline(always)]
    fn all<const FMA: bool, const V: usize, const P: usize>(self) {
        let (channels, tiles) = (self.points.channels, &self.points.tiles[..self.count]);
        let rows = self.rows.as_chunks::<V>().0.chunks_exact(channels);
        let products = self.products.as_chunks_mut::<V>().0.as_chunks_mut::<TILES>().0;
        for (point, (rows, products)) in rows.zip(products).enumerate() {
            let inputs = self.points.of(point);
            let (blocks, last) = tiles.as_chunks::<P>();
            let (fours, ones) = last.as_chunks::<4>();
            let (outputs, last) = products[..self.count].as_chunks_mut::<P>();
            for (tiles, products) in blocks.iter().zip(outputs) {
                *products = multiply::<FMA, V, P>(inputs, rows, tiles);
            }
            let (outputs, last) = last.as_chunks_mut::<4>();
            for (tiles, products) in fours.iter().zip(outputs) {
                *products = multiply::<FMA, V, 4>(inputs, rows, tiles);
            }
            for (&tile, products) in ones.iter().zip(last) {
                [*products] = multiply::<FMA, V, 1>(inputs, rows, &[tile]);
            }
        }
    }
}

#[inline(always)]
fn multiply<const FMA: bool, const V: usize, const P: usize>(
    inputs: &[f32],
    rows: &[[Eight; V]],
    tiles: &[usize; P],
) -> [[Eight; V]; P] {
    let totals = accumulate::<FMA, V, P>(&[0], rows.len(), rows, inputs, tiles);
    let mut products = [[[0.0; LANES]; V]; P];
    for p in 0..P {
        for v in 0..V {
            products[p][v] = totals[p][v].0;
        }
    }
    products
}

/// Stores `A^T m A` of some tiles.
struct Finish<'a, S> {
    tiling: &'a Tiling,
    panel: Panel,
    tiles: Range<usize>,
    products: &'a [Eight],
    store: &'a mut S,
}

impl<S: Store> Kernel for Finish<'_, S> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        match self.panel.vectors {
            1 => self.all::<1>(),
            _ => self.all::<2>(),
        }
    }
}

impl<S: Store> Finish<'_, S> {
    #[inline(always)]
    fn all<const V: usize>(self) {
        let Self { tiling, panel, tiles, products, store } = self;
        let [rows, columns] = tiling.size;
        let Some(products) = products.as_chunks::<V>().0.as_chunks::<TILES>().0.first_chunk() else { return };
        for (place, tile) in tiles.enumerate().take(TILES) {
            let [row, column] = tiling.output(tile);
            let pixel = row * columns + column;
            let fits = [row + 1 < rows, column + 1 < columns];
            for v in 0..V {
                let (channel, left) = (panel.first + v * LANES, panel.count - v * LANES);
                let [above, below] = outputs(products, place, v);
                // The constant makes stores of whole registers.
                if left >= LANES && fits[0] && fits[1] {
                    for j in 0..2 {
                        store.store(pixel + j, channel, above[j], LANES);
                        store.store(pixel + columns + j, channel, below[j], LANES);
                    }
                    continue;
                }
                for j in 0..1 + usize::from(fits[1]) {
                    store.store(pixel + j, channel, above[j], left.min(LANES));
                    if fits[0] {
                        store.store(pixel + columns + j, channel, below[j], left.min(LANES));
                    }
                }
            }
        }
    }
}

/// `A^T m A` of one tile and eight outputs.
#[inline(always)]
fn outputs<const V: usize>(m: &[[[Eight; V]; TILES]; POINTS], tile: usize, v: usize) -> [[Lanes; 2]; 2] {
    let mut rows = [[Lanes::ZERO; 4]; 2];
    for j in 0..4 {
        let [a, b] = [Lanes(m[j][tile][v]), Lanes(m[4 + j][tile][v])];
        let [c, d] = [Lanes(m[8 + j][tile][v]), Lanes(m[12 + j][tile][v])];
        rows[0][j] = a.plus(b).plus(c);
        rows[1][j] = b.minus(c).minus(d);
    }
    let [[a, b, c, d], [e, f, g, h]] = rows;
    [[a.plus(b).plus(c), b.minus(c).minus(d)], [e.plus(f).plus(g), f.minus(g).minus(h)]]
}

/// Adds the gradient of the transformed weights to `total`, whose layout is [`transformed`].
pub fn weight_gradient(
    [x, dz]: [&Tiling; 2],
    layout: Layout,
    [frame, dz_frame]: [&[f32]; 2],
    scratch: &mut Scratch,
    total: &mut [Eight],
) {
    for tiles in x.groups() {
        let count = tiles.len();
        dispatch(Inputs { tiling: x, frame, tiles: tiles.clone(), points: &mut scratch.x });
        dispatch(Gradients { tiling: dz, frame: dz_frame, tiles, points: &mut scratch.dz });
        dispatch(AddProducts { x: &scratch.x, dz: &scratch.dz, count, layout, total });
    }
}

/// Point by point, `total[c, o] += sum over tiles of x[tile, c] dz[tile, o]`.
struct AddProducts<'a> {
    x: &'a Points,
    dz: &'a Points,
    /// Tiles.
    count: usize,
    layout: Layout,
    total: &'a mut [Eight],
}

impl Kernel for AddProducts<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { x, dz, count, layout, total } = self;
        for panel in layout.panels() {
            let total = &mut total[panel.start..][..layout.rows * panel.vectors];
            for (point, total) in total.chunks_exact_mut(x.channels * panel.vectors).enumerate() {
                let tiles =
                    x.of(point).chunks_exact(x.channels).zip(dz.of(point).chunks_exact(dz.channels)).take(count);
                match panel.vectors {
                    1 => add_gradient::<FMA, 1, 8>(tiles, &[0], x.channels, panel.first, total),
                    _ => add_gradient::<FMA, 2, 6>(tiles, &[0], x.channels, panel.first, total),
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
