//! The configuration of a run, merged from its layers: defaults < file < `--set` < options.

mod difference;
mod layer;
mod measurement;
mod origin;
mod other_space;
mod paths;
mod recipes;
mod show;
mod unknown;
mod without_effect;

pub use difference::{
    SettingDifference, first_difference, other_device, other_run, other_settings, other_settings_of_training,
};
pub use measurement::other_measurement;
pub use origin::Origin;
use paths::absolute;
pub use paths::with_absolute_paths;
pub use show::{example, show};
pub use unknown::find_strategy;
pub use without_effect::check_effects;

use crate::args::{DataDirArg, NamedOption, RunArgs};
use crate::exit::UsageError;
use anyhow::{Context, Result};
use layer::ConfigLayer;
use nas_core::config::{ClusterConfig, ComponentConfig, RunConfig};
use nas_core::registry::{self, BuildError, ControllerDescriptor, SpaceDescriptor};
use nas_core::trainer::build_space;
use origin::Origins;
use std::mem;
use std::ops::Range;
use std::path::Path;
use toml::Table;

/// A configuration with the origin of each value.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration, with all options of the strategy, the controller and the space.
    pub config: RunConfig,
    /// Section `[cluster]`, which no run needs: that of `config` has the defaults.
    pub cluster: ClusterConfig,
    origins: Origins,
}

impl Settings {
    /// Merges the layers of a command line.
    ///
    /// # Errors
    /// A file cannot be read, a key or name is unknown, or a value has the wrong type or is out of range.
    pub fn resolve(args: &RunArgs) -> Result<Self> {
        Self::resolve_with(args, &[])
    }

    /// Merges the layers of a command line and then `assignments`, which take precedence.
    ///
    /// # Errors
    /// See [`resolve`](Self::resolve).
    pub fn resolve_with(args: &RunArgs, assignments: &[String]) -> Result<Self> {
        Self::merge(layer::of_command(args, assignments)?)
    }

    /// Reads the configuration from a table, whose `file` is named in errors.
    ///
    /// # Errors
    /// See [`resolve`](Self::resolve).
    pub fn of_table(file: &Path, table: Table) -> Result<Self> {
        Self::merge(vec![ConfigLayer { origin: Origin::File(file.into()), table }])
    }

    /// Merges the layers of a stand-alone training: the run of `--from`, the recipe, and those of a command line. Of a
    /// configuration file, it takes only what it uses, so that the file may configure a supernet too.
    ///
    /// # Errors
    /// See [`resolve`](Self::resolve); an unknown recipe.
    pub fn resolve_stand_alone(
        from: Option<&Path>,
        recipe: Option<&str>,
        args: &RunArgs,
        assignments: &[String],
    ) -> Result<Self> {
        let mut layers = Vec::new();
        layers.extend(from.map(ConfigLayer::space_and_data_of_run).transpose()?);
        layers.extend(recipe.map(recipes::layer).transpose()?);
        layers.extend(layer::of_command(args, assignments)?);
        layers.iter_mut().for_each(ConfigLayer::drop_supernet);
        Self::merge(layers)
    }

    /// Reads the configuration from a file alone.
    ///
    /// # Errors
    /// See [`resolve`](Self::resolve).
    pub fn of_file(path: &Path) -> Result<Self> {
        Self::merge(vec![ConfigLayer::file(path)?])
    }

    /// Reads the configuration of a run directory, which may be packed, and then `assignments` and the folder of the
    /// data, which take precedence.
    ///
    /// # Errors
    /// See [`resolve`](Self::resolve); a damaged archive.
    pub fn of_run(dir: &Path, assignments: &[String], data: &DataDirArg) -> Result<Self> {
        let mut layers = vec![ConfigLayer::run(dir)?];
        layers.extend(ConfigLayer::set_all(assignments)?);
        layers.extend(ConfigLayer::flag(data.named())?);
        Self::merge(layers)
    }

    fn merge(mut layers: Vec<ConfigLayer>) -> Result<Self> {
        layers.iter().try_for_each(ConfigLayer::check)?;
        recipes::check_space(&layers)?;
        layer::drop_options_of_others(&mut layers);
        let mut table = Table::new();
        let mut origins = Origins::default();
        for layer in layers {
            origins.note(&layer);
            layer::merge(&mut table, layer.table);
        }
        let mut config = RunConfig::from_table(&table).map_err(|error| with_origin(error.into(), &origins, None))?;
        let complete = |config: &mut RunConfig| {
            load_plugins(config)?;
            if let Some(init) = &mut config.train.init {
                *init = absolute(init)?;
            }
            complete(config)?;
            if *origins.of("probes.count") == Origin::Default {
                limit_probes(config)?;
            }
            anyhow::Ok(())
        };
        let cluster = mem::take(&mut config.cluster);
        match complete(&mut config) {
            Ok(()) => Ok(Self { config, cluster, origins }),
            Err(error) => Err(with_origin(error, &origins, Some(&config))),
        }
    }

    /// The same settings with another seed.
    pub fn with_seed(&self, seed: u64) -> Self {
        let mut settings = self.clone();
        settings.config.seed = seed;
        settings
    }

    /// The controller of `--controller`, with the options that assignments set and the defaults of the others.
    ///
    /// # Errors
    /// An unknown controller, or an assignment that is not one.
    pub fn controller(name: &str, assignments: &[String]) -> Result<ComponentConfig> {
        let option = NamedOption { flag: "controller", key: "controller.name", value: Some(name.into()) };
        let mut layers: Vec<ConfigLayer> = ConfigLayer::flag(option)?.into_iter().collect();
        layers.extend(ConfigLayer::set_all(assignments)?);
        Ok(Self::merge(layers)?.config.controller)
    }

    /// The seeds of several runs: that of these settings and the following ones.
    ///
    /// # Errors
    /// A seed above 2^63 - 1, the largest integer of TOML.
    pub fn seeds(&self, count: u32) -> Result<Range<u64>, UsageError> {
        let first = self.config.seed;
        let end = first + u64::from(count);
        let (last, most) = (end.saturating_sub(1), i64::MAX);
        match i64::try_from(last) {
            Ok(_) => Ok(first..end),
            Err(_) => {
                Err(UsageError(format!("--seed: the largest seed of the runs is {last}, expected at most {most}")))
            }
        }
    }

    /// The origin of the value of a key.
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.of(key)
    }

    /// Adds the origin of the offending value (file, `--set` or option) to an error, unless the value is a default. An
    /// unknown option and an architecture of another space get a hint.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        with_origin(other_space::with_hint(error), &self.origins, Some(&self.config))
    }
}

fn with_origin(error: anyhow::Error, origins: &Origins, config: Option<&RunConfig>) -> anyhow::Error {
    origins.explain(unknown::with_hint(error, config))
}

/// Loads the plugins, so that their strategies are registered. Their paths become absolute if they are UTF-8: the
/// configuration then names the same files in any working directory.
fn load_plugins(config: &mut RunConfig) -> Result<()> {
    let mut paths = Vec::new();
    for file in &config.plugins {
        let loaded = nas_plugin_host::load(Path::new(file))?;
        let path = loaded.path.to_str().unwrap_or(file).to_owned();
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    config.plugins = paths;
    Ok(())
}

/// Checks the names of all components and of the options of the space, and adds the defaults of all options.
fn complete(config: &mut RunConfig) -> Result<()> {
    let strategy = find_strategy(&config.strategy.name)?;
    let controller = registry::find::<ControllerDescriptor>(&config.controller.name)?;
    let space = registry::find::<SpaceDescriptor>(&config.space.name)?;
    space.check_options(&config.space.options).map_err(BuildError::from)?;
    add_defaults(&config.space.name, &mut config.space.options, &(space.options)())?;
    let ComponentConfig { name, options } = &mut config.strategy;
    add_defaults(name, options, &(strategy.options)())?;
    let ComponentConfig { name, options } = &mut config.controller;
    add_defaults(name, options, &(controller.options)())
}

/// Reduces the default number of probe architectures to the size of the search space.
fn limit_probes(config: &mut RunConfig) -> Result<()> {
    // The number of architectures does not depend on the shape of the images.
    let count = build_space(config, [32, 32, 3], 10)?.count();
    config.probes.count = config.probes.count.min(usize::try_from(count).unwrap_or(usize::MAX));
    Ok(())
}

fn add_defaults(component: &str, options: &mut Table, defaults: &str) -> Result<()> {
    let defaults: Table = defaults.parse().with_context(|| format!("default options of {component}"))?;
    for (key, value) in defaults {
        options.entry(key).or_insert(value);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
