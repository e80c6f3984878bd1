//! BackwardSums of matrices, point by point: of tiles with weights, and of tiles with gradients.

use super::{TILES, points::TransformedTiles};
use crate::cpu::{
    dense::{accumulate, add_gradient, match_distance},
    packed::{F32x8, PanelLayout},
    simd::{Isa, Kernel, LANES},
};

/// Point by point, `products[tile, o] = sum over c of points[tile, c] rows[c, o]`.
pub struct PointProducts<'a> {
    pub points: &'a TransformedTiles,
    pub rows: &'a [F32x8],
    pub vectors: usize,
    /// Tiles.
    pub count: usize,
    pub products: &'a mut [F32x8],
}

impl Kernel for PointProducts<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        match self.vectors {
            1 => match_distance!(self.points.channels, all::<I, 1, 8 or 8>(self)),
            2 if I::WIDE => match_distance!(self.points.channels, all::<I, 2, 16 or 8>(self)),
            2 => match_distance!(self.points.channels, all::<I, 2, 6 or 6>(self)),
            _ if I::WIDE => match_distance!(self.points.channels, all::<I, 4, 8 or 8>(self)),
            _ => unreachable!("panels of four registers are for wide ones"),
        }
    }
}

#[inline(always)]
fn all<I: Isa, const V: usize, const P: usize, const D: usize>(work: PointProducts<'_>) {
    let PointProducts { points, rows, count, products, .. } = work;
    let (channels, tiles) = (points.channels, &points.tiles[..count]);
    let zeros = [[0.0; LANES]; V];
    let rows = rows.as_chunks::<V>().0.chunks_exact(channels);
    let products = products.as_chunks_mut::<V>().0.as_chunks_mut::<TILES>().0;
    for (point, (rows, products)) in rows.zip(products).enumerate() {
        let inputs = points.of(point);
        let (blocks, last) = tiles.as_chunks::<P>();
        let (fours, ones) = last.as_chunks::<4>();
        let (outputs, last) = products[..count].as_chunks_mut::<P>();
        for (tiles, products) in blocks.iter().zip(outputs) {
            *products = accumulate::<I, V, P, D>(&zeros, &[0], channels, rows, inputs, tiles);
        }
        let (outputs, last) = last.as_chunks_mut::<4>();
        for (tiles, products) in fours.iter().zip(outputs) {
            *products = accumulate::<I, V, 4, D>(&zeros, &[0], channels, rows, inputs, tiles);
        }
        for (&tile, products) in ones.iter().zip(last) {
            [*products] = accumulate::<I, V, 1, 0>(&zeros, &[0], channels, rows, inputs, &[tile]);
        }
    }
}

/// Point by point, `total[c, o] += sum over tiles of x[tile, c] dz[tile, o]`.
pub struct AddWeightGradient<'a> {
    pub x: &'a TransformedTiles,
    pub dz: &'a TransformedTiles,
    /// Tiles.
    pub count: usize,
    pub layout: PanelLayout,
    pub total: &'a mut [F32x8],
}

impl Kernel for AddWeightGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { x, dz, count, layout, total } = self;
        for panel in layout.panels() {
            let total = &mut total[panel.start..][..layout.rows * panel.vectors];
            for (point, total) in total.chunks_exact_mut(x.channels * panel.vectors).enumerate() {
                let tiles =
                    x.of(point).chunks_exact(x.channels).zip(dz.of(point).chunks_exact(dz.channels)).take(count);
                match panel.vectors {
                    1 => add_gradient::<I, 1, 8>(tiles, &[0], x.channels, panel.first, total),
                    2 if I::WIDE => add_gradient::<I, 2, 16>(tiles, &[0], x.channels, panel.first, total),
                    2 => add_gradient::<I, 2, 6>(tiles, &[0], x.channels, panel.first, total),
                    _ if I::WIDE => add_gradient::<I, 4, 8>(tiles, &[0], x.channels, panel.first, total),
                    _ => unreachable!("panels of four registers are for wide ones"),
                }
            }
        }
    }
}
