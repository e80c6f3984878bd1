//! `nas-train config`: prints or checks configurations.

use crate::args::{ConfigArgs, ConfigCommand};
use crate::device::Device;
use crate::exit::ExitStatus;
use crate::settings::{self, Settings, check_effects, find_strategy};
use crate::text::{eprint_line, print};
use anyhow::Result;
use dfdx::tensor::Cpu;
use nas_core::config::RunConfig;
use nas_core::controller::ControllerContext;
use nas_core::data;
use nas_core::network::NetworkSpec;
use nas_core::registry::{BuildError, ControllerDescriptor, find};
use nas_core::strategy::StrategyContext;
use nas_core::streams::Streams;
use nas_core::trainer::{build_space, check_table_name};
use std::slice;
use std::sync::Arc;

/// Prints the resolved configuration or an example, or checks a file.
pub fn config(args: &ConfigArgs) -> Result<ExitStatus> {
    match &args.command {
        ConfigCommand::Show(run) => {
            let settings = Settings::resolve(run)?;
            check_effects(slice::from_ref(&settings))?;
            build(&settings.config).map_err(|error| settings.explain(error))?;
            print(&settings::show(&settings)?)?;
        }
        ConfigCommand::Example => print(&settings::example()?)?,
        ConfigCommand::Check { file } => {
            let settings = Settings::of_file(file)?;
            Device::of(&settings.config).map_err(|error| settings.explain(error.into()))?;
            build(&settings.config).map_err(|error| settings.explain(error))?;
            eprint_line(&format!("{}: all keys, names and values are valid; the data was not read", file.display()));
        }
    }
    Ok(ExitStatus::Success)
}

/// Builds the components as a run does, so that they check their options. The images are assumed to be those of
/// CIFAR-10: 32 x 32 pixels, 3 channels, 10 classes.
fn build(config: &RunConfig) -> Result<()> {
    data::check(&config.data.name, &config.data)?;
    let space = build_space(config, [32, 32, 3], 10)?;
    check_table_name(&config.truth, space.name())?;
    let spec = Arc::new(NetworkSpec::supernet(&*space)?);
    let steps_per_arch = config.train.steps_per_arch;
    let context =
        StrategyContext { space: space.clone(), spec, device: Cpu::default(), total_steps: 1, steps_per_arch };
    let strategy = find_strategy(&config.strategy.name)?;
    (strategy.cpu)(&config.strategy.options, context).map_err(BuildError::from)?;
    let context = ControllerContext { space, rng: Streams::new(config.seed).rng("controller weights", 0) };
    let controller = find::<ControllerDescriptor>(&config.controller.name)?;
    (controller.build)(&config.controller.options, context).map_err(BuildError::from)?;
    Ok(())
}
