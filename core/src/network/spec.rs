//! Layers and their parameters as data.

use super::{Pick, Program, Wire, WireError, Wiring};
use crate::arch::Arch;
use nas_ops::ConvSpec;
use std::collections::HashMap;

/// Index of a layer in its [`NetworkSpec`].
pub type LayerId = usize;
/// Index of a parameter in its [`NetworkSpec`].
pub type ParamId = usize;

/// Whose network it is; decides what batch normalisation learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Shared weights: batch normalisation without parameters.
    Supernet,
    /// One architecture on its own: batch normalisation with scale and shift.
    StandAlone,
}

/// What a layer computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// `norm(conv(relu(x)))`; ReLU and normalisation are optional, there is no bias.
    Conv {
        /// Whether the input passes a ReLU first.
        relu: bool,
        /// Window and groups.
        conv: ConvSpec,
        /// Input channels.
        c_in: usize,
        /// Output channels.
        c_out: usize,
        /// `None`: no normalisation; `Some(affine)`: with or without scale and shift.
        norm: Option<bool>,
    },
    /// Batch normalisation alone.
    Norm {
        /// Channels.
        channels: usize,
        /// With scale and shift.
        affine: bool,
    },
    /// `x w + b`.
    Linear {
        /// Input features.
        c_in: usize,
        /// Output features.
        c_out: usize,
    },
}

/// What a parameter is to its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Convolution `[kh, kw, c_in / groups, c_out]` or linear `[1, 1, c_in, c_out]` weights.
    Weight,
    /// Bias of a linear layer, `[1, 1, 1, c_out]`.
    Bias,
    /// Scale of a batch normalisation, `[1, 1, 1, c]`.
    Scale,
    /// Shift of a batch normalisation, `[1, 1, 1, c]`.
    Shift,
}

/// A parameter tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamSpec {
    /// `<layer>.<role>`.
    pub name: String,
    /// Its layer.
    pub layer: LayerId,
    /// Its role there.
    pub role: Role,
    /// Its shape.
    pub shape: [usize; 4],
}

impl ParamSpec {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A layer and where its parameters are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSpec {
    /// Unique within its network.
    pub name: String,
    /// What it computes.
    pub kind: LayerKind,
    /// Its parameters in the network's list.
    pub params: std::ops::Range<ParamId>,
}

impl LayerSpec {
    /// Whether the layer normalises.
    pub fn norm_channels(&self) -> Option<usize> {
        match self.kind {
            LayerKind::Conv { norm: Some(_), c_out, .. } => Some(c_out),
            LayerKind::Norm { channels, .. } => Some(channels),
            _ => None,
        }
    }
}

/// All layers of a network and their parameters: of the supernet, or of one stand-alone architecture.
#[derive(Debug, Clone)]
pub struct NetworkSpec {
    /// Whose network it is.
    pub form: Form,
    /// The layers, in order of first use.
    pub layers: Vec<LayerSpec>,
    /// The parameters, layer by layer.
    pub params: Vec<ParamSpec>,
    by_name: HashMap<String, LayerId>,
}

impl NetworkSpec {
    pub(super) fn new(form: Form) -> Self {
        Self { form, layers: Vec::new(), params: Vec::new(), by_name: HashMap::new() }
    }

    /// The supernet of a space: every layer of every architecture.
    ///
    /// # Errors
    /// A scale at which the space cannot be built.
    pub fn supernet(space: &dyn Wire) -> Result<Self, WireError> {
        let mut spec = Self::new(Form::Supernet);
        Wiring::growing(&mut spec).finish(space, Pick::All)?;
        Ok(spec)
    }

    /// One architecture on its own, with its program.
    ///
    /// # Errors
    /// As [`supernet`](Self::supernet).
    pub fn stand_alone(space: &dyn Wire, arch: &Arch) -> Result<(Self, Program), WireError> {
        let mut spec = Self::new(Form::StandAlone);
        let program = Wiring::growing(&mut spec).finish(space, Pick::One(arch))?;
        Ok((spec, program))
    }

    /// The program of one architecture on the layers of this network.
    ///
    /// # Errors
    /// As [`supernet`](Self::supernet), or a network of another space.
    pub fn program(&self, space: &dyn Wire, arch: &Arch) -> Result<Program, WireError> {
        Wiring::fixed(self).finish(space, Pick::One(arch))
    }

    /// The layer of this name.
    pub fn layer(&self, name: &str) -> Option<LayerId> {
        self.by_name.get(name).copied()
    }

    /// The parameters of a layer.
    pub fn params_of(&self, layer: LayerId) -> &[ParamSpec] {
        &self.params[self.layers[layer].params.clone()]
    }

    /// Number of weights in all layers.
    pub fn param_count(&self) -> usize {
        self.params.iter().map(ParamSpec::len).sum()
    }

    pub(super) fn add(&mut self, name: &str, kind: LayerKind) -> LayerId {
        let layer = self.layers.len();
        let first = self.params.len();
        for (role, label, shape) in param_shapes(kind) {
            self.params.push(ParamSpec { name: format!("{name}.{label}"), layer, role, shape });
        }
        self.by_name.insert(name.into(), layer);
        self.layers.push(LayerSpec { name: name.into(), kind, params: first..self.params.len() });
        layer
    }
}

fn param_shapes(kind: LayerKind) -> Vec<(Role, &'static str, [usize; 4])> {
    let affine = |c| [(Role::Scale, "scale", [1, 1, 1, c]), (Role::Shift, "shift", [1, 1, 1, c])];
    match kind {
        LayerKind::Conv { conv, c_in, c_out, norm, .. } => {
            let [kh, kw] = conv.window.kernel;
            let mut params = vec![(Role::Weight, "weight", [kh, kw, c_in / conv.groups, c_out])];
            if norm == Some(true) {
                params.extend(affine(c_out));
            }
            params
        }
        LayerKind::Norm { channels, affine: true } => affine(channels).to_vec(),
        LayerKind::Norm { affine: false, .. } => Vec::new(),
        LayerKind::Linear { c_in, c_out } => {
            vec![(Role::Weight, "weight", [1, 1, c_in, c_out]), (Role::Bias, "bias", [1, 1, 1, c_out])]
        }
    }
}
