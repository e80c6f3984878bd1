//! The access pattern of a convolution: the offsets in a frame of the inputs of each output.
//!
//! The forward pass of each convolution, and the gradient of its input, are sums
//! `y[target] = sum frame[source + offset(run) + k] weight[run, k]` over runs of contiguous elements. At stride `s` the
//! gradient of the input is `s` times `s` such correlations: one for each remainder of a pixel's position divided by
//! `s`, with the taps that reach the pixel.

use super::frame::Frame;
use crate::shape::ConvShape;

/// The sources, targets and runs of a correlation. Offsets count elements of a frame.
#[derive(Debug, Clone)]
pub struct Correlation {
    /// For each output, the offset of its first input.
    pub sources: Vec<usize>,
    /// For each output, its pixel.
    pub targets: Vec<usize>,
    /// Offset of each run from a source.
    pub run_offsets: Vec<usize>,
    /// Length of each run, in elements.
    pub run_len: usize,
    /// The taps `[a, b]` (row and column of the window), in the order of the runs.
    pub taps: Vec<[usize; 2]>,
    /// Outputs per row.
    pub columns: usize,
    /// Runs per row.
    run_columns: usize,
}

/// A correlation along one axis: `(frame position of the first tap, output)` for each output, and `(tap, offset)` for
/// each tap.
type AxisPlan = (Vec<(usize, usize)>, Vec<(usize, usize)>);

impl Correlation {
    /// From the framed input to the output. `merge` joins taps of a row into one run where they are contiguous.
    pub fn forward(shape: &ConvShape, frame: &Frame, merge: bool) -> Self {
        let axis = |axis: usize| {
            let outputs = (0..shape.out[axis]).map(|i| (i * shape.window.stride[axis], i)).collect();
            let taps = (0..shape.window.kernel[axis]).map(|tap| (tap, tap * shape.window.dilation[axis])).collect();
            (outputs, taps)
        };
        Self::join(&axis(0), &axis(1), frame, shape.out[1], merge)
    }

    /// A 1 x 1 convolution of one row of `pixels` pixels, `distance` elements apart.
    pub fn pointwise(pixels: usize, channels: usize, distance: usize) -> Self {
        Self {
            sources: (0..pixels).map(|pixel| pixel * distance).collect(),
            targets: (0..pixels).collect(),
            run_offsets: vec![0],
            run_len: channels,
            taps: vec![[0, 0]],
            columns: pixels,
            run_columns: 1,
        }
    }

    /// From the framed gradient of the output to the gradient of the input. Each pixel is a target of at most one of
    /// the correlations.
    pub fn backward(shape: &ConvShape, frame: &Frame, merge: bool) -> Vec<Self> {
        let axes = [0, 1].map(|axis| {
            let remainders = 0..shape.window.stride[axis];
            remainders.map(|remainder| Self::remainder(shape, frame, axis, remainder)).collect::<Vec<AxisPlan>>()
        });
        let pairs = axes[0].iter().flat_map(|rows| axes[1].iter().map(move |columns| (rows, columns)));
        let joined = pairs.map(|(rows, columns)| Self::join(rows, columns, frame, shape.size[1], merge));
        joined.filter(|part| !part.taps.is_empty() && !part.targets.is_empty()).collect()
    }

    /// The inputs whose padded position has a certain remainder divided by the stride, along one axis.
    fn remainder(shape: &ConvShape, frame: &Frame, axis: usize, remainder: usize) -> AxisPlan {
        let (window, stride) = (shape.window, shape.window.stride[axis]);
        let reaches = (0..window.kernel[axis]).map(|tap| (tap, tap * window.dilation[axis]));
        let back = reaches.filter(|(_, reach)| reach % stride == remainder).map(|(tap, reach)| (tap, reach / stride));
        let back = back.collect::<Vec<_>>();
        let farthest = back.iter().map(|&(_, back)| back).max().unwrap_or(0);
        let positions = (0..shape.size[axis]).map(|pixel| (pixel + window.padding[axis], pixel));
        let outputs = positions
            .filter(|(position, _)| !back.is_empty() && position % stride == remainder)
            .map(|(position, pixel)| (position / stride + frame.before[axis] - farthest, pixel))
            .collect();
        (outputs, back.iter().rev().map(|&(tap, back)| (tap, farthest - back)).collect())
    }

    /// Combines the plans of both axes.
    fn join(rows: &AxisPlan, columns: &AxisPlan, frame: &Frame, width: usize, merge: bool) -> Self {
        let pixels = rows.0.iter().flat_map(|&row| columns.0.iter().map(move |&column| (row, column)));
        let (sources, targets) =
            pixels.map(|((row, i), (column, j))| (frame.offset(row, column), i * width + j)).unzip();
        let taps = rows.1.iter().flat_map(|row| columns.1.iter().map(|column| [row.0, column.0])).collect();
        let neighbours = columns.1.windows(2).all(|pair| pair[1].1 == pair[0].1 + 1);
        let joined = if merge && neighbours { columns.1.len().max(1) } else { 1 };
        let starts = columns.1.iter().step_by(joined).map(|&(_, column)| column).collect::<Vec<_>>();
        let runs = rows.1.iter().flat_map(|&(_, row)| starts.iter().map(move |&column| frame.offset(row, column)));
        Self {
            sources,
            targets,
            run_offsets: runs.collect(),
            run_len: joined * frame.channels,
            taps,
            columns: columns.0.len(),
            run_columns: starts.len(),
        }
    }

    /// Distance of the sources of neighbouring outputs in a row; `None` if rows have one output.
    pub fn distance(&self) -> Option<usize> {
        distance(&self.sources, self.columns)
    }

    /// The number of runs per row and the distance of neighbouring outputs, in pixels of `channels` elements; `None`
    /// unless the runs of a row are neighbouring pixels. The outputs of a row are at equal distances.
    pub fn regular(&self, channels: usize) -> Option<(usize, usize)> {
        let pixels = |distance: Option<usize>| distance.map_or(1, |numbers| numbers / channels);
        let neighbours = pixels(distance(&self.run_offsets, self.run_columns)) == 1;
        neighbours.then(|| (self.run_columns, pixels(self.distance())))
    }
}

/// Distance of the first two offsets of a row; `None` if rows have one offset.
fn distance(offsets: &[usize], columns: usize) -> Option<usize> {
    (columns > 1).then(|| offsets[1] - offsets[0])
}
