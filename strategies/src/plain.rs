//! Plain weight sharing: nothing protects one architecture from another. The control of every experiment.

use nas_core::options::{example, parse_options};
use nas_core::registry::{BuildError, StrategyDescriptor};
use nas_core::strategy::{Path, Sampler, SharingStrategy, StrategyContext, StrategyError};
use nas_ops::Backend;
use serde::{Deserialize, Serialize};
use toml::Table;

/// How the gradients of the paths of one step become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reduce {
    /// Their mean: the step is as long as that of one path.
    Mean,
    /// Their sum: acts like a learning rate `paths` times larger.
    Sum,
}

/// Options of `plain`.
#[derive(Debug, Clone, Serialize, Deserialize)]
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

fn build<D: Backend>(options: &Table, _: StrategyContext<D>) -> Result<Box<dyn SharingStrategy<D>>, BuildError> {
    let Options { paths, reduce } = parse_options("strategy", options)?;
    if !(1..=1024).contains(&paths) {
        return Err(StrategyError::Option {
            option: "strategy.paths".into(),
            expected: "1 to 1024".into(),
            found: paths.to_string(),
        }
        .into());
    }
    let weight = match reduce {
        Reduce::Mean => 1.0 / paths as f32,
        Reduce::Sum => 1.0,
    };
    Ok(Box::new(Plain { paths, weight }))
}

inventory::submit! {
    StrategyDescriptor {
        name: "plain",
        summary: "ordinary SGD on one drawn architecture a step; the control of every experiment",
        reference: "Pham et al., Efficient Neural Architecture Search via Parameter Sharing, ICML 2018",
        options: || example(&Options::default()),
        cpu: build,
        #[cfg(feature = "cuda")]
        cuda: build,
    }
}
