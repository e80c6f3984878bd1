//! The search space of a configuration, and the cost of its architectures.

use super::RunError;
use crate::arch::Arch;
use crate::config::{ConfigError, RunConfig};
use crate::network::{ChoiceSet, NetworkError, NetworkSpec, Program};
use crate::registry::{self, BuildError, SpaceDescriptor};
use crate::space::{Scale, SearchSpace};
use std::sync::Arc;

/// Builds the space of a configuration for images `[height, width, channels]`.
///
/// # Errors
/// An unknown space, options that it does not have, or a scale out of range.
pub fn build_space(config: &RunConfig, image: [usize; 3], classes: usize) -> Result<Arc<dyn SearchSpace>, RunError> {
    let descriptor = registry::find::<SpaceDescriptor>(&config.space.name)?;
    let or_default = |given, default| if given == 0 { default } else { given };
    let scale = Scale {
        image,
        classes,
        width: or_default(config.space.width, descriptor.width),
        cells: or_default(config.space.cells, descriptor.cells),
    };
    for (key, value, most) in [("space.width", scale.width, 4096), ("space.cells", scale.cells, 256)] {
        if value > most {
            let expected = format!("at most {most}");
            return Err(ConfigError::Range { key, expected, found: value.to_string() }.into());
        }
    }
    let options = &config.space.options;
    descriptor.check_options(options).map_err(BuildError::from)?;
    Ok(Arc::from((descriptor.build)(scale, options).map_err(BuildError::from)?))
}

/// Parameters, and multiply-adds for one image, of the stand-alone network of an architecture.
///
/// # Errors
/// An architecture that cannot be built at the scale of the space.
pub fn stand_alone_cost(space: &dyn SearchSpace, arch: &Arch) -> Result<(u64, u64), RunError> {
    let (_, program) = NetworkSpec::stand_alone(space, ChoiceSet::One(arch)).map_err(|e| network_error(space, e))?;
    Ok((program.params, program.macs))
}

/// The layers of an architecture with weights of its own, and its programs for training and for evaluation. Only the
/// first has the auxiliary head, if there is to be one.
///
/// # Errors
/// An architecture of another space, or one that cannot be built at the scale of the space.
pub fn stand_alone_network(
    space: &dyn SearchSpace,
    arch: &str,
    auxiliary: bool,
) -> Result<(Arc<NetworkSpec>, Program, Program), RunError> {
    let fail = |error| network_error(space, error);
    let (spec, trained) =
        NetworkSpec::stand_alone(&*space.stand_alone(arch, auxiliary)?, ChoiceSet::All).map_err(fail)?;
    let eval_program = spec.program_without_decisions(&*space.stand_alone(arch, false)?).map_err(fail)?;
    Ok((Arc::new(spec), trained, eval_program))
}

/// The error of a network that cannot be built, with the scale of its space.
pub fn network_error(space: &dyn SearchSpace, source: NetworkError) -> RunError {
    let Scale { image, width, cells, .. } = *space.scale();
    RunError::Network { space: space.name().into(), width, cells, image, source: Box::new(source) }
}
