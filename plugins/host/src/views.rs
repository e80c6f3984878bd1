//! A step as a plugin sees it: copies in main memory of what it needs.
//!
//! dfdx lends out no memory of its tensors, so what is needed is copied once; what a plugin has written becomes the new
//! tensor without another copy.

use crate::model::pointed;
use dfdx::shapes::HasShape;
use nas_core::strategy::{Path, Step};
use nas_ops::{Backend, Tensor4};
use nas_plugin_abi::ffi::{
    NAS_DEVICE_CPU, NAS_DTYPE_FLOAT, NAS_NEEDS_GRADIENT, NAS_NEEDS_INPUT, NAS_NEEDS_UPDATE, NAS_NEEDS_WEIGHT,
    NAS_WRITES_GRADIENT, NAS_WRITES_UPDATE, NasDtype, NasInput, NasParamStep, NasPath, NasStep, NasTensor,
};
use std::ptr;

/// Numbers in main memory.
pub struct Staged {
    values: Vec<f32>,
    shape: [i64; 4],
    /// Whether all of them were finite.
    pub finite: bool,
}

/// What the plugin may see of one active parameter.
#[derive(Default)]
pub struct StagedParam {
    weight: Option<Staged>,
    /// The gradient.
    pub gradient: Option<Staged>,
    /// The update.
    pub update: Option<Staged>,
}

impl Staged {
    fn new<D: Backend>(tensor: &Tensor4<D>) -> Self {
        let (a, b, c, d) = *tensor.shape();
        let values = D::to_host(tensor);
        let finite = values.iter().all(|x| x.is_finite());
        Self { values, shape: [a, b, c, d].map(|size| size as i64), finite }
    }

    /// The place and value of a number that has become NaN or infinite.
    pub fn spoiled(&self) -> Option<(usize, f32)> {
        let found = || self.values.iter().copied().enumerate().find(|(_, x)| !x.is_finite());
        if self.finite { found() } else { None }
    }

    /// The numbers.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    fn view(&mut self) -> NasTensor {
        NasTensor { data: self.values.as_mut_ptr().cast(), shape: self.shape.as_ptr(), ..ABSENT }
    }
}

const ABSENT: NasTensor = NasTensor {
    data: ptr::null_mut(),
    device_type: NAS_DEVICE_CPU,
    device_id: 0,
    ndim: 4,
    dtype: NasDtype { code: NAS_DTYPE_FLOAT, bits: 32, lanes: 1 },
    shape: ptr::null(),
    strides: ptr::null(),
    byte_offset: 0,
};

/// The view of what is there, or of nothing.
fn view(staged: &mut Option<Staged>) -> NasTensor {
    staged.as_mut().map_or(NasTensor { ndim: 0, ..ABSENT }, Staged::view)
}

/// Copies what `needs` asks for, lets `hook` see it, and returns its code with what it may have written.
pub fn with_step<D: Backend>(
    step: &Step<D>,
    needs: u64,
    hook: impl FnOnce(*const NasStep) -> i32,
) -> (i32, Vec<StagedParam>) {
    let asked = |bits: u64| needs & bits != 0;
    let mut params: Vec<StagedParam> = step.params.iter().map(|_| StagedParam::default()).collect();
    for (staged, param) in params.iter_mut().zip(&step.params) {
        staged.weight = asked(NAS_NEEDS_WEIGHT).then(|| Staged::new(&param.weight));
        staged.gradient = asked(NAS_NEEDS_GRADIENT | NAS_WRITES_GRADIENT).then(|| Staged::new(&param.gradient));
        let update = param.update.as_ref().filter(|_| asked(NAS_NEEDS_UPDATE | NAS_WRITES_UPDATE));
        staged.update = update.map(Staged::new);
    }
    let kept = step.inputs.iter().filter(|_| asked(NAS_NEEDS_INPUT));
    let mut inputs: Vec<_> = kept.map(|seen| (seen.path, seen.layer, Staged::new(&seen.input))).collect();

    let paths = foreign_paths(&step.paths, &step.losses);
    let (_raw_params, param_pointers) = pointed(
        step.params
            .iter()
            .zip(&mut params)
            .map(|(param, staged)| NasParamStep {
                struct_size: size_of::<NasParamStep>(),
                param: param.param as u32,
                set: param.set as u32,
                weight: view(&mut staged.weight),
                gradient: view(&mut staged.gradient),
                update: view(&mut staged.update),
            })
            .collect(),
    );
    let (_raw_inputs, input_pointers) = pointed(
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

/// Paths as a plugin sees them.
pub struct ForeignPaths {
    _archs: Vec<Vec<u32>>,
    _paths: Vec<NasPath>,
    /// A pointer to each.
    pub pointers: Vec<*const NasPath>,
}

/// Paths with their losses, NaN where there are none.
pub fn foreign_paths(paths: &[Path], losses: &[f64]) -> ForeignPaths {
    let archs: Vec<Vec<u32>> = paths.iter().map(|path| choices(path.arch.choices())).collect();
    let path = |(i, path): (usize, &Path)| NasPath {
        struct_size: size_of::<NasPath>(),
        arch: archs[i].as_ptr(),
        arch_len: archs[i].len(),
        weight: f64::from(path.weight),
        loss: losses.get(i).copied().unwrap_or(f64::NAN),
    };
    let (raw, pointers) = pointed(paths.iter().enumerate().map(path).collect());
    ForeignPaths { _archs: archs, _paths: raw, pointers }
}

/// Choices in the width of the interface.
pub fn choices(choices: &[usize]) -> Vec<u32> {
    choices.iter().map(|choice| *choice as u32).collect()
}
