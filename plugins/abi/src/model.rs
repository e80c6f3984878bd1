//! The supernet and the run, as a strategy gets to know them.

use crate::ffi::{
    NAS_LAYER_CONV, NAS_LAYER_LINEAR, NAS_LAYER_NORM, NAS_ROLE_BIAS, NAS_ROLE_SCALE, NAS_ROLE_SHIFT, NAS_ROLE_WEIGHT,
    NasDecision, NasLayer, NasModel, NasParam,
};
use crate::host::{Host, Value};
use crate::step::{array, known};
use crate::{Error, Result};

/// Everything that an instance may know when it is made.
#[derive(Debug)]
pub struct Context<'a> {
    /// The supernet.
    pub model: Model,
    pub(crate) host: &'a Host,
}

impl Context<'_> {
    /// A number among the options; whole ones count.
    ///
    /// # Errors
    /// A name that `OPTIONS` lacks, or a value that is no number; likewise below.
    pub fn number(&self, name: &str) -> Result<f64> {
        match self.host.option(name)? {
            Value::Number(number) => Ok(number),
            Value::Integer(number) => Ok(number as f64),
            other => Err(wrong(name, "a number", &other)),
        }
    }

    /// A whole number of at least 0 among the options.
    ///
    /// # Errors
    /// As [`number`](Self::number).
    pub fn count(&self, name: &str) -> Result<usize> {
        match self.host.option(name)? {
            Value::Integer(number) => usize::try_from(number)
                .map_err(|_| wrong(name, "a whole number of at least 0", &Value::Integer(number))),
            other => Err(wrong(name, "a whole number", &other)),
        }
    }

    /// A text among the options.
    ///
    /// # Errors
    /// As [`number`](Self::number).
    pub fn text(&self, name: &str) -> Result<String> {
        match self.host.option(name)? {
            Value::Text(text) => Ok(text),
            other => Err(wrong(name, "a text", &other)),
        }
    }

    /// A flag among the options.
    ///
    /// # Errors
    /// As [`number`](Self::number).
    pub fn flag(&self, name: &str) -> Result<bool> {
        match self.host.option(name)? {
            Value::Flag(flag) => Ok(flag),
            other => Err(wrong(name, "true or false", &other)),
        }
    }

    /// The host, to be kept for log and metrics.
    pub fn host(&self) -> Host {
        self.host.clone()
    }
}

fn wrong(name: &str, expected: &str, found: &Value) -> Error {
    Error::invalid(format!("option {name}: expected {expected}, found {found:?}"))
}

/// The supernet: decisions, layers, parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Name of the search space.
    pub space: String,
    /// What an architecture decides, in order.
    pub decisions: Vec<Decision>,
    /// Layers; their index is their id.
    pub layers: Vec<Layer>,
    /// Parameters; their index is their id.
    pub params: Vec<Param>,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Consecutive steps that one plan trains.
    pub steps_per_arch: u64,
}

/// One choice that architectures make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its name in the space.
    pub name: String,
    /// The names of its choices, in index order.
    pub choices: Vec<String>,
}

/// What a layer computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// Convolution, with optional ReLU before and batch normalisation behind.
    Conv,
    /// Batch normalisation alone.
    Norm,
    /// Linear, with bias.
    Linear,
    /// One that this version does not know.
    Other(u32),
}

/// One layer of the supernet. Pairs are vertical and horizontal; layers without a window have one of a single pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// What it computes.
    pub kind: LayerKind,
    /// Whether a ReLU comes first. Captured inputs are those before it.
    pub relu: bool,
    /// Input channels.
    pub c_in: usize,
    /// Output channels.
    pub c_out: usize,
    /// Groups of channels.
    pub groups: usize,
    /// Extent of the window.
    pub kernel: [usize; 2],
    /// Distance of neighbouring outputs.
    pub stride: [usize; 2],
    /// Zeros on each side.
    pub padding: [usize; 2],
    /// Distance of neighbouring taps; 1 for dense windows.
    pub dilation: [usize; 2],
    /// Its parameters in [`Model::params`].
    pub params: std::ops::Range<usize>,
}

/// What a parameter is to its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Convolution `[kh, kw, c_in / groups, c_out]` or linear `[1, 1, c_in, c_out]` weight.
    Weight,
    /// Bias of a linear layer, `[1, 1, 1, c_out]`.
    Bias,
    /// Scale of a batch normalisation, `[1, 1, 1, c]`.
    Scale,
    /// Shift of a batch normalisation, `[1, 1, 1, c]`.
    Shift,
    /// One that this version does not know.
    Other(u32),
}

/// One parameter tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name, `<layer>.<role>`.
    pub name: String,
    /// Index of its layer.
    pub layer: usize,
    /// What it is there.
    pub role: Role,
    /// Its sizes.
    pub shape: [usize; 4],
}

impl Model {
    /// A copy of the host's description.
    ///
    /// # Errors
    /// Null pointers, structs of an older host, or text that is not UTF-8.
    ///
    /// # Safety
    /// All pointers are null or valid.
    pub(crate) unsafe fn new(model: *const NasModel) -> std::result::Result<Self, String> {
        // SAFETY: the caller's promise covers the struct, its arrays and all that they lead to.
        unsafe {
            let model = known(model, "model")?;
            let decisions = array(model.decisions, model.decisions_len, "decisions")?;
            let layers = array(model.layers, model.layers_len, "layers")?;
            let params = array(model.params, model.params_len, "params")?;
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
    // SAFETY: as in `Model::new`.
    unsafe {
        let NasDecision { name, choices, choices_len, .. } = known(decision, "decision")?;
        let choices = array(*choices, *choices_len, "choices")?;
        let choices = choices.iter().map(|name| name.read().map(Into::into)).collect::<std::result::Result<_, _>>()?;
        Ok(Decision { name: name.read()?.into(), choices })
    }
}

unsafe fn layer(layer: *const NasLayer) -> std::result::Result<Layer, String> {
    // SAFETY: as in `Model::new`.
    let (layer, name) = unsafe {
        let layer = known(layer, "layer")?;
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
    // SAFETY: as in `Model::new`.
    let (param, name) = unsafe {
        let param = known(param, "parameter")?;
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
