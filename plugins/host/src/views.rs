//! A training step in the form of the C interface (`NasStep`), with copies of the tensors that the plugin needs.
//!
//! dfdx gives no access to the memory of a tensor, so each needed tensor is copied to main memory once. The memory that
//! a plugin has written to becomes the new tensor without another copy.

use crate::model::with_pointers;
use dfdx::shapes::HasShape;
use nas_core::strategy::{Path, Step};
use nas_ops::{Backend, Tensor4};
use nas_plugin_abi::ffi::{
    NAS_DEVICE_CPU, NAS_DTYPE_FLOAT, NAS_NEEDS_GRADIENT, NAS_NEEDS_INPUT, NAS_NEEDS_UPDATE, NAS_NEEDS_WEIGHT,
    NAS_WRITES_GRADIENT, NAS_WRITES_UPDATE, NasDtype, NasInput, NasParamStep, NasPath, NasStep, NasTensor,
};
use std::ptr;

/// Copy of a tensor in main memory.
pub struct HostCopy {
    values: Vec<f32>,
    shape: [i64; 4],
    /// Whether all values were finite before the plugin could write to them.
    finite: bool,
}

/// Copies of the tensors of one active parameter; `None` for tensors that the plugin does not need.
#[derive(Default)]
pub struct ParamCopies {
    weight: Option<HostCopy>,
    pub gradient: Option<HostCopy>,
    pub update: Option<HostCopy>,
}

impl HostCopy {
    fn new<D: Backend>(tensor: &Tensor4<D>) -> Self {
        let (a, b, c, d) = *tensor.shape();
        let values = D::to_host(tensor);
        let finite = values.iter().all(|x| x.is_finite());
        Self { values, shape: [a, b, c, d].map(|size| size as i64), finite }
    }

    /// Index and value of the first NaN or infinity, if all values of the tensor were finite before.
    pub fn new_non_finite(&self) -> Option<(usize, f32)> {
        let found = || self.values.iter().copied().enumerate().find(|(_, x)| !x.is_finite());
        if self.finite { found() } else { None }
    }

    /// The values, in row-major order.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    fn view(&mut self) -> NasTensor {
        NasTensor { data: self.values.as_mut_ptr().cast(), ndim: 4, shape: self.shape.as_ptr(), ..ABSENT }
    }
}

/// A tensor without data and shape.
const ABSENT: NasTensor = NasTensor {
    data: ptr::null_mut(),
    device_type: NAS_DEVICE_CPU,
    device_id: 0,
    ndim: 0,
    dtype: NasDtype { code: NAS_DTYPE_FLOAT, bits: 32, lanes: 1 },
    shape: ptr::null(),
    strides: ptr::null(),
    byte_offset: 0,
};

/// The view of a copy, or an absent tensor.
fn view(copy: &mut Option<HostCopy>) -> NasTensor {
    copy.as_mut().map_or(ABSENT, HostCopy::view)
}

/// Copies the tensors that `needs` selects and calls `hook` with them. Returns its status code and the copies, which
/// the hook may have changed.
pub fn with_step<D: Backend>(
    step: &Step<D>,
    needs: u64,
    hook: impl FnOnce(*const NasStep) -> i32,
) -> (i32, Vec<ParamCopies>) {
    let needed = |bits: u64| needs & bits != 0;
    let mut params: Vec<ParamCopies> = step.params.iter().map(|_| ParamCopies::default()).collect();
    for (copies, param) in params.iter_mut().zip(&step.params) {
        copies.weight = needed(NAS_NEEDS_WEIGHT).then(|| HostCopy::new(&param.weight));
        copies.gradient = needed(NAS_NEEDS_GRADIENT | NAS_WRITES_GRADIENT).then(|| HostCopy::new(&param.gradient));
        let update = param.update.as_ref().filter(|_| needed(NAS_NEEDS_UPDATE | NAS_WRITES_UPDATE));
        copies.update = update.map(HostCopy::new);
    }
    let captured = step.inputs.iter().filter(|_| needed(NAS_NEEDS_INPUT));
    let mut inputs: Vec<_> = captured.map(|input| (input.path, input.layer, HostCopy::new(&input.input))).collect();

    let paths = PluginPaths::new(&step.paths, &step.losses);
    let (_raw_params, param_pointers) = with_pointers(
        step.params
            .iter()
            .zip(&mut params)
            .map(|(param, copies)| NasParamStep {
                struct_size: size_of::<NasParamStep>(),
                param: param.param as u32,
                set: param.set as u32,
                weight: view(&mut copies.weight),
                gradient: view(&mut copies.gradient),
                update: view(&mut copies.update),
            })
            .collect(),
    );
    let (_raw_inputs, input_pointers) = with_pointers(
        inputs
            .iter_mut()
            .map(|(path, layer, input)| NasInput {
                struct_size: size_of::<NasInput>(),
                path: *path as u32,
                layer: *layer as u32,
                input: input.view(),
            })
            .collect(),
    );
    let raw = NasStep {
        struct_size: size_of::<NasStep>(),
        number: step.number,
        epoch: step.epoch as u64,
        lr: step.lr,
        paths: paths.pointers.as_ptr(),
        paths_len: paths.pointers.len(),
        params: param_pointers.as_ptr(),
        params_len: param_pointers.len(),
        inputs: input_pointers.as_ptr(),
        inputs_len: input_pointers.len(),
    };
    let code = hook(&raw);
    (code, params)
}

/// Paths in the form of the C interface, with the memory that they point to.
pub struct PluginPaths {
    _archs: Vec<Vec<u32>>,
    _paths: Vec<NasPath>,
    /// A pointer to each path, valid while this value exists.
    pub pointers: Vec<*const NasPath>,
}

impl PluginPaths {
    /// Paths with their losses. A path without a loss gets NaN.
    pub fn new(paths: &[Path], losses: &[f64]) -> Self {
        let archs: Vec<Vec<u32>> = paths.iter().map(|path| choices(path.arch.choices())).collect();
        let path = |(i, path): (usize, &Path)| NasPath {
            struct_size: size_of::<NasPath>(),
            arch: archs[i].as_ptr(),
            arch_len: archs[i].len(),
            weight: f64::from(path.weight),
            loss: losses.get(i).copied().unwrap_or(f64::NAN),
        };
        let (raw, pointers) = with_pointers(paths.iter().enumerate().map(path).collect());
        Self { _archs: archs, _paths: raw, pointers }
    }
}

/// The choices of an architecture in the integer type of the C interface.
pub fn choices(choices: &[usize]) -> Vec<u32> {
    choices.iter().map(|choice| *choice as u32).collect()
}
