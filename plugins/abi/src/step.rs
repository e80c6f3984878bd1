//! What the hooks of one step see.

use crate::ffi::{NasInput, NasParamStep, NasPath, NasStep};
use crate::tensor::{numbers, numbers_mut};

/// One architecture of a step.
#[derive(Debug, Clone, Copy)]
pub struct Path<'a> {
    /// For each decision the index of its choice.
    pub arch: &'a [u32],
    /// Factor of its loss; gradients of all paths are summed.
    pub weight: f64,
    /// Its cross-entropy, before the factor; NaN in `end_arch`.
    pub loss: f64,
}

/// One active parameter. Active is what the step's architectures run through.
#[derive(Debug)]
pub struct ParamStep<'a> {
    /// Index of the parameter in [`Model::params`](crate::Model::params).
    pub param: usize,
    /// Its weight set, 0 unless `bind` says otherwise.
    pub set: u32,
    /// Its value before the update, after it in `after_update`; empty without `Needs::WEIGHT`.
    pub weight: &'a [f32],
    /// Gradient of the weighted loss, summed over the paths; empty without a need for it.
    pub gradient: &'a mut [f32],
    /// What is about to be added to the weight, `-lr v`, momentum and decay included; empty in `after_backward` and
    /// without a need for it.
    pub update: &'a mut [f32],
}

/// The input of one layer under one path.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Index of the path.
    pub path: usize,
    /// Index of the layer.
    pub layer: usize,
    /// Its sizes `[n, h, w, c_in]`.
    pub shape: [usize; 4],
    /// Its numbers, before the layer's own ReLU.
    pub values: &'a [f32],
}

/// One step. All views end with the call.
#[derive(Debug)]
pub struct Step<'a> {
    /// Steps before this one.
    pub number: u64,
    /// Epoch, from 0.
    pub epoch: u64,
    /// Learning rate.
    pub lr: f64,
    /// The architectures trained.
    pub paths: Vec<Path<'a>>,
    /// The active parameters, ascending by weight set and index.
    pub params: Vec<ParamStep<'a>>,
    /// Captured inputs, path by path.
    pub inputs: Vec<Input<'a>>,
}

impl<'a> Step<'a> {
    /// The views behind a step of the host.
    ///
    /// # Errors
    /// Null pointers, structs of an older host, or tensors that are no row-major floats.
    ///
    /// # Safety
    /// All pointers are null or valid for `'a`, and gradients and updates belong to nobody else meanwhile.
    pub(crate) unsafe fn new(step: *const NasStep) -> Result<Self, String> {
        // SAFETY: the caller's promise covers the struct, its arrays and all that they lead to.
        unsafe {
            let step = known(step, "step")?;
            let params = array(step.params, step.params_len, "params")?;
            let inputs = array(step.inputs, step.inputs_len, "inputs")?;
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
        // SAFETY: as in `Step::new`.
        unsafe {
            let NasParamStep { param, set, weight, gradient, update, .. } = known(param, "parameter")?;
            Ok(Self {
                param: *param as usize,
                set: *set,
                weight: numbers(format_args!("weight of parameter {param}"), weight)?.0,
                gradient: numbers_mut(format_args!("gradient of parameter {param}"), gradient)?.0,
                update: numbers_mut(format_args!("update of parameter {param}"), update)?.0,
            })
        }
    }
}

impl Input<'_> {
    unsafe fn new(input: *const NasInput) -> Result<Self, String> {
        // SAFETY: as in `Step::new`.
        unsafe {
            let NasInput { path, layer, input, .. } = known(input, "input")?;
            let (values, shape) = numbers(format_args!("input of layer {layer}"), input)?;
            Ok(Self { path: *path as usize, layer: *layer as usize, shape, values })
        }
    }
}

/// The views of paths.
///
/// # Errors
/// As [`Step::new`].
///
/// # Safety
/// As [`Step::new`].
pub(crate) unsafe fn paths<'a>(first: *const *const NasPath, len: usize) -> Result<Vec<Path<'a>>, String> {
    // SAFETY: as in `Step::new`.
    unsafe {
        let view = |path: &*const NasPath| {
            let NasPath { arch, arch_len, weight, loss, .. } = known(*path, "path")?;
            Ok(Path { arch: array(*arch, *arch_len, "choices")?, weight: *weight, loss: *loss })
        };
        array(first, len, "paths")?.iter().map(view).collect()
    }
}

/// A struct that begins with its size, if it holds all fields that this version knows.
///
/// # Safety
/// The pointer is null or leads to as many bytes as its first field says, valid for `'a`.
pub(crate) unsafe fn known<'a, T>(pointer: *const T, what: &str) -> Result<&'a T, String> {
    if pointer.is_null() {
        return Err(format!("the host passed a null pointer for a {what}"));
    }
    // SAFETY: not null; every such struct begins with its size.
    let size = unsafe { *pointer.cast::<usize>() };
    if size < size_of::<T>() {
        return Err(format!("the host's {what} has {size} bytes, expected at least {}: it is older", size_of::<T>()));
    }
    // SAFETY: all fields lie within the size that the host has filled.
    Ok(unsafe { &*pointer })
}

/// A slice of what lies behind a pointer; a null pointer is an empty one.
///
/// # Safety
/// The pointer is null or leads to `len` values, valid for `'a`.
pub(crate) unsafe fn array<'a, T>(first: *const T, len: usize, what: &str) -> Result<&'a [T], String> {
    match (first.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(format!("the host passed a null pointer for {len} {what}")),
        // SAFETY: not null; the caller answers for the rest.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(first, len) }),
    }
}
