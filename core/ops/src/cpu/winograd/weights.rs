//! Transforms of weights, and of their gradient.

use super::POINTS;
use crate::cpu::{
    buffer::Buffer,
    packed::{PackedMatrix, PanelLayout},
    simd::Lanes,
};

/// The layout of transformed weights, given the layout of nine taps.
pub fn transformed(taps: PanelLayout) -> PanelLayout {
    PanelLayout { rows: taps.rows / 9 * POINTS, ..taps }
}

/// `G g G^T` for weights of nine taps.
pub fn transform(taps: &PackedMatrix) -> PackedMatrix {
    let layout = transformed(taps.layout);
    let mut memory = Buffer::uninitialised(layout.len());
    both_sides(taps.layout, &taps.memory, layout, &mut memory, |[a, b, c]| {
        let [sum, half] = [a.plus(c), Lanes::splat(0.5)];
        [a, sum.plus(b).times(half), sum.minus(b).times(half), c]
    });
    PackedMatrix::from_memory(layout, memory)
}

/// `G^T m G`: the gradient of nine taps, given the gradient of the transformed weights.
pub fn gradient(points: &[f32], taps: PanelLayout) -> Buffer {
    let mut memory = Buffer::uninitialised(taps.len());
    both_sides(transformed(taps), points, taps, &mut memory, |[a, b, c, d]| {
        let half = Lanes::splat(0.5);
        let [sum, difference] = [b.plus(c).times(half), b.minus(c).times(half)];
        [a.plus(sum), difference, sum.plus(d)]
    });
    memory
}

/// Applies `map` to the columns and then to the rows of the `N x N` matrix of each input and output.
fn both_sides<const N: usize, const M: usize>(
    from: PanelLayout,
    source: &[f32],
    to: PanelLayout,
    target: &mut [f32],
    map: impl Fn([Lanes; N]) -> [Lanes; M],
) {
    let (source, target) = (source.as_chunks().0, target.as_chunks_mut().0);
    for (a, b) in from.panels().zip(to.panels()) {
        // Registers of one point, for all inputs.
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
