//! Products of matrices, point by point: of tiles with weights, and of tiles with gradients.

use super::{TILES, points::Points};
use crate::cpu::{
    dense::{accumulate, add_gradient},
    packed::{Eight, Layout},
    simd::{Kernel, LANES},
};

/// Point by point, `products[tile, o] = sum over c of points[tile, c] rows[c, o]`.
pub struct Multiply<'a> {
    pub points: &'a Points,
    pub rows: &'a [Eight],
    pub vectors: usize,
    /// Tiles.
    pub count: usize,
    pub products: &'a mut [Eight],
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

/// Point by point, `total[c, o] += sum over tiles of x[tile, c] dz[tile, o]`.
pub struct AddProducts<'a> {
    pub x: &'a Points,
    pub dz: &'a Points,
    /// Tiles.
    pub count: usize,
    pub layout: Layout,
    pub total: &'a mut [Eight],
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
