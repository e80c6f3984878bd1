//! The configuration of a run from its layers: defaults < file < `--set` < named options.

mod difference;
mod layer;
mod origin;
mod show;

pub use difference::first_difference;
#[cfg(test)]
pub use layer::insert;
pub use origin::Origin;
pub use show::{example, show};

use crate::args::RunArgs;
use anyhow::{Context, Result};
use layer::Layer;
use nas_core::config::{Component, RunConfig};
use nas_core::data::{self, Dataset};
use nas_core::registry::{self, ControllerDescriptor, SpaceDescriptor, StrategyDescriptor};
use nas_core::trainer::build_space;
use origin::Origins;
use std::path::Path;
use std::sync::Arc;
use toml::Table;

/// A configuration, and where each of its values comes from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration, options of strategy and controller complete.
    pub config: RunConfig,
    origins: Origins,
}

impl Settings {
    /// Merges the layers of a command line.
    ///
    /// # Errors
    /// A file that cannot be read, unknown keys or names, values of the wrong kind or out of range.
    pub fn resolve(args: &RunArgs) -> Result<Self> {
        Self::resolve_with(args, &[])
    }

    /// Merges the layers of a command line with assignments over all of them.
    ///
    /// # Errors
    /// See [`resolve`](Self::resolve).
    pub fn resolve_with(args: &RunArgs, assignments: &[String]) -> Result<Self> {
        let mut layers = Vec::new();
        layers.extend(args.config.as_deref().map(Layer::file).transpose()?);
        for assignment in &args.set {
            layers.push(Layer::set(assignment)?);
        }
        for named in args.named() {
            layers.extend(Layer::flag(named)?);
        }
        for assignment in assignments {
            layers.push(Layer::set(assignment)?);
        }
        layers.extend(Layer::plugins(&args.plugin));
        Self::merge(layers)
    }

    /// The configuration in a file.
    ///
    /// # Errors
    /// See [`resolve`](Self::resolve).
    pub fn of_file(path: &Path) -> Result<Self> {
        Self::merge(vec![Layer::file(path)?])
    }

    fn merge(mut layers: Vec<Layer>) -> Result<Self> {
        layer::drop_options_of_others(&mut layers);
        let mut table = Table::new();
        let mut origins = Origins::default();
        for layer in layers {
            origins.note(&layer);
            layer::merge(&mut table, layer.table);
        }
        let complete = || {
            let mut config = RunConfig::from_table(&table)?;
            load_plugins(&mut config)?;
            complete(&mut config)?;
            if *origins.of("probes.count") == Origin::Default {
                limit_probes(&mut config)?;
            }
            anyhow::Ok(config)
        };
        match complete() {
            Ok(config) => Ok(Self { config, origins }),
            Err(error) => Err(origins.explain(error)),
        }
    }

    /// Reads the data set.
    ///
    /// # Errors
    /// Data that is unknown, missing or damaged.
    pub fn dataset(&self) -> Result<Arc<Dataset>> {
        let dataset = data::load(&self.config.data.name, &self.config.data);
        dataset.map(Arc::new).map_err(|error| self.explain(error.into()))
    }

    /// Where the value of a key comes from.
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.of(key)
    }

    /// Adds to an error from where the value came that it complains about, if that was not a default.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        self.origins.explain(error)
    }
}

/// Loads the plugins, whose strategies are looked up next. Their paths become absolute, so that the configuration means
/// the same files elsewhere.
fn load_plugins(config: &mut RunConfig) -> Result<()> {
    let mut paths = Vec::new();
    for file in &config.plugins {
        let path = nas_plugin_host::load(Path::new(file))?.path.to_string_lossy().into_owned();
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    config.plugins = paths;
    Ok(())
}

/// Adds the defaults of the strategy's and the controller's own options, and checks the names of all components.
fn complete(config: &mut RunConfig) -> Result<()> {
    let strategy = registry::find::<StrategyDescriptor>(&config.strategy.name)?;
    let controller = registry::find::<ControllerDescriptor>(&config.controller.name)?;
    registry::find::<SpaceDescriptor>(&config.space.name)?;
    add_defaults(&mut config.strategy, &(strategy.options)())?;
    add_defaults(&mut config.controller, &(controller.options)())
}

/// Takes no more probes than there are architectures, where nobody has asked for a number.
fn limit_probes(config: &mut RunConfig) -> Result<()> {
    // How many architectures there are does not depend on the images.
    let count = build_space(config, [32, 32, 3], 10)?.count();
    config.probes.count = config.probes.count.min(usize::try_from(count).unwrap_or(usize::MAX));
    Ok(())
}

fn add_defaults(component: &mut Component, defaults: &str) -> Result<()> {
    let defaults: Table = defaults.parse().with_context(|| format!("default options of {}", component.name))?;
    for (key, value) in defaults {
        component.options.entry(key).or_insert(value);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
