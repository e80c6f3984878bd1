//! Plain weight sharing: nothing protects one architecture from another. The control of every experiment.

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
struct Options {
    /// Architectures a step, all on the same batch.
    paths: usize,
    /// How their gradients become one.
    reduce: Reduce,
}

impl Default for Options {
    fn default() -> Self {
        Self { paths: 1, reduce: Reduce::Mean }
    }
}

/// Trains `paths` drawn architectures a step with ordinary SGD.
struct Plain {
    paths: usize,
    weight: f32,
}

impl<D: Backend> SharingStrategy<D> for Plain {
    fn plan(&mut self, sampler: &mut Sampler<'_>) -> Result<Vec<Path>, StrategyError> {
        let draw = |_| (sampler.draw)().map(|arch| Path { arch, weight: self.weight }).map_err(StrategyError::Other);
        (0..self.paths).map(draw).collect()
    }
}

fn build<D: Backend>(options: &Table, _: StrategyContext<D>) -> Result<Box<dyn SharingStrategy<D>>, StrategyError> {
    let Options { paths, reduce } = parse_options("strategy", options)?;
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
        summary: "ordinary SGD on one drawn architecture a step; the control of every experiment",
        reference: "Pham et al., Efficient Neural Architecture Search via Parameter Sharing, ICML 2018",
        options: &|| example(&Options::default()),
        cpu: &build,
        #[cfg(feature = "cuda")]
        cuda: &build,
    }
}
