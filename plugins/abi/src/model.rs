//! Description of the supernet and the run, passed to a strategy when it is created.

use crate::ffi::{
    NAS_LAYER_CONV, NAS_LAYER_LINEAR, NAS_LAYER_NORM, NAS_ROLE_BIAS, NAS_ROLE_SCALE, NAS_ROLE_SHIFT, NAS_ROLE_WEIGHT,
    NasDecision, NasLayer, NasModel, NasParam,
};
use crate::host::{Host, Value};
use crate::step::{sized_struct, slice};
use crate::{Error, Result};

/// Argument of [`Strategy::create`](crate::Strategy::create): the supernet, the options and the host.
#[derive(Debug)]
pub struct Context<'a> {
    /// Description of the supernet and the length of the run.
    pub model: Model,
    pub(crate) host: &'a Host,
}

impl Context<'_> {
    /// The value of a numeric option. Whole numbers are accepted.
    ///
    /// # Errors
    /// `OPTIONS` does not declare the option, or its value has another kind.
    pub fn number(&self, name: &str) -> Result<f64> {
        match self.host.option(name)? {
            Value::Number(number) => Ok(number),
            Value::Integer(number) => Ok(number as f64),
            other => Err(wrong_kind(name, "a number", &other)),
        }
    }

    /// The value of an option that is a whole number of at least 0.
    ///
    /// # Errors
    /// As [`number`](Self::number).
    pub fn count(&self, name: &str) -> Result<usize> {
        match self.host.option(name)? {
            Value::Integer(number) => usize::try_from(number)
                .map_err(|_| wrong_kind(name, "a whole number of at least 0", &Value::Integer(number))),
            other => Err(wrong_kind(name, "a whole number", &other)),
        }
    }

    /// The value of a text option.
    ///
    /// # Errors
    /// As [`number`](Self::number).
    pub fn text(&self, name: &str) -> Result<String> {
        match self.host.option(name)? {
            Value::Text(text) => Ok(text),
            other => Err(wrong_kind(name, "a text", &other)),
        }
    }

    /// The value of an option that is true or false.
    ///
    /// # Errors
    /// As [`number`](Self::number).
    pub fn flag(&self, name: &str) -> Result<bool> {
        match self.host.option(name)? {
            Value::Flag(flag) => Ok(flag),
            other => Err(wrong_kind(name, "true or false", &other)),
        }
    }

    /// The host, for log and metrics. Store it in a field of the strategy.
    pub fn host(&self) -> Host {
        self.host.clone()
    }
}

fn wrong_kind(name: &str, expected: &str, found: &Value) -> Error {
    Error::invalid(format!("option {name}: expected {expected}, found {found:?}"))
}

/// Description of the supernet and the length of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Name of the search space.
    pub space: String,
    /// Decisions, in the order of the choices of an architecture.
    pub decisions: Vec<Decision>,
    /// Layers. Other structs refer to a layer by its index.
    pub layers: Vec<Layer>,
    /// Parameters. Other structs refer to a parameter by its index.
    pub params: Vec<Param>,
    /// Number of steps of the whole run.
    pub total_steps: u64,
    /// Number of consecutive steps that train the same plan.
    pub steps_per_arch: u64,
}

/// One decision of the search space. An architecture takes one of its choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Name, unique in the search space.
    pub name: String,
    /// Names of the choices, in index order.
    pub choices: Vec<String>,
}

/// Kind of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// Convolution, with an optional ReLU before it and an optional batch normalisation after it.
    Conv,
    /// Batch normalisation without a convolution.
    Norm,
    /// Linear layer with a bias.
    Linear,
    /// Unknown to this version of the crate.
    Other(u32),
}

/// One layer of the supernet.
///
/// Pairs are vertical and horizontal. For layers other than convolutions, `groups`, `kernel`, `stride` and `dilation`
/// are 1 and `padding` is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Name, unique in the supernet.
    pub name: String,
    /// Kind of the layer.
    pub kind: LayerKind,
    /// Whether the layer applies a ReLU before its convolution. Captured inputs are those before the ReLU.
    pub relu: bool,
    /// Input channels.
    pub c_in: usize,
    /// Output channels.
    pub c_out: usize,
    /// Groups of the convolution.
    pub groups: usize,
    /// Size of the kernel.
    pub kernel: [usize; 2],
    /// Stride.
    pub stride: [usize; 2],
    /// Zero padding of each side.
    pub padding: [usize; 2],
    /// Dilation; 1 for dense kernels.
    pub dilation: [usize; 2],
    /// Indices of the parameters of the layer in [`Model::params`].
    pub params: std::ops::Range<usize>,
}

/// Role of a parameter in its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Weight of a convolution, `[kh, kw, c_in / groups, c_out]`, or of a linear layer, `[1, 1, c_in, c_out]`.
    Weight,
    /// Bias of a linear layer, `[1, 1, 1, c_out]`.
    Bias,
    /// Scale of a batch normalisation, `[1, 1, 1, c]`.
    Scale,
    /// Shift of a batch normalisation, `[1, 1, 1, c]`.
    Shift,
    /// Unknown to this version of the crate.
    Other(u32),
}

/// One parameter tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Name, `<layer>.<role>`.
    pub name: String,
    /// Index of the layer in [`Model::layers`].
    pub layer: usize,
    /// Role in the layer.
    pub role: Role,
    /// Sizes of the four dimensions, as given at [`Role`].
    pub shape: [usize; 4],
}

impl Model {
    /// Copies the description of the host.
    ///
    /// # Errors
    /// A pointer is null, a struct is smaller than that of this version, or a text is not UTF-8.
    ///
    /// # Safety
    /// `model` and all pointers that are reachable from it must be null or valid.
    pub(crate) unsafe fn new(model: *const NasModel) -> std::result::Result<Self, String> {
        // SAFETY: the caller guarantees that all reachable pointers are null or valid.
        unsafe {
            let model = sized_struct(model, "model")?;
            let decisions = slice(model.decisions, model.decisions_len, "decisions")?;
            let layers = slice(model.layers, model.layers_len, "layers")?;
            let params = slice(model.params, model.params_len, "params")?;
            Ok(Self {
                space: model.space.read()?.into(),
                decisions: decisions.iter().map(|d| decision(*d)).collect::<std::result::Result<_, _>>()?,
                layers: layers.iter().map(|l| layer(*l)).collect::<std::result::Result<_, _>>()?,
                params: params.iter().map(|p| param(*p)).collect::<std::result::Result<_, _>>()?,
                total_steps: model.total_steps,
                steps_per_arch: model.steps_per_arch,
            })
        }
    }
}

unsafe fn decision(decision: *const NasDecision) -> std::result::Result<Decision, String> {
    // SAFETY: `Model::new` passes a pointer for which its caller guarantees validity.
    unsafe {
        let NasDecision { name, choices, choices_len, .. } = sized_struct(decision, "decision")?;
        let choices = slice(*choices, *choices_len, "choices")?;
        let choices = choices.iter().map(|name| name.read().map(Into::into)).collect::<std::result::Result<_, _>>()?;
        Ok(Decision { name: name.read()?.into(), choices })
    }
}

unsafe fn layer(layer: *const NasLayer) -> std::result::Result<Layer, String> {
    // SAFETY: `Model::new` passes a pointer for which its caller guarantees validity.
    let (layer, name) = unsafe {
        let layer = sized_struct(layer, "layer")?;
        (layer, layer.name.read()?)
    };
    let pair = |pair: [u32; 2]| pair.map(|x| x as usize);
    let first = layer.first_param as usize;
    Ok(Layer {
        name: name.into(),
        kind: match layer.kind {
            NAS_LAYER_CONV => LayerKind::Conv,
            NAS_LAYER_NORM => LayerKind::Norm,
            NAS_LAYER_LINEAR => LayerKind::Linear,
            other => LayerKind::Other(other),
        },
        relu: layer.relu != 0,
        c_in: layer.c_in as usize,
        c_out: layer.c_out as usize,
        groups: layer.groups as usize,
        kernel: pair(layer.kernel),
        stride: pair(layer.stride),
        padding: pair(layer.padding),
        dilation: pair(layer.dilation),
        params: first..first + layer.params_len as usize,
    })
}

unsafe fn param(param: *const NasParam) -> std::result::Result<Param, String> {
    // SAFETY: `Model::new` passes a pointer for which its caller guarantees validity.
    let (param, name) = unsafe {
        let param = sized_struct(param, "parameter")?;
        (param, param.name.read()?)
    };
    Ok(Param {
        name: name.into(),
        layer: param.layer as usize,
        role: match param.role {
            NAS_ROLE_WEIGHT => Role::Weight,
            NAS_ROLE_BIAS => Role::Bias,
            NAS_ROLE_SCALE => Role::Scale,
            NAS_ROLE_SHIFT => Role::Shift,
            other => Role::Other(other),
        },
        shape: param.shape.map(|size| size as usize),
    })
}
