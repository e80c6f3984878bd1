//! Matrix products at each point of the transformed tiles: tiles times weights, and tiles times gradients.

use super::{TILES, points::TransformedTiles};
use crate::cpu::{
    dense::{BlockInputs, accumulate, add_gradient, has_constant},
    packed::{F32x8, PanelLayout},
    simd::{Isa, Kernel, LANES},
};

/// At each point, `products[tile, o] = sum over c of points[tile, c] rows[c, o]`.
pub struct MultiplyWeights<'a> {
    pub points: &'a TransformedTiles,
    pub rows: &'a [F32x8],
    /// Registers per row of the panel.
    pub vectors: usize,
    /// Number of tiles.
    pub count: usize,
    pub products: &'a mut [F32x8],
}

impl Kernel for MultiplyWeights<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        match self.vectors {
            1 => self.all::<I, 1, 8, true>(),
            2 if I::WIDE && has_constant(self.points.channels) => self.all::<I, 2, 16, true>(),
            2 if I::WIDE => self.all::<I, 2, 8, false>(),
            2 => self.all::<I, 2, 6, true>(),
            _ if I::WIDE => self.all::<I, 4, 8, true>(),
            _ => unreachable!("only wide registers have panels of four"),
        }
    }
}

impl MultiplyWeights<'_> {
    /// In blocks of `P` tiles, then four, then one.
    #[inline(always)]
    fn all<I: Isa, const V: usize, const P: usize, const SPACED: bool>(self) {
        let Self { points, rows, count, products, .. } = self;
        let (channels, tiles) = (points.channels, &points.tiles[..count]);
        let rows = rows.as_chunks::<V>().0.chunks_exact(channels);
        let products = products.as_chunks_mut::<V>().0.as_chunks_mut::<TILES>().0;
        for (point, (rows, products)) in rows.zip(products).enumerate() {
            let frame = points.of(point);
            let (blocks, last) = tiles.as_chunks::<P>();
            let (fours, ones) = last.as_chunks::<4>();
            let (outputs, last) = products[..count].as_chunks_mut::<P>();
            for (tiles, products) in blocks.iter().zip(outputs) {
                *products = multiply::<I, V, P, SPACED>(rows, frame, tiles, channels);
            }
            let (outputs, last) = last.as_chunks_mut::<4>();
            for (tiles, products) in fours.iter().zip(outputs) {
                *products = multiply::<I, V, 4, SPACED>(rows, frame, tiles, channels);
            }
            for (&tile, products) in ones.iter().zip(last) {
                [*products] = multiply::<I, V, 1, false>(rows, frame, &[tile], channels);
            }
        }
    }
}

/// Multiplies one block of `P` tiles, which start at `tiles` in `frame`.
#[inline(always)]
fn multiply<I: Isa, const V: usize, const P: usize, const SPACED: bool>(
    rows: &[[F32x8; V]],
    frame: &[f32],
    tiles: &[usize; P],
    channels: usize,
) -> [[F32x8; V]; P] {
    let inputs = BlockInputs { run_offsets: &[0], run_len: channels, frame, sources: tiles, distance: channels };
    accumulate::<I, V, P, SPACED>(&[[0.0; LANES]; V], rows, inputs)
}

/// At each point, `total[c, o] += sum over tiles of x[tile, c] dz[tile, o]`.
pub struct AddGradientProducts<'a> {
    pub x: &'a TransformedTiles,
    pub dz: &'a TransformedTiles,
    /// Number of tiles.
    pub count: usize,
    pub layout: PanelLayout,
    pub total: &'a mut [F32x8],
}

impl Kernel for AddGradientProducts<'_> {
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
                    _ => unreachable!("only wide registers have panels of four"),
                }
            }
        }
    }
}
