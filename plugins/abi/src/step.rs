//! Views of one training step, passed to the hooks.

use crate::ffi::{NasInput, NasParamStep, NasPath, NasStep};
use crate::tensor::{float_slice, float_slice_mut};

/// One architecture of a step.
#[derive(Debug, Clone, Copy)]
pub struct Path<'a> {
    /// Index of the choice of each decision.
    pub arch: &'a [u32],
    /// Factor of the loss. The gradients of all paths are summed.
    pub weight: f64,
    /// Cross-entropy of the path without the factor; NaN in `end_arch`.
    pub loss: f64,
}

/// One active parameter. A parameter is active if an architecture of the step uses it.
#[derive(Debug)]
pub struct ParamStep<'a> {
    /// Index of the parameter in [`Model::params`](crate::Model::params).
    pub param: usize,
    /// Weight set that `bind` selected; 0 by default.
    pub set: u32,
    /// Weights before the update; in `after_update` those after it. Empty without `Needs::WEIGHT`.
    pub weight: &'a [f32],
    /// Gradient of the weighted losses, summed over the paths. Empty without `Needs::GRADIENT` or
    /// `Needs::WRITES_GRADIENT`.
    pub gradient: &'a mut [f32],
    /// Value that is added to the weights: `-lr v`, momentum and weight decay included. Empty in `after_backward`, and
    /// without `Needs::UPDATE` or `Needs::WRITES_UPDATE`.
    pub update: &'a mut [f32],
}

/// The input of one layer under one path.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Index in [`Step::paths`].
    pub path: usize,
    /// Index in [`Model::layers`](crate::Model::layers).
    pub layer: usize,
    /// Sizes `[n, h, w, c_in]`.
    pub shape: [usize; 4],
    /// Values in row-major order, before the ReLU of the layer.
    pub values: &'a [f32],
}

/// One training step. Its views are valid during the call of the hook.
#[derive(Debug)]
pub struct Step<'a> {
    /// Number of the step in the run, counted from 0.
    pub number: u64,
    /// Epoch, counted from 0.
    pub epoch: u64,
    /// Learning rate of the step.
    pub lr: f64,
    /// Architectures trained in the step.
    pub paths: Vec<Path<'a>>,
    /// Active parameters, in ascending order of weight set and index.
    pub params: Vec<ParamStep<'a>>,
    /// Captured inputs, in the order of the paths.
    pub inputs: Vec<Input<'a>>,
}

impl<'a> Step<'a> {
    /// Creates the views of a step of the host.
    ///
    /// # Errors
    /// A pointer is null, a struct is smaller than that of this version, or a tensor has an unsupported layout.
    ///
    /// # Safety
    /// `step` and all pointers that are reachable from it must be null or valid for `'a`. During `'a`, no other
    /// reference to the gradients and updates may exist.
    pub(crate) unsafe fn new(step: *const NasStep) -> Result<Self, String> {
        // SAFETY: the caller guarantees that all reachable pointers are null or valid.
        unsafe {
            let step = sized_struct(step, "step")?;
            let params = slice(step.params, step.params_len, "params")?;
            let inputs = slice(step.inputs, step.inputs_len, "inputs")?;
            Ok(Self {
                number: step.number,
                epoch: step.epoch,
                lr: step.lr,
                paths: paths(step.paths, step.paths_len)?,
                params: params.iter().map(|param| ParamStep::new(*param)).collect::<Result<_, _>>()?,
                inputs: inputs.iter().map(|input| Input::new(*input)).collect::<Result<_, _>>()?,
            })
        }
    }
}

impl ParamStep<'_> {
    unsafe fn new(param: *const NasParamStep) -> Result<Self, String> {
        // SAFETY: the caller gives the guarantees of `Step::new`.
        unsafe {
            let NasParamStep { param, set, weight, gradient, update, .. } = sized_struct(param, "parameter")?;
            Ok(Self {
                param: *param as usize,
                set: *set,
                weight: float_slice(format_args!("weight of parameter {param}"), weight)?.0,
                gradient: float_slice_mut(format_args!("gradient of parameter {param}"), gradient)?.0,
                update: float_slice_mut(format_args!("update of parameter {param}"), update)?.0,
            })
        }
    }
}

impl Input<'_> {
    unsafe fn new(input: *const NasInput) -> Result<Self, String> {
        // SAFETY: the caller gives the guarantees of `Step::new`.
        unsafe {
            let NasInput { path, layer, input, .. } = sized_struct(input, "input")?;
            let (values, shape) = float_slice(format_args!("input of layer {layer}"), input)?;
            Ok(Self { path: *path as usize, layer: *layer as usize, shape, values })
        }
    }
}

/// Creates the views of an array of paths.
///
/// # Errors
/// As [`Step::new`].
///
/// # Safety
/// As [`Step::new`].
pub(crate) unsafe fn paths<'a>(first: *const *const NasPath, len: usize) -> Result<Vec<Path<'a>>, String> {
    // SAFETY: the caller gives the guarantees of `Step::new`.
    unsafe {
        let view = |path: &*const NasPath| {
            let NasPath { arch, arch_len, weight, loss, .. } = sized_struct(*path, "path")?;
            Ok(Path { arch: slice(*arch, *arch_len, "choices")?, weight: *weight, loss: *loss })
        };
        slice(first, len, "paths")?.iter().map(view).collect()
    }
}

/// A reference to a struct that begins with its size, if it has all fields of this version.
///
/// # Safety
/// `pointer` must be null or aligned and point to a struct whose first field is its size in bytes, valid for `'a`.
pub(crate) unsafe fn sized_struct<'a, T>(pointer: *const T, what: &str) -> Result<&'a T, String> {
    if pointer.is_null() {
        return Err(format!("the host passed a null pointer for a {what}"));
    }
    // SAFETY: not null, so the caller guarantees a struct that begins with its size.
    let size = unsafe { *pointer.cast::<usize>() };
    if size < size_of::<T>() {
        return Err(format!(
            "the {what} of the host has {size} bytes, expected at least {}: use a newer nas-train",
            size_of::<T>()
        ));
    }
    // SAFETY: the struct is at least as large as `T`, so the host has initialised all fields of `T`.
    Ok(unsafe { &*pointer })
}

/// A slice of `len` values. A null pointer is accepted if `len` is 0.
///
/// # Safety
/// `first` must be null or aligned and point to `len` initialised values, valid for `'a`.
pub(crate) unsafe fn slice<'a, T>(first: *const T, len: usize, what: &str) -> Result<&'a [T], String> {
    match (first.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(format!("the host passed a null pointer for {len} {what}")),
        // SAFETY: not null, so the caller guarantees `len` valid values.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(first, len) }),
    }
}
