//! Checks of shapes. Operations make them first, so that later code cannot panic.

use crate::{ConvSpec, NormArgs, OpError, PoolSpec, Tensor4, Window};
use dfdx::{shapes::HasShape, tensor::Storage};

/// Sizes of four dimensions.
pub(crate) type Dims = (usize, usize, usize, usize);

/// Dimensions after an operation of stride 2: height and width are halved and rounded up.
pub(crate) fn half((n, h, w, c): Dims) -> Dims {
    (n, h.div_ceil(2), w.div_ceil(2), c)
}

/// Checks that there is one factor for each image.
pub(crate) fn factor_for_each_image(factors: &[f32], (n, ..): Dims) -> Result<(), OpError> {
    match factors.len() {
        found if found == n => Ok(()),
        found => Err(OpError::Shape {
            op: "scale_images",
            expected: format!("{n} factors, one for each image"),
            found: found.to_string(),
        }),
    }
}

/// Largest number of elements of any tensor or unfolded window, so that no product of sizes overflows.
const MAX_ELEMENTS: usize = isize::MAX as usize / 64;

/// The checked sizes of a convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvShape {
    /// Number of images.
    pub n: usize,
    /// Height and width of the input.
    pub size: [usize; 2],
    /// Height and width of the output.
    pub out: [usize; 2],
    /// Channels of the input, a multiple of `groups`.
    pub c_in: usize,
    /// Channels of the output, a multiple of `groups`.
    pub c_out: usize,
    /// Number of groups of channels.
    pub groups: usize,
    /// Kernel size, stride, padding and dilation.
    pub window: Window,
}

impl ConvShape {
    /// Checks the dimensions of input and weights of a convolution.
    pub fn new(op: &'static str, x: Dims, weight: Dims, spec: ConvSpec) -> Result<Self, OpError> {
        let input = Self::of_input(op, x, spec)?;
        let [kh, kw] = spec.window.kernel;
        let (inputs, outputs) = (input.c_in / spec.groups, weight.3);
        expect(op, weight.0 == kh && weight.1 == kw && weight.2 == inputs, || {
            (format!("weights [{kh}, {kw}, {inputs}, c_out]"), format!("{weight:?}"))
        })?;
        expect(op, outputs > 0 && outputs % spec.groups == 0, || {
            (format!("output channels in {} groups", spec.groups), format!("{outputs} channels"))
        })?;
        countable(op, &[input.n, input.out[0], input.out[1], outputs])?;
        Ok(Self { c_out: outputs, ..input })
    }

    /// Checks the dimensions of the input only; `c_out` is 0.
    pub fn of_input(op: &'static str, x: Dims, spec: ConvSpec) -> Result<Self, OpError> {
        let (n, h, w, c_in) = not_empty(op, x)?;
        expect(op, spec.groups > 0 && c_in % spec.groups == 0, || {
            ("groups that divide the input channels".into(), format!("{c_in} channels in {} groups", spec.groups))
        })?;
        let out = output(op, [h, w], &spec.window)?;
        let [kh, kw] = spec.window.kernel;
        countable(op, &[n, out[0], out[1], kh, kw, c_in])?;
        Ok(Self { n, size: [h, w], out, c_in, c_out: 0, groups: spec.groups, window: spec.window })
    }

    /// Elements per input image.
    pub fn input_len(&self) -> usize {
        self.size[0] * self.size[1] * self.c_in
    }

    /// Elements per output image.
    pub fn output_len(&self) -> usize {
        self.out[0] * self.out[1] * self.c_out
    }
}

/// The checked sizes of a pool. Each window covers at least one pixel of the image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolShape {
    /// Number of images.
    pub n: usize,
    /// Height and width of the input.
    pub size: [usize; 2],
    /// Height and width of the output.
    pub out: [usize; 2],
    /// Channels.
    pub c: usize,
    /// Kernel size, stride, padding and dilation.
    pub window: Window,
}

impl PoolShape {
    /// Checks the dimensions of the input of a pool.
    pub fn new(x: Dims, spec: PoolSpec) -> Result<Self, OpError> {
        let op = "pool2d";
        let (n, h, w, c) = not_empty(op, x)?;
        let window = spec.window;
        let out = output(op, [h, w], &window)?;
        countable(op, &[n, out[0], out[1], window.kernel[0], window.kernel[1], c])?;
        for axis in 0..2 {
            let covered = |i| taps(&window, axis, i, [h, w][axis]).next().is_some();
            expect(op, (0..out[axis]).all(covered), || {
                ("windows that each cover a pixel".into(), format!("{window:?} on an image of {h} x {w}"))
            })?;
        }
        Ok(Self { n, size: [h, w], out, c, window })
    }
}

/// The taps of output `i` along `axis` that lie inside an image of `size` pixels, as `(tap, pixel)`.
pub(crate) fn taps(
    window: &Window,
    axis: usize,
    i: usize,
    size: usize,
) -> impl Iterator<Item = (usize, usize)> + use<> {
    let (stride, dilation, padding) = (window.stride[axis], window.dilation[axis], window.padding[axis]);
    (0..window.kernel[axis])
        .map(move |tap| (tap, (i * stride + tap * dilation).wrapping_sub(padding)))
        .filter(move |&(_, pixel)| pixel < size)
}

/// Checks the vectors of a batch normalisation of `c` channels.
pub(crate) fn check_norm<D: Storage<f32>>(op: &'static str, c: usize, norm: &NormArgs<'_, D>) -> Result<(), OpError> {
    let fixed = norm.fixed.map(|moments| [&moments.mean, &moments.variance]);
    let affine = norm.affine.map(|(scale, shift)| [scale, shift]);
    for vector in [fixed, affine].into_iter().flatten().flatten() {
        check_vector(op, c, vector)?;
    }
    Ok(())
}

/// Checks that `vector` is `[1, 1, 1, c]`.
pub(crate) fn check_vector<D: Storage<f32>>(op: &'static str, c: usize, vector: &Tensor4<D>) -> Result<(), OpError> {
    let found = *vector.shape();
    expect(op, found == (1, 1, 1, c), || (format!("a vector [1, 1, 1, {c}]"), format!("{found:?}")))
}

/// Checks a linear layer and returns `(n, c_in, c_out)`.
pub(crate) fn check_linear<D: Storage<f32>>(
    x: Dims,
    weight: &Tensor4<D>,
    bias: Option<&Tensor4<D>>,
) -> Result<(usize, usize, usize), OpError> {
    let op = "linear";
    let (n, h, w, c_in) = not_empty(op, x)?;
    expect(op, h == 1 && w == 1, || ("an input [n, 1, 1, c_in]".into(), format!("{x:?}")))?;
    let (one, also_one, inputs, c_out) = not_empty(op, *weight.shape())?;
    expect(op, one == 1 && also_one == 1 && inputs == c_in, || {
        (format!("weights [1, 1, {c_in}, c_out]"), format!("{:?}", weight.shape()))
    })?;
    if let Some(bias) = bias {
        check_vector(op, c_out, bias)?;
    }
    countable(op, &[n, c_in, c_out])?;
    Ok((n, c_in, c_out))
}

/// Checks that there is at least one term and that all have one shape, and returns the shape.
pub(crate) fn check_terms(terms: impl IntoIterator<Item = Dims>) -> Result<Dims, OpError> {
    let op = "sum";
    let mut terms = terms.into_iter();
    let first = not_empty(op, terms.next().ok_or_else(|| shape_error(op, "at least one tensor", "none"))?)?;
    for other in terms {
        expect(op, other == first, || (format!("a tensor of shape {first:?}"), format!("{other:?}")))?;
    }
    Ok(first)
}

/// Checks that the gradient, velocity or update `found` has the shape of its parameter.
pub(crate) fn check_like(param: Dims, found: Dims) -> Result<(), OpError> {
    expect("update", found == param, || (format!("a tensor of the parameter's shape {param:?}"), format!("{found:?}")))
}

/// Checks that there is at least one part and that all have equal `n`, `h`, `w`, and returns the concatenated shape.
pub(crate) fn check_parts(parts: impl IntoIterator<Item = Dims>) -> Result<Dims, OpError> {
    let op = "concat";
    let mut parts = parts.into_iter();
    let first = parts.next().ok_or_else(|| shape_error(op, "at least one tensor", "none"))?;
    let (n, h, w, mut channels) = not_empty(op, first)?;
    for part in parts {
        let found = not_empty(op, part)?;
        expect(op, (found.0, found.1, found.2) == (n, h, w), || {
            (format!("a tensor of shape [{n}, {h}, {w}, c]"), format!("{found:?}"))
        })?;
        channels = channels.saturating_add(found.3);
    }
    countable(op, &[n, h, w, channels])?;
    Ok((n, h, w, channels))
}

/// Checks the scores and targets of a cross-entropy and returns the shape of the targets.
pub(crate) fn check_targets(scores: Dims, targets: (usize, usize)) -> Result<(usize, usize), OpError> {
    let op = "cross_entropy";
    let (n, h, w, classes) = not_empty(op, scores)?;
    expect(op, (h, w) == (1, 1), || ("scores [n, 1, 1, classes]".into(), format!("{scores:?}")))?;
    expect(op, targets == (n, classes), || (format!("targets [{n}, {classes}]"), format!("{targets:?}")))?;
    Ok(targets)
}

/// Number of elements of a tensor.
pub(crate) fn elements((n, h, w, c): Dims) -> usize {
    n * h * w * c
}

/// Checks that no dimension is zero.
pub(crate) fn not_empty(op: &'static str, x: Dims) -> Result<Dims, OpError> {
    expect(op, x.0 > 0 && x.1 > 0 && x.2 > 0 && x.3 > 0, || {
        ("a tensor with at least one element".into(), format!("{x:?}"))
    })?;
    Ok(x)
}

/// Output size of a window; errors name the operation `op`.
fn output(op: &'static str, size: [usize; 2], window: &Window) -> Result<[usize; 2], OpError> {
    window.output(size).map_err(|error| match error {
        OpError::Shape { expected, found, .. } => OpError::Shape { op, expected, found },
        other => other,
    })
}

/// Checks that a tensor of these dimensions is addressable.
fn countable(op: &'static str, dims: &[usize]) -> Result<(), OpError> {
    let elements = dims.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim));
    expect(op, elements.is_some_and(|elements| elements <= MAX_ELEMENTS), || {
        ("a size that fits into memory".into(), format!("{dims:?}"))
    })
}

/// An error with `(expected, found)` unless `holds`.
fn expect(op: &'static str, holds: bool, words: impl FnOnce() -> (String, String)) -> Result<(), OpError> {
    if holds {
        return Ok(());
    }
    let (expected, found) = words();
    Err(OpError::Shape { op, expected, found })
}

fn shape_error(op: &'static str, expected: &str, found: &str) -> OpError {
    OpError::Shape { op, expected: expected.into(), found: found.into() }
}
