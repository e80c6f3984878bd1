//! Layers and parameters of a network as data.

use super::{BuildNetwork, ChoiceSet, LayerCost, NetworkBuilder, NetworkError, Program};
use crate::arch::Arch;
use nas_ops::ConvSpec;
use std::collections::HashMap;

/// Index of a layer in its [`NetworkSpec`].
pub type LayerId = usize;
/// Index of a parameter in its [`NetworkSpec`].
pub type ParamId = usize;

/// Whether a network is a supernet or stands alone. It determines the scale and shift of batch normalisation, drop
/// path, and how a space shares weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkKind {
    /// Supernet with shared weights: batch normalisation has no parameters.
    Supernet,
    /// One architecture with weights of its own: batch normalisation has scale and shift.
    StandAlone,
}

/// Computation of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// `norm(conv(relu(x)))` without bias; ReLU and normalisation are optional.
    Conv {
        /// Whether a ReLU is applied to the input.
        relu: bool,
        /// Window and groups of the convolution.
        conv: ConvSpec,
        /// Number of input channels.
        c_in: usize,
        /// Number of output channels.
        c_out: usize,
        /// `None` for no batch normalisation, else whether it has scale and shift.
        norm: Option<bool>,
    },
    /// Batch normalisation.
    Norm {
        /// Number of channels.
        channels: usize,
        /// Whether there are scale and shift.
        affine: bool,
    },
    /// Linear layer `x w + b`.
    Linear {
        /// Number of input features.
        c_in: usize,
        /// Number of output features.
        c_out: usize,
    },
}

/// Role of a parameter in its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Weights of a convolution, `[kh, kw, c_in / groups, c_out]`, or of a linear layer, `[1, 1, c_in, c_out]`.
    Weight,
    /// Bias of a linear layer, `[1, 1, 1, c_out]`.
    Bias,
    /// Scale of a batch normalisation, `[1, 1, 1, c]`.
    Scale,
    /// Shift of a batch normalisation, `[1, 1, 1, c]`.
    Shift,
}

/// Description of a parameter tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamSpec {
    /// Name `LAYER.ROLE`, for example `stem.weight`.
    pub name: String,
    /// Layer to which the parameter belongs.
    pub layer: LayerId,
    /// Role of the parameter in its layer.
    pub role: Role,
    /// Shape of the tensor; see [`Role`].
    pub shape: [usize; 4],
}

impl ParamSpec {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the parameter has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Description of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSpec {
    /// Name, unique within the network.
    pub name: String,
    /// Computation of the layer.
    pub kind: LayerKind,
    /// Range of the layer's parameters in [`NetworkSpec::params`].
    pub params: std::ops::Range<ParamId>,
}

impl LayerSpec {
    /// Number of channels that the layer normalises; `None` without batch normalisation.
    pub fn norm_channels(&self) -> Option<usize> {
        match self.kind {
            LayerKind::Conv { norm: Some(_), c_out, .. } => Some(c_out),
            LayerKind::Norm { channels, .. } => Some(channels),
            _ => None,
        }
    }
}

/// All layers and parameters of a supernet or of one stand-alone architecture.
#[derive(Debug, Clone)]
pub struct NetworkSpec {
    /// Supernet or stand-alone architecture.
    pub kind: NetworkKind,
    /// Layers in the order of their first use.
    pub layers: Vec<LayerSpec>,
    /// Parameters, layer by layer.
    pub params: Vec<ParamSpec>,
    by_name: HashMap<String, LayerId>,
}

impl NetworkSpec {
    pub(super) fn new(kind: NetworkKind) -> Self {
        Self { kind, layers: Vec::new(), params: Vec::new(), by_name: HashMap::new() }
    }

    /// Describes the supernet of a space: all layers of all architectures.
    ///
    /// # Errors
    /// A scale at which the space cannot be built.
    pub fn supernet(space: &dyn BuildNetwork) -> Result<Self, NetworkError> {
        let mut spec = Self::new(NetworkKind::Supernet);
        NetworkBuilder::growing(&mut spec).finish(space, ChoiceSet::All)?;
        Ok(spec)
    }

    /// Describes a network with weights of its own, and returns its program: one architecture of a space
    /// ([`ChoiceSet::One`]), or a network without decisions ([`ChoiceSet::All`]).
    ///
    /// # Errors
    /// The same as [`supernet`](Self::supernet).
    pub fn stand_alone(network: &dyn BuildNetwork, choices: ChoiceSet<'_>) -> Result<(Self, Program), NetworkError> {
        let mut spec = Self::new(NetworkKind::StandAlone);
        let program = NetworkBuilder::growing(&mut spec).finish(network, choices)?;
        Ok((spec, program))
    }

    /// Builds the program of a network without decisions on the layers of this network. If `network` lacks the
    /// auxiliary head that these layers include, the program is the one for evaluation.
    ///
    /// # Errors
    /// The same as [`program`](Self::program).
    pub fn program_without_decisions(&self, network: &dyn BuildNetwork) -> Result<Program, NetworkError> {
        NetworkBuilder::fixed(self).finish(network, ChoiceSet::All)
    }

    /// Parameters and multiply-adds of the layers of a network without decisions, in the order of their use.
    ///
    /// # Errors
    /// The same as [`supernet`](Self::supernet).
    pub fn costs_without_decisions(network: &dyn BuildNetwork) -> Result<Vec<LayerCost>, NetworkError> {
        NetworkBuilder::growing(&mut Self::new(NetworkKind::StandAlone)).layer_costs(network)
    }

    /// Builds the program of one architecture on the layers of this network.
    ///
    /// # Errors
    /// The same as [`supernet`](Self::supernet), and a network of another space or scale.
    pub fn program(&self, space: &dyn BuildNetwork, arch: &Arch) -> Result<Program, NetworkError> {
        NetworkBuilder::fixed(self).finish(space, ChoiceSet::One(arch))
    }

    /// Index of the layer with this name.
    pub fn layer(&self, name: &str) -> Option<LayerId> {
        self.by_name.get(name).copied()
    }

    /// Parameters of a layer.
    pub fn params_of(&self, layer: LayerId) -> &[ParamSpec] {
        &self.params[self.layers[layer].params.clone()]
    }

    /// Number of elements of all parameters.
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
