//! Options of `ogd`: as given by the user, and as checked.

mod number_or_word;
mod settings;

pub use number_or_word::NumberOrWord;
pub use settings::{MemoryPolicy, OgdSettings, SampleSelection};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// JSON schema of a [`NumberOrWord`]: any value. The documentation of the field lists the accepted words.
type AnyValue = serde_json::Value;

/// Computation of the projector `P` from the Gram matrix `S` of the recorded patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProjectorRule {
    /// `P = (I + S / (N alpha))^-1`, with the number `N` of recorded patches.
    Normalised,
    /// `P = (I + S / alpha)^-1`, equation 8 of the paper.
    Accumulated,
}

/// Unit of alpha.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlphaUnit {
    /// The mean square of the recorded patch elements, for each layer.
    Energy,
    /// 1, as in the paper.
    Absolute,
}

/// Change of alpha over a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlphaSchedule {
    /// `alpha` in every step.
    Constant,
    /// Linear from `alpha` to `alpha_end`.
    Linear,
    /// Exponential from `alpha` to `alpha_end`: the same factor in every step.
    Exponential,
}

/// Time at which the inputs of an architecture enter the projector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OwnInputs {
    /// After the last step of the architecture, so that they never restrict its own updates.
    After,
    /// After each step.
    During,
}

/// Order of the two parts of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepOrder {
    /// Project with the inputs of earlier steps, then record the inputs of this step (`update` is the update of the
    /// recorded inputs).
    ProjectThenUpdate,
    /// Record first, so that the inputs of a step restrict its own update. Requires `own_inputs = "during"`.
    UpdateThenProject,
}

/// Quantity that is projected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProjectionTarget {
    /// The update that is added to the weights, momentum and weight decay included.
    Update,
    /// The gradient, before clipping, momentum and weight decay.
    Gradient,
}

/// Options of `ogd` as given by the user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OgdOptions {
    /// Computation of the projector from the recorded patches.
    pub rule: ProjectorRule,
    /// Regularisation, a positive number or `auto`. A smaller alpha keeps the recorded outputs closer to their values.
    /// `auto` is 1 with `rule = "accumulated"`; otherwise 0.3 with one step per architecture and 0.08 with more.
    #[schemars(with = "AnyValue")]
    pub alpha: NumberOrWord,
    /// Unit of `alpha` and `alpha_end`.
    pub alpha_unit: AlphaUnit,
    /// Change of alpha over the run.
    pub alpha_schedule: AlphaSchedule,
    /// Alpha at the end of the run. Unused with `alpha_schedule = "constant"`.
    pub alpha_end: f64,
    /// Number of images recorded per step: a number, `all`, or `batch-mean` for the mean of the batch as a single
    /// image.
    #[schemars(with = "AnyValue")]
    pub samples: NumberOrWord,
    /// Stride over the output locations at which patches are recorded, 1 to 1024, in both directions.
    pub location_stride: usize,
    /// Architectures whose inputs are protected: the `previous` one, `all` earlier ones, or a factor between 0 and 1.
    /// The factor multiplies older inputs of a layer each time a later architecture uses it. `auto` is `previous` with
    /// one step per architecture and `rule = "normalised"`, otherwise `all`.
    #[schemars(with = "AnyValue")]
    pub memory: NumberOrWord,
    /// Time at which the inputs of an architecture enter the projector.
    pub own_inputs: OwnInputs,
    /// Order of projection and recording in a step.
    pub order: StepOrder,
    /// Quantity that is projected.
    pub project: ProjectionTarget,
    /// Minimum number of steps between two computations of the same projector.
    pub refresh: u64,
    /// Number of steps at the start of the run without recording and projection.
    pub warm_up: u64,
    /// Whether linear layers are projected, too.
    pub classifier: bool,
    /// Control experiment: scale each update to the length of the projected one and keep its direction.
    pub shrink_only: bool,
}

impl Default for OgdOptions {
    fn default() -> Self {
        Self {
            rule: ProjectorRule::Normalised,
            alpha: NumberOrWord::word("auto"),
            alpha_unit: AlphaUnit::Energy,
            alpha_schedule: AlphaSchedule::Constant,
            alpha_end: 0.001,
            samples: NumberOrWord::Number(8.0),
            location_stride: 2,
            memory: NumberOrWord::word("auto"),
            own_inputs: OwnInputs::After,
            order: StepOrder::ProjectThenUpdate,
            project: ProjectionTarget::Update,
            refresh: 1,
            warm_up: 0,
            classifier: true,
            shrink_only: false,
        }
    }
}
