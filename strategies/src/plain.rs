//! Plain weight sharing: ordinary SGD on sampled architectures, without protection against disturbance. It is the
//! control of every experiment.

use crate::reduce::Reduce;
use nas_core::options::{example, parse_options};
use nas_core::registry::StrategyDescriptor;
use nas_core::strategy::{MAX_PATHS, Path, Sampler, SharingStrategy, StrategyContext, StrategyError};
use nas_ops::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Table;

/// Options of `plain`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PlainOptions {
    /// Number of architectures per step, 1 to 1024, all on the same batch.
    paths: usize,
    /// Combination of the gradients of a step's architectures.
    reduce: Reduce,
}

impl Default for PlainOptions {
    fn default() -> Self {
        Self { paths: 1, reduce: Reduce::Mean }
    }
}

/// Trains `paths` sampled architectures per step.
struct Plain {
    paths: usize,
    /// Loss weight of each path.
    weight: f32,
}

impl<D: Backend> SharingStrategy<D> for Plain {
    fn plan(&mut self, sampler: &mut Sampler<'_>) -> Result<Vec<Path>, StrategyError> {
        let draw = |_| Ok(Path { arch: (sampler.draw)()?, weight: self.weight });
        (0..self.paths).map(draw).collect()
    }
}

fn build<D: Backend>(options: &Table, _: StrategyContext<D>) -> Result<Box<dyn SharingStrategy<D>>, StrategyError> {
    let PlainOptions { paths, reduce } = parse_options("strategy", options)?;
    if !(1..=MAX_PATHS).contains(&paths) {
        return Err(StrategyError::Option {
            option: "strategy.paths".into(),
            expected: format!("1 to {MAX_PATHS}"),
            found: paths.to_string(),
        });
    }
    Ok(Box::new(Plain { paths, weight: reduce.weight(paths) }))
}

inventory::submit! {
    StrategyDescriptor {
        name: "plain",
        summary: "ordinary SGD on one sampled architecture per step; the control of every experiment",
        reference: "Pham et al., Efficient Neural Architecture Search via Parameter Sharing, ICML 2018",
        options: &|| example(&PlainOptions::default()),
        cpu: &build,
        #[cfg(feature = "cuda")]
        cuda: &build,
    }
}
