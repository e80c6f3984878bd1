//! A convolution without its numbers: where in a frame the inputs of each output lie.
//!
//! The forward pass of every convolution, and the gradient of its input, are sums
//! `y[target] = sum frame[source + run + k] weight[run, k]` over runs of neighbouring numbers. At stride `s` the
//! gradient of the input is `s` times `s` of them, one for each remainder of a pixel's position, with the taps that
//! reach it.

use super::frame::Frame;
use crate::shape::ConvShape;

/// Sources, targets and runs; offsets count numbers in a frame.
#[derive(Debug, Clone)]
pub struct Correlation {
    /// For each output the offset of its first input.
    pub sources: Vec<usize>,
    /// For each output its pixel.
    pub targets: Vec<usize>,
    /// Offsets of the runs from a source.
    pub runs: Vec<usize>,
    /// Length of every run.
    pub run: usize,
    /// The taps `[a, b]` of the kernel, in the order of the runs.
    pub taps: Vec<[usize; 2]>,
    /// Outputs in a row.
    pub columns: usize,
    /// Runs in a row.
    run_columns: usize,
}

/// The outputs of one remainder along one axis: `(frame position of the first tap, output)`, and `(tap, offset)`.
type Axis = (Vec<(usize, usize)>, Vec<(usize, usize)>);

impl Correlation {
    /// From the framed input to the output. `merge` joins the taps of a row where they are neighbours.
    pub fn forward(shape: &ConvShape, frame: &Frame, merge: bool) -> Self {
        let axis = |axis: usize| {
            let outputs = (0..shape.out[axis]).map(|i| (i * shape.window.stride[axis], i)).collect();
            let taps = (0..shape.window.kernel[axis]).map(|tap| (tap, tap * shape.window.dilation[axis])).collect();
            (outputs, taps)
        };
        Self::join(&axis(0), &axis(1), frame, shape.out[1], merge)
    }

    /// Every output from one pixel of its own, of which there are `pixels` in a row, `distance` numbers apart.
    pub fn pointwise(pixels: usize, channels: usize, distance: usize) -> Self {
        Self {
            sources: (0..pixels).map(|pixel| pixel * distance).collect(),
            targets: (0..pixels).collect(),
            runs: vec![0],
            run: channels,
            taps: vec![[0, 0]],
            columns: pixels,
            run_columns: 1,
        }
    }

    /// From the framed gradient of the output to that of the input; several, which together reach each pixel once.
    pub fn backward(shape: &ConvShape, frame: &Frame, merge: bool) -> Vec<Self> {
        let axes = [0, 1].map(|axis| {
            let remainders = 0..shape.window.stride[axis];
            remainders.map(|remainder| Self::remainder(shape, frame, axis, remainder)).collect::<Vec<Axis>>()
        });
        let pairs = axes[0].iter().flat_map(|rows| axes[1].iter().map(move |columns| (rows, columns)));
        let joined = pairs.map(|(rows, columns)| Self::join(rows, columns, frame, shape.size[1], merge));
        joined.filter(|part| !part.taps.is_empty() && !part.targets.is_empty()).collect()
    }

    fn remainder(shape: &ConvShape, frame: &Frame, axis: usize, remainder: usize) -> Axis {
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

    fn join(rows: &Axis, columns: &Axis, frame: &Frame, width: usize, merge: bool) -> Self {
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
            runs: runs.collect(),
            run: joined * frame.channels,
            taps,
            columns: columns.0.len(),
            run_columns: starts.len(),
        }
    }

    /// From the first input of an output to that of its neighbour in a row, if it has one.
    pub fn distance(&self) -> Option<usize> {
        distance(&self.sources, self.columns)
    }

    /// Runs in a row and the distance of neighbouring outputs in pixels of `channels`, if the runs of a row are
    /// neighbours too. Outputs in a row are at equal distances.
    pub fn regular(&self, channels: usize) -> Option<(usize, usize)> {
        let pixels = |distance: Option<usize>| distance.map_or(1, |numbers| numbers / channels);
        let neighbours = pixels(distance(&self.runs, self.run_columns)) == 1;
        neighbours.then(|| (self.run_columns, pixels(self.distance())))
    }
}

/// From the first offset of a row to the second.
fn distance(offsets: &[usize], columns: usize) -> Option<usize> {
    (columns > 1).then(|| offsets[1] - offsets[0])
}
