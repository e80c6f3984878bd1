//! Transforms of tiles: of inputs, and of gradients of outputs.

#![expect(clippy::needless_range_loop, reason = "loops with constant bounds become registers, iterators do not")]

use super::{POINTS, TILES, Tiling};
use crate::cpu::{
    buffer::Buffer,
    simd::{Isa, Kernel, Lanes, each_block},
};
use std::ops::Range;

/// A group of transformed tiles: for each point a matrix `[tiles, channels]`.
pub struct TransformedTiles {
    memory: Buffer,
    /// Elements per tile of a point.
    pub channels: usize,
    /// Offset of each tile in the matrix of a point.
    pub tiles: [usize; TILES],
}

impl TransformedTiles {
    /// Memory for tiles with this many channels, with arbitrary values.
    pub fn new(channels: usize) -> Self {
        let mut tiles = [0; TILES];
        tiles.iter_mut().enumerate().for_each(|(i, tile)| *tile = i * channels);
        Self { memory: Buffer::uninitialised(POINTS * Self::distance(channels)), channels, tiles }
    }

    /// Elements from one point to the next. It is one tile more than needed, so that points use different cache lines.
    fn distance(channels: usize) -> usize {
        (TILES + 1) * channels
    }

    /// The matrix of a point.
    #[inline(always)]
    pub fn of(&self, point: usize) -> &[f32] {
        &self.memory[point * Self::distance(self.channels)..][..TILES * self.channels]
    }

    /// The memory as registers of `N` elements, `B` per tile of a point.
    #[inline(always)]
    fn registers<const N: usize, const B: usize>(&mut self) -> Option<&mut [[[[f32; N]; B]; TILES + 1]; POINTS]> {
        self.memory.as_chunks_mut().0.as_chunks_mut().0.as_chunks_mut().0.first_chunk_mut()
    }

    /// Stores some channels of four points of a tile.
    #[inline(always)]
    fn put<const N: usize>(&mut self, point: usize, at: usize, count: usize, values: [Lanes<N>; 4]) {
        for j in 0..4 {
            values[j].store_some(&mut self.memory, (point + j) * Self::distance(self.channels) + at, count);
        }
    }
}

impl Tiling {
    /// `count` channels of `P` neighbouring pixels of a row.
    #[inline(always)]
    fn pixels<const P: usize, const N: usize>(&self, frame: &[f32], at: usize, count: usize) -> [Lanes<N>; P] {
        let mut pixels = [Lanes::ZERO; P];
        for j in 0..P {
            pixels[j] = Lanes::load_some(frame, at + j * self.channels, count);
        }
        pixels
    }
}

/// A transform of a group of tiles.
trait Transform: Sized {
    /// Transforms pixels of `B` registers of `N` elements. Both are constants, so that most accesses need no bounds
    /// check.
    fn registers<const N: usize, const B: usize>(self);

    /// Transforms pixels of any number of channels.
    fn any<I: Isa>(self);

    /// Transforms pixels of `channels` channels, in the widest registers that they fill.
    #[inline(always)]
    fn transform<I: Isa>(self, channels: usize) {
        if I::WIDE {
            match channels {
                8 => self.registers::<8, 1>(),
                16 => self.registers::<16, 1>(),
                32 => self.registers::<16, 2>(),
                64 => self.registers::<16, 4>(),
                128 => self.registers::<16, 8>(),
                _ => self.any::<I>(),
            }
        } else if I::FUSED {
            match channels {
                8 => self.registers::<8, 1>(),
                16 => self.registers::<8, 2>(),
                32 => self.registers::<8, 4>(),
                64 => self.registers::<8, 8>(),
                128 => self.registers::<8, 16>(),
                _ => self.any::<I>(),
            }
        } else {
            // Processors without fused multiply-add are too rare to compile all loops for them. The general loop adds
            // the same products in the same order.
            self.any::<I>();
        }
    }
}

/// Computes `B^T d B` of a group of tiles.
pub struct InputTransform<'a> {
    pub tiling: &'a Tiling,
    pub frame: &'a [f32],
    pub tiles: Range<usize>,
    pub points: &'a mut TransformedTiles,
}

/// For each row of `B^T d`, the two rows of `d` whose difference it is; the second row is their sum.
const ROWS: [(usize, usize); 4] = [(0, 2), (1, 2), (2, 1), (1, 3)];

impl Kernel for InputTransform<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let channels = self.tiling.channels;
        self.transform::<I>(channels);
    }
}

impl Transform for InputTransform<'_> {
    #[inline(always)]
    fn registers<const N: usize, const B: usize>(self) {
        let Self { tiling, frame, tiles, points } = self;
        let Some(points) = points.registers::<N, B>() else { unreachable!("memory for pixels of {B} registers") };
        let (pixels, row) = (frame.as_chunks().0.as_chunks::<B>().0, tiling.row / tiling.channels);
        for (index, tile) in tiles.enumerate().take(TILES) {
            let at = tiling.source(tile) / tiling.channels;
            let row = |i: usize| pixels[at + i * row..].first_chunk::<4>();
            let [Some(a), Some(b), Some(c), Some(d)] = [row(0), row(1), row(2), row(3)] else {
                unreachable!("tile {tile} lies in the frame")
            };
            let rows = [a, b, c, d];
            for block in 0..B {
                for i in 0..4 {
                    let (first, second) = (rows[ROWS[i].0], rows[ROWS[i].1]);
                    let mut pair = [[Lanes::ZERO; 4]; 2];
                    for j in 0..4 {
                        pair[0][j] = Lanes(first[j][block]);
                        pair[1][j] = Lanes(second[j][block]);
                    }
                    let row = row_of_points(i, pair);
                    for j in 0..4 {
                        points[4 * i + j][index][block] = row[j].0;
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn any<I: Isa>(self) {
        let Self { tiling, frame, tiles, points } = self;
        for (index, tile) in tiles.enumerate() {
            let (source, start) = (tiling.source(tile), index * points.channels);
            each_block!(I, tiling.channels, |N, channel, count| {
                for (i, (first, second)) in ROWS.into_iter().enumerate() {
                    let first = tiling.pixels::<4, N>(frame, source + channel + first * tiling.row, count);
                    let second = tiling.pixels::<4, N>(frame, source + channel + second * tiling.row, count);
                    points.put(4 * i, start + channel, count, row_of_points(i, [first, second]));
                }
            });
        }
    }
}

/// Row `i` of `B^T d B`, given the two rows of `d` that it depends on.
#[inline(always)]
fn row_of_points<const N: usize>(i: usize, [first, second]: [[Lanes<N>; 4]; 2]) -> [Lanes<N>; 4] {
    let mut d = [Lanes::ZERO; 4];
    for j in 0..4 {
        d[j] = if i == 1 { first[j].plus(second[j]) } else { first[j].minus(second[j]) };
    }
    [d[0].minus(d[2]), d[1].plus(d[2]), d[2].minus(d[1]), d[1].minus(d[3])]
}

/// Computes `A dz A^T` of a group of tiles.
pub struct GradientTransform<'a> {
    pub tiling: &'a Tiling,
    pub frame: &'a [f32],
    pub tiles: Range<usize>,
    pub points: &'a mut TransformedTiles,
}

impl Kernel for GradientTransform<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let channels = self.tiling.channels;
        self.transform::<I>(channels);
    }
}

impl Transform for GradientTransform<'_> {
    #[inline(always)]
    fn registers<const N: usize, const B: usize>(self) {
        let Self { tiling, frame, tiles, points } = self;
        let Some(points) = points.registers::<N, B>() else { unreachable!("memory for pixels of {B} registers") };
        let (pixels, row) = (frame.as_chunks().0.as_chunks::<B>().0, tiling.row / tiling.channels);
        for (index, tile) in tiles.enumerate().take(TILES) {
            let at = tiling.source(tile) / tiling.channels;
            let (Some([a, b]), Some([c, d])) = (pixels[at..].first_chunk(), pixels[at + row..].first_chunk()) else {
                unreachable!("tile {tile} lies in the frame")
            };
            for block in 0..B {
                let rows = spread_gradient([Lanes(a[block]), Lanes(b[block])], [Lanes(c[block]), Lanes(d[block])]);
                for i in 0..4 {
                    for j in 0..4 {
                        points[4 * i + j][index][block] = rows[i][j].0;
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn any<I: Isa>(self) {
        let Self { tiling, frame, tiles, points } = self;
        for (index, tile) in tiles.enumerate() {
            let (source, start) = (tiling.source(tile), index * points.channels);
            each_block!(I, tiling.channels, |N, channel, count| {
                let above = tiling.pixels::<2, N>(frame, source + channel, count);
                let below = tiling.pixels::<2, N>(frame, source + channel + tiling.row, count);
                let rows = spread_gradient(above, below);
                for i in 0..4 {
                    points.put(4 * i, start + channel, count, rows[i]);
                }
            });
        }
    }
}

/// `A dz A^T`, given the rows of `dz`.
#[inline(always)]
fn spread_gradient<const N: usize>([a, b]: [Lanes<N>; 2], [c, d]: [Lanes<N>; 2]) -> [[Lanes<N>; 4]; 4] {
    let rows = [[a, b], [a.plus(c), b.plus(d)], [a.minus(c), b.minus(d)], [c.negative(), d.negative()]];
    let mut points = [[Lanes::ZERO; 4]; 4];
    for i in 0..4 {
        let [a, b] = rows[i];
        points[i] = [a, a.plus(b), a.minus(b), b.negative()];
    }
    points
}
