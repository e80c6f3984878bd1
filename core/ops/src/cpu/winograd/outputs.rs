//! The transform from the products of a tile to its outputs.

use super::{POINTS, TILES, Tiling};
use crate::cpu::{
    packed::{F32x8, Panel},
    simd::{Isa, Kernel, LANES, Lanes},
    store::Store,
};
use std::ops::Range;

/// Computes `A^T m A` of a group of tiles, and stores the outputs.
pub struct OutputTransform<'a, S> {
    pub tiling: &'a Tiling,
    pub panel: Panel,
    pub tiles: Range<usize>,
    pub products: &'a [F32x8],
    pub store: &'a mut S,
}

impl<S: Store> Kernel for OutputTransform<'_, S> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        match self.panel.vectors {
            1 => self.all::<LANES, 1>(),
            2 if I::WIDE => self.all::<{ 2 * LANES }, 1>(),
            2 => self.all::<LANES, 2>(),
            _ if I::WIDE => self.all::<{ 2 * LANES }, 2>(),
            _ => unreachable!("only wide registers have panels of four"),
        }
    }
}

impl<S: Store> OutputTransform<'_, S> {
    /// Processes all tiles, each with `V` registers of `N` outputs.
    #[inline(always)]
    fn all<const N: usize, const V: usize>(self) {
        let Self { tiling, panel, tiles, products, store } = self;
        let [rows, columns] = tiling.size;
        let registers = products.as_flattened().as_chunks::<N>().0;
        let Some(products) = registers.as_chunks::<V>().0.as_chunks::<TILES>().0.first_chunk() else {
            unreachable!("products of all points")
        };
        for (index, tile) in tiles.enumerate().take(TILES) {
            let [row, column] = tiling.output(tile);
            let pixel = row * columns + column;
            let fits = [row + 1 < rows, column + 1 < columns];
            for v in 0..V {
                let (channel, left) = (panel.first + v * N, panel.count - v * N);
                let [above, below] = outputs(products, index, v);
                // A constant count compiles to stores of whole registers.
                if left >= N && fits[0] && fits[1] {
                    for j in 0..2 {
                        store.store(pixel + j, channel, above[j], N);
                        store.store(pixel + columns + j, channel, below[j], N);
                    }
                    continue;
                }
                for j in 0..1 + usize::from(fits[1]) {
                    store.store(pixel + j, channel, above[j], left.min(N));
                    if fits[0] {
                        store.store(pixel + columns + j, channel, below[j], left.min(N));
                    }
                }
            }
        }
    }
}

/// `A^T m A` of one tile, for one register of outputs.
#[inline(always)]
fn outputs<const N: usize, const V: usize>(
    m: &[[[[f32; N]; V]; TILES]; POINTS],
    tile: usize,
    v: usize,
) -> [[Lanes<N>; 2]; 2] {
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
