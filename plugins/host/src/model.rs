//! Description of the supernet for a plugin (`NasModel`).

use nas_core::network::{LayerKind, LayerSpec, NetworkSpec, ParamSpec, Role};
use nas_core::space::{Decision, SearchSpace};
use nas_ops::ConvSpec;
use nas_plugin_abi::ffi::{
    NAS_LAYER_CONV, NAS_LAYER_LINEAR, NAS_LAYER_NORM, NAS_ROLE_BIAS, NAS_ROLE_SCALE, NAS_ROLE_SHIFT, NAS_ROLE_WEIGHT,
    NasDecision, NasLayer, NasModel, NasParam, NasStr,
};
use std::rc::Rc;
use std::sync::Arc;

/// Description of a supernet, with the memory that its pointers lead to.
pub struct PluginModel {
    raw: Rc<NasModel>,
    _memory: ModelMemory,
}

/// Memory that `NasModel` points to. Moving a `Vec` or an `Arc` does not move its elements.
struct ModelMemory {
    _space: Arc<dyn SearchSpace>,
    _spec: Arc<NetworkSpec>,
    _choices: Vec<Vec<NasStr>>,
    _decisions: (Vec<NasDecision>, Vec<*const NasDecision>),
    _layers: (Vec<NasLayer>, Vec<*const NasLayer>),
    _params: (Vec<NasParam>, Vec<*const NasParam>),
}

impl PluginModel {
    /// Describes the supernet of a run.
    pub fn new(space: &Arc<dyn SearchSpace>, spec: &Arc<NetworkSpec>, total_steps: u64, steps_per_arch: usize) -> Self {
        let names = |d: &Decision| d.choices.iter().map(|name| NasStr::of(name)).collect();
        let choices: Vec<Vec<NasStr>> = space.decisions().iter().map(names).collect();
        let decision = |(d, choices): (&Decision, &Vec<NasStr>)| NasDecision {
            struct_size: size_of::<NasDecision>(),
            name: NasStr::of(&d.name),
            choices: choices.as_ptr(),
            choices_len: choices.len(),
        };
        let decisions = with_pointers(space.decisions().iter().zip(&choices).map(decision).collect());
        let layers = with_pointers(spec.layers.iter().map(layer).collect());
        let params = with_pointers(spec.params.iter().map(param).collect());
        let raw = Rc::new(NasModel {
            struct_size: size_of::<NasModel>(),
            space: NasStr::of(space.name()),
            decisions: decisions.1.as_ptr(),
            decisions_len: decisions.1.len(),
            layers: layers.1.as_ptr(),
            layers_len: layers.1.len(),
            params: params.1.as_ptr(),
            params_len: params.1.len(),
            total_steps,
            steps_per_arch: steps_per_arch as u64,
        });
        let memory = ModelMemory {
            _space: space.clone(),
            _spec: spec.clone(),
            _choices: choices,
            _decisions: decisions,
            _layers: layers,
            _params: params,
        };
        Self { raw, _memory: memory }
    }

    /// The description, valid while this value exists.
    pub fn raw(&self) -> *const NasModel {
        Rc::as_ptr(&self.raw)
    }
}

/// The values and a pointer to each. The pointers are valid while the vector of values exists unchanged.
pub fn with_pointers<T>(values: Vec<T>) -> (Vec<T>, Vec<*const T>) {
    let pointers = values.iter().map(|value| &raw const *value).collect();
    (values, pointers)
}

fn layer(spec: &LayerSpec) -> NasLayer {
    let mut raw = NasLayer {
        struct_size: size_of::<NasLayer>(),
        name: NasStr::of(&spec.name),
        kind: NAS_LAYER_NORM,
        relu: 0,
        c_in: 0,
        c_out: 0,
        groups: 1,
        kernel: [1; 2],
        stride: [1; 2],
        padding: [0; 2],
        dilation: [1; 2],
        first_param: spec.params.start as u32,
        params_len: spec.params.len() as u32,
    };
    let (kind, c_in, c_out) = match spec.kind {
        LayerKind::Conv { relu, conv: ConvSpec { window, groups }, c_in, c_out, .. } => {
            let pair = |pair: [usize; 2]| pair.map(|x| x as u32);
            raw.relu = u32::from(relu);
            raw.groups = groups as u32;
            (raw.kernel, raw.stride) = (pair(window.kernel), pair(window.stride));
            (raw.padding, raw.dilation) = (pair(window.padding), pair(window.dilation));
            (NAS_LAYER_CONV, c_in, c_out)
        }
        LayerKind::Norm { channels, .. } => (NAS_LAYER_NORM, channels, channels),
        LayerKind::Linear { c_in, c_out } => (NAS_LAYER_LINEAR, c_in, c_out),
    };
    NasLayer { kind, c_in: c_in as u32, c_out: c_out as u32, ..raw }
}

fn param(spec: &ParamSpec) -> NasParam {
    NasParam {
        struct_size: size_of::<NasParam>(),
        name: NasStr::of(&spec.name),
        layer: spec.layer as u32,
        role: match spec.role {
            Role::Weight => NAS_ROLE_WEIGHT,
            Role::Bias => NAS_ROLE_BIAS,
            Role::Scale => NAS_ROLE_SCALE,
            Role::Shift => NAS_ROLE_SHIFT,
        },
        shape: spec.shape.map(|size| size as u64),
    }
}
